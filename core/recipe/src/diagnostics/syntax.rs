//! Explanations of TOML syntax errors: what the parser reports is matched with what people often write instead (decimal
//! commas, Python's `True` and `None`, colons, a table given twice), and errors that only follow from another are left
//! out.

use std::ops::Range;

use crate::diagnostics::expectation::{did_you_mean, short_name};
use crate::diagnostics::recipe_error::MAX_PLACED;

/// A syntax error as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) span: Range<usize>,
    pub(crate) problem: String,
    pub(crate) hint: Option<String>,
}

/// What to report of the parser's errors, which come in the order of the text: one per line, each explained. `name` is
/// that of the file.
pub(crate) fn explain(name: &str, text: &str, errors: Vec<(Range<usize>, String)>) -> Vec<SyntaxError> {
    if let Some((first, _)) = errors.first()
        && let Some(problem) = other_format(text)
    {
        let hint = "tables are written `[expert.training]`, values `learning-rate = 1e-4`".to_owned();
        return vec![SyntaxError { span: first.clone(), problem, hint: Some(hint) }];
    }
    let is_limit = |(_, problem): &&(Range<usize>, String)| problem.contains("recursion limit");
    if let Some((span, problem)) = errors.iter().find(is_limit) {
        return vec![SyntaxError { span: span.clone(), problem: problem.clone(), hint: None }];
    }
    let mut explained: Vec<SyntaxError> = Vec::new();
    let mut last_line = None;
    let mut twice: Option<bool> = None;
    for (span, problem) in errors {
        let line = Line::at(text, span.start);
        if last_line.replace(line.start) == Some(line.start) {
            continue;
        }
        if explained.len() >= MAX_PLACED {
            explained.push(SyntaxError { span, problem, hint: None });
            continue;
        }
        // The keys below a table that is given twice are duplicates because the table is.
        if problem == "duplicate key" && twice == Some(true) && table_header(line.text).is_none() {
            continue;
        }
        twice = (problem == "duplicate key").then(|| table_header(line.text).is_some());
        let unclosed = line.opens_within_a_list(&problem, span.start);
        explained.push(line.explain(name, text, span, &problem));
        if unclosed {
            break;
        }
    }
    explained
}

/// A file that is not TOML at all.
fn other_format(text: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let first = lines.next()?;
    if first.starts_with('{') {
        return Some("this looks like JSON, and a recipe is TOML".to_owned());
    }
    let is_yaml = first.split_once(':').is_some_and(|(key, _)| is_key(key)) && !text.contains('=');
    is_yaml.then(|| "this looks like YAML, and a recipe is TOML".to_owned())
}

