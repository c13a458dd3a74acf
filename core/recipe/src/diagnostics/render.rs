//! Rendering of errors and warnings: message, source line, underline, expected value, suggestion.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::diagnostics::recipe_error::RecipeError;

/// Maximum number of characters of a source line; of a longer line, the part around the error is shown.
const WIDEST: usize = 120;

/// Renders errors, separated by empty lines, and their number; `more` is the number of errors that are not shown.
pub(crate) fn errors(errors: &[RecipeError], more: usize, coloured: bool) -> String {
    let mut text = String::new();
    for mistake in errors {
        text.push_str(&error(mistake, coloured));
        text.push('\n');
    }
    let count = match (errors.len(), more) {
        (1, 0) => "1 error".to_owned(),
        (shown, 0) => format!("{shown} errors"),
        (shown, more) => format!("{} errors, of which {shown} are shown", shown + more),
    };
    let _ = writeln!(text, "{count}; nothing was run, nothing was written");
    text
}

/// Renders warnings, each followed by an empty line.
pub(crate) fn warnings(warnings: &[RecipeError], coloured: bool) -> String {
    let one = |warning| format!("{}\n", block(warning, "warning", AnsiColor::Yellow, coloured));
    warnings.iter().map(one).collect()
}

/// Renders one error.
pub(crate) fn error(error: &RecipeError, coloured: bool) -> String {
    block(error, "error", AnsiColor::Red, coloured)
}

/// Renders an error or a warning.
fn block(error: &RecipeError, word: &str, colour: AnsiColor, coloured: bool) -> String {
    let style = |style: Style| if coloured { style } else { Style::new() };
    let red = style(colour.on_default().bold());
    let bold = style(Style::new().bold());
    let blue = style(AnsiColor::Blue.on_default().bold());
    let pad = " ".repeat(error.line.to_string().len());

    let mut text = format!("{red}{word}{red:#}{bold}: {}{bold:#}\n", error.mistake);
    let place = if error.line == 0 {
        error.file.clone()
    } else if !is_file(error) {
        error.variable().map_or_else(|| error.file.clone(), |name| format!("{}: {name}", error.file))
    } else {
        format!("{}:{}:{}", error.file, error.line, error.column)
    };
    let _ = writeln!(text, "{pad}{blue}-->{blue:#} {place}");
    if let Some(snippet) = &error.snippet {
        let (line, before) = window(&snippet.line, error.column.saturating_sub(1));
        let room = line.chars().count().saturating_sub(before).max(1);
        let arrows = "^".repeat(snippet.width.min(room));
        let label =
            error.expected.as_ref().map(|expected| format!(" expected {expected}")).unwrap_or_default();
        let _ = writeln!(text, "{pad} {blue}|{blue:#}");
        let _ = writeln!(text, "{blue}{} |{blue:#} {line}", error.line);
        let _ = writeln!(text, "{pad} {blue}|{blue:#} {}{red}{arrows}{label}{red:#}", " ".repeat(before));
    } else if let Some(expected) = &error.expected {
        let _ = writeln!(text, "{pad} {blue}={blue:#} expected {expected}");
    }
    if let Some(suggestion) = &error.suggestion {
        let _ = writeln!(text, "{pad} {blue}={blue:#} {suggestion}");
    }
    if !error.overruled.is_empty() {
        let _ = writeln!(
            text,
            "{pad} {blue}={blue:#} set by {}, over {}",
            error.layer,
            error.overruled.join(", ")
        );
    }
    text
}

/// Whether the location is in a file; a `--set` or a variable has no line number.
fn is_file(error: &RecipeError) -> bool {
    error.layer == format!("{}:{}", error.file, error.line)
}

/// The part of a line to show, with tabs as spaces and control characters made visible, and the number of characters
/// before the error.
fn window(line: &str, before: usize) -> (String, usize) {
    let start = if before > WIDEST * 3 / 4 { before - WIDEST / 2 } else { 0 };
    let cut = line.chars().skip(start);
    let shown: String = cut
        .take(WIDEST)
        .map(|letter| match letter {
            '\t' => ' ',
            letter if letter.is_control() => '\u{fffd}',
            letter => letter,
        })
        .collect();
    let mut shown = shown.trim_end().to_owned();
    if line.chars().nth(start + WIDEST).is_some() {
        shown.push('…');
    }
    if start > 0 {
        // `…` replaces the first character, so that columns do not shift.
        shown = shown.chars().skip(1).fold("…".to_owned(), |line, letter| line + &letter.to_string());
    }
    (shown, before - start)
}
