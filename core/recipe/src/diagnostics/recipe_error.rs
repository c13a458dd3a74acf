//! An error with its location: file, line, column, key, and every layer that sets the value.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::render;
use crate::read::key_path::KeyPath;
use crate::read::layer::{ENVIRONMENT, Layer, LayerText};

/// An error or warning with its location in a recipe.
#[derive(Debug)]
pub struct RecipeError {
    /// The file as it was given on the command line, `--set` or `the environment`.
    pub file: String,
    /// The line, from 1; 0 if the error has no line (a missing section, an unreadable file).
    pub line: usize,
    /// The column in characters, from 1; 0 if the error has no line.
    pub column: usize,
    /// The dotted key; empty for the recipe as a whole.
    pub key: String,
    /// The layer that set the value, as `recipes/see.toml:12`.
    pub layer: String,
    /// Lower layers whose values are overridden, nearest first.
    pub overruled: Vec<String>,
    /// The error.
    pub mistake: Mistake,
    /// A description of valid values.
    pub expected: Option<String>,
    /// A suggestion or an instruction.
    pub suggestion: Option<String>,
    pub(crate) snippet: Option<Snippet>,
}

/// The source line of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    pub(crate) line: String,
    /// Number of characters to underline, at least one.
    pub(crate) width: usize,
}

/// The part of an entry to underline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Key,
    Value,
}

impl RecipeError {
    /// An error of the recipe as a whole.
    pub(crate) fn whole(file: &str, mistake: Mistake) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            key: String::new(),
            layer: file.to_owned(),
            overruled: Vec::new(),
            mistake,
            expected: None,
            suggestion: None,
            snippet: None,
        }
    }

    /// An error at a span of a layer's text.
    pub(crate) fn at_text(source: &Arc<LayerText>, span: Range<usize>, mistake: Mistake) -> Self {
        let (line, column) = source.line_and_column(span.start);
        let text = source.line(line).to_owned();
        let pointed = source.text.get(span.clone()).and_then(|text| text.lines().next()).unwrap_or_default();
        let room = text.chars().count().saturating_sub(column - 1).max(1);
        let width = pointed.chars().count().clamp(1, room);
        Self {
            line,
            column,
            layer: source.at(span.start),
            snippet: Some(Snippet { line: text, width }),
            ..Self::whole(&source.name(), mistake)
        }
    }

    /// An error at a key: in the highest layer that sets it, or else at the table that it belongs to.
    pub(crate) fn at_key(
        layers: &[Layer],
        main: &str,
        path: &KeyPath,
        point: Point,
        mistake: Mistake,
    ) -> Self {
        let mut place = path.clone();
        loop {
            let found = layers.iter().rev().find_map(|layer| layer.find(&place).map(|value| (layer, value)));
            if let Some((layer, located)) = found {
                let span = match point {
                    Point::Value if place == *path => located.value_span(&layer.source.text),
                    _ => located.key.clone(),
                };
                let overruled = touched(layers, &place.to_list());
                return Self {
                    key: path.to_string(),
                    overruled: overruled.into_iter().skip(1).collect(),
                    ..Self::at_text(&layer.source, span, mistake)
                };
            }
            if place.is_root() {
                return Self { key: path.to_string(), ..Self::whole(main, mistake) };
            }
            place = place.parent();
        }
    }

    /// Adds a description of valid values.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// Adds a suggestion or an instruction.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The message, in one line.
    pub fn message(&self) -> String {
        self.mistake.to_string()
    }

    /// The environment variable that the error is in.
    pub(crate) fn variable(&self) -> Option<&str> {
        let assignment = self.layer.strip_prefix(ENVIRONMENT)?;
        assignment.split_once('=').map(|(name, _)| name)
    }

    pub(crate) fn boxed(self) -> Box<Self> {
        Box::new(self)
    }
}

/// The locations of all layers that set a value, highest first. Not meaningful for tables, which several layers can set
/// in part.
fn touched(layers: &[Layer], path: &KeyPath) -> Vec<String> {
    let value = |layer: &Layer| layer.find(path).map(|located| layer.source.at(located.key.start));
    layers.iter().rev().filter_map(value).collect()
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render::error(self, false))
    }
}

impl std::error::Error for RecipeError {}

/// Maximum number of errors that are located and shown; a file can contain a hundred thousand.
pub(crate) const MAX_PLACED: usize = 100;

/// Renders warnings like errors; returns an empty string if there are none.
pub fn render_warnings(warnings: &[RecipeError], coloured: bool) -> String {
    render::warnings(warnings, coloured)
}

/// All errors in a recipe, in the order of their locations. At least one.
#[derive(Debug)]
pub struct RecipeErrors {
    errors: Vec<RecipeError>,
    /// Number of further errors that are not shown.
    more: usize,
}

impl RecipeErrors {
    /// Returns these errors, sorted by location, or `Ok` if there are none.
    pub fn of(errors: Vec<RecipeError>) -> Result<(), Self> {
        Self::and_more(errors, 0)
    }

    /// Like [`RecipeErrors::of`], with the number of further errors that are not shown.
    pub(crate) fn and_more(mut errors: Vec<RecipeError>, more: usize) -> Result<(), Self> {
        errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        if errors.is_empty() { Ok(()) } else { Err(Self { errors, more }) }
    }

    /// A single error.
    pub(crate) fn one(error: RecipeError) -> Self {
        Self { errors: vec![error], more: 0 }
    }

    /// The errors.
    pub fn errors(&self) -> &[RecipeError] {
        &self.errors
    }

    /// The errors, to be merged with others.
    pub fn into_errors(self) -> Vec<RecipeError> {
        self.errors
    }

    /// Renders all errors for a person, optionally with terminal colours.
    pub fn render(&self, coloured: bool) -> String {
        render::errors(&self.errors, self.more, coloured)
    }
}

impl fmt::Display for RecipeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for RecipeErrors {}