/// The line that an error is in.
struct Line<'a> {
    start: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn at(text: &'a str, byte: usize) -> Self {
        let start = text.get(..byte).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        Self { start, text: text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default() }
    }

    /// The key of a line `key = value`, and its value without a comment.
    fn assignment(&self) -> Option<(&'a str, &'a str)> {
        let (key, value) = self.text.split_once('=')?;
        let value =
            if value.contains(['"', '\'']) { value } else { value.split('#').next().unwrap_or(value) };
        Some((key.trim(), value.trim()))
    }

    /// Whether the parser stumbled over the next line because a list above it is not closed.
    fn opens_within_a_list(&self, problem: &str, byte: usize) -> bool {
        let before = self.text.get(..byte - self.start).unwrap_or_default();
        let missing = problem.starts_with("missing comma between");
        missing && before.trim().is_empty() && self.assignment().is_some_and(|(key, _)| is_key(key))
    }

    fn explain(&self, name: &str, text: &str, span: Range<usize>, problem: &str) -> SyntaxError {
        let error = |problem: &str, hint: Option<String>| SyntaxError {
            span: span.clone(),
            problem: problem.to_owned(),
            hint,
        };
        if problem == "duplicate key" {
            return self.given_twice(name, text, span);
        }
        if self.opens_within_a_list(problem, span.start) {
            let bracket = if problem.contains("array") { ']' } else { '}' };
            let hint = format!("a `{bracket}` is missing before this line");
            return error("the list or table above this line is not closed", Some(hint));
        }
        if let Some((written, number)) = self.decimal_comma() {
            let start = self.start + self.text.find(written).unwrap_or_default();
            return SyntaxError {
                span: start..start + written.len(),
                problem: "a number has a decimal point, not a comma".to_owned(),
                hint: Some(did_you_mean(&number)),
            };
        }
        if let Some((problem, hint)) = self.of_value(span.start) {
            return error(problem, Some(hint));
        }
        if let Some((problem, hint)) = self.of_line(problem) {
            return error(problem, Some(hint));
        }
        let plain = problem
            .trim_end_matches(", expected nothing")
            .trim_end_matches(", expected literal string")
            .to_owned();
        let quoted = plain.starts_with("string values must be quoted") || plain.starts_with("invalid ");
        let word = self.piece(span.start).filter(|word| quoted && is_bare_text(word));
        match word {
            Some(word) => error("a text needs quotes", Some(did_you_mean(&format!("{word:?}")))),
            None => error(&plain, None),
        }
    }

    /// A key or table that the text has before: both places are named.
    fn given_twice(&self, name: &str, text: &str, span: Range<usize>) -> SyntaxError {
        let header = table_header(self.text);
        let key = text.get(span.clone()).unwrap_or_default();
        let mut first = None;
        // Above a key's own header, keys of this name belong to other tables.
        for (number, line) in text.get(..self.start).unwrap_or_default().lines().enumerate() {
            match (&header, table_header(line)) {
                (None, Some(_)) => first = None,
                (Some(header), Some(other)) if *header == other => first = Some((number + 1, line)),
                _ => {
                    let given = line.split_once('=').map(|(given, _)| without_spaces(given));
                    let same = |given: &str| match &header {
                        Some(header) => header == given || header.ends_with(&format!(".{given}")),
                        None => given == key,
                    };
                    if first.is_none() && given.as_deref().is_some_and(same) {
                        first = Some((number + 1, line));
                    }
                }
            }
        }
        let (what, advice) = match &header {
            Some(header) => (format!("`[{header}]`"), "put all keys of a table below one header"),
            None => (format!("`{key}`"), "remove one of them"),
        };
        let hint = match first {
            Some((number, line)) => {
                format!("first at {name}:{number}: `{}`; {advice}", short_name(line.trim()))
            }
            None => advice.to_owned(),
        };
        SyntaxError { span, problem: format!("{what} is given twice"), hint: Some(hint) }
    }

    /// A number with a decimal comma that is a value of its own: as it is written, and with a point.
    fn decimal_comma(&self) -> Option<(&'a str, String)> {
        for (at, _) in self.text.match_indices('=') {
            let rest = self.text[at + 1..].trim_start();
            let end = rest.find(|c: char| !(c.is_ascii_digit() || "+-,eE".contains(c))).unwrap_or(rest.len());
            let written = rest[..end].trim_end_matches(',');
            if let Some((whole, fraction)) = written.split_once(',')
                && whole.trim_start_matches(['+', '-']).chars().all(|c| c.is_ascii_digit())
                && fraction.starts_with(|c: char| c.is_ascii_digit())
                && format!("{whole}.{fraction}").parse::<f64>().is_ok()
            {
                return Some((written, format!("{whole}.{fraction}")));
            }
        }
        None
    }

    /// The value around a byte: that of the line, or a piece of a list or inline table.
    fn piece(&self, byte: usize) -> Option<&'a str> {
        let (_, value) = self.assignment()?;
        if !value.contains(['[', '{', ',']) {
            return Some(value);
        }
        let at = byte.checked_sub(self.start)?.min(self.text.len());
        let ends = ['=', '[', ']', '{', '}', ','];
        let start = self.text.get(..at)?.rfind(ends).map_or(0, |at| at + 1);
        let end = self.text.get(at..)?.find(ends).map_or(self.text.len(), |end| at + end);
        self.text.get(start..end).map(str::trim)
    }

    /// What a value is in other languages.
    fn of_value(&self, byte: usize) -> Option<(&'static str, String)> {
        let value = self.piece(byte)?;
        let plain = value.trim_end_matches([';', ',']).trim();
        match plain.to_lowercase().as_str() {
            "true" | "yes" | "on" => {
                return Some(("a truth value is `true` or `false`", did_you_mean("true")));
            }
            "false" | "no" | "off" => {
                return Some(("a truth value is `true` or `false`", did_you_mean("false")));
            }
            "none" | "null" | "nil" | "undefined" => {
                return Some((
                    "TOML has no value for nothing",
                    "leave the key out to take its default".to_owned(),
                ));
            }
            "" => {
                return Some((
                    "the key has no value",
                    "write one after `=`, or leave the key out".to_owned(),
                ));
            }
            _ => {}
        }
        if plain.starts_with(['“', '”', '„', '‘', '’', '«']) {
            let text = plain.trim_matches(['“', '”', '„', '‘', '’', '«', '»', '"']);
            return Some(("a text has straight quotes", did_you_mean(&format!("\"{text}\""))));
        }
        if let Some(number) = meant_number(plain) {
            return Some(("not a number as TOML writes it", did_you_mean(&number)));
        }
        if plain.starts_with('(') {
            return Some(("a list has square brackets", "`[1, 2]` in place of `(1, 2)`".to_owned()));
        }
        None
    }

    /// What a line is in other languages.
    fn of_line(&self, problem: &str) -> Option<(&'static str, String)> {
        let line = self.text.trim();
        if line.starts_with("//") || line.contains(" //") {
            return Some(("a comment begins with `#`", "replace `//` by `#`".to_owned()));
        }
        if problem.starts_with("missing escaped") || problem.starts_with("too few unicode") {
            let hint = "write the text in single quotes, '…', or use `/` in paths".to_owned();
            return Some(("a backslash in \"…\" begins an escape", hint));
        }
        if problem.starts_with("invalid basic string") || problem.starts_with("invalid literal string") {
            return Some(("the text is not closed", "add the quote that ends it".to_owned()));
        }
        if let Some((key, value)) = line.split_once(':').filter(|(key, _)| is_key(key)) {
            let value = if value.trim().is_empty() { "…" } else { value.trim() };
            return Some(("`=` joins a key and its value", did_you_mean(&format!("{key} = {value}"))));
        }
        if line.contains('{') && line.contains(": ") && problem.contains("key") {
            return Some(("`=` joins a key and its value", "replace `:` by `=`".to_owned()));
        }
        if let Some((key, _)) = self.assignment().filter(|(key, _)| key.contains(' ')) {
            let joined = key.split_whitespace().collect::<Vec<_>>().join("-");
            return is_key(&joined).then(|| ("a key has no spaces", did_you_mean(&joined)));
        }
        let name = line.trim_matches(['[', ']', ' ']);
        let table =
            line.starts_with('[') != line.ends_with(']') || (line.starts_with('[') && name.contains(' '));
        let joined = name.split_whitespace().collect::<Vec<_>>().join(".");
        (table && joined.split('.').all(is_key))
            .then(|| ("a table is written `[name]`", did_you_mean(&format!("[{joined}]"))))
    }
}

/// How TOML writes a number that is written otherwise: `.5`, `1.e-4`, `007`, `10%`, `5k`.
pub fn meant_number(written: &str) -> Option<String> {
    let toml = |number: f64| toml::Value::Float(number).to_string();
    let float = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let numeric = written.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    if !numeric {
        return None;
    }
    if let Some((whole, fraction)) = written.split_once(',') {
        return float(&format!("{whole}.{fraction}")).map(toml);
    }
    if let Ok(whole) = written.parse::<i64>() {
        return Some(whole.to_string());
    }
    if let Some(share) = written.strip_suffix('%') {
        return float(share).map(|share| toml(share / 100.0));
    }
    let scaled = |suffixes: &[char], scale: f64| {
        let number = float(written.strip_suffix(suffixes)?)? * scale;
        Some(if number.fract() == 0.0 { format!("{number:.0}") } else { toml(number) })
    };
    float(written)
        .map(toml)
        .or_else(|| scaled(&['k', 'K'], 1e3))
        .or_else(|| scaled(&['m', 'M'], 1e6))
        .or_else(|| float(written.strip_suffix(['f', 'F'])?).map(toml))
}

fn is_key(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Words that were probably meant as a text.
fn is_bare_text(text: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || "-_:./$~ ".contains(letter);
    text.chars().count() <= 60
        && text.starts_with(|c: char| c.is_alphabetic() || "./$~".contains(c))
        && text.chars().all(fits)
}

/// The name in a line that opens a table.
fn table_header(line: &str) -> Option<String> {
    let line = line.trim();
    let name = line.strip_prefix('[')?.split(']').next()?;
    line.contains(']').then(|| without_spaces(name.trim_start_matches('[')))
}

fn without_spaces(key: &str) -> String {
    key.chars().filter(|c| !c.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use super::meant_number;

    #[test]
    fn numbers_of_other_languages() {
        for (written, meant) in [
            (".5", "0.5"),
            ("1.e-4", "0.0001"),
            ("007", "7"),
            ("10%", "0.1"),
            ("5k", "5000"),
            ("1.5M", "1500000"),
            ("0,5", "0.5"),
            ("2e-4f", "0.0002"),
        ] {
            assert_eq!(meant_number(written).as_deref(), Some(meant), "{written}");
        }
        for written in ["abc", "1/3", "2**3", "1e-4x", "", "k", "1e400", "inf"] {
            assert_eq!(meant_number(written), None, "{written}");
        }
    }
}
