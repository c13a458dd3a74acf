//! A mistake with its place: file, line, column, key, and every layer that touched the value. It never decides what is
//! wrong.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::render;
use crate::read::key_path::KeyPath;
use crate::read::layer::{ENVIRONMENT, Layer, LayerText};

/// A mistake in a recipe and where it stands.
#[derive(Debug)]
pub struct RecipeError {
    /// The file as it was named, `--set` or `the environment`.
    pub file: String,
    /// The line, from 1; 0 where the mistake has no line (a missing section, an unreadable file).
    pub line: usize,
    /// The column in characters, from 1; 0 where there is no line.
    pub column: usize,
    /// The dotted key; empty for the recipe as a whole.
    pub key: String,
    /// The layer that set the value, as `recipes/see.toml:12`.
    pub layer: String,
    /// Lower layers that set it too and were overruled, nearest first.
    pub overruled: Vec<String>,
    /// What is wrong.
    pub mistake: Mistake,
    /// What would be right.
    pub expected: Option<String>,
    /// What was probably meant, or what to do.
    pub suggestion: Option<String>,
    pub(crate) snippet: Option<Snippet>,
}

/// The line a mistake stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snippet {
    pub(crate) line: String,
    /// Characters to point at, at least one.
    pub(crate) width: usize,
}

/// What to point at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    Key,
    Value,
}

impl RecipeError {
    /// A mistake of the recipe as a whole.
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

    /// A mistake at a place in a layer's text.
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

    /// A mistake at a key: in the highest layer that sets it, or else at the table it should stand in.
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

    /// This mistake with what would be right.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// This mistake with what was probably meant, or what to do.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// What is wrong, in a line.
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

/// The places of all layers that set a value, highest first. A table is set by whoever sets something in it, so that
/// only values are asked for here.
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

/// Mistakes that are placed; more of them say nothing new, and a file can hold a hundred thousand.
pub(crate) const MAX_PLACED: usize = 100;

/// What a person should know before a recipe runs, each as a mistake is shown; an empty text where there is nothing.
pub fn render_warnings(warnings: &[RecipeError], coloured: bool) -> String {
    render::warnings(warnings, coloured)
}

/// All mistakes found in a recipe, in the order in which they stand. At least one.
#[derive(Debug)]
pub struct RecipeErrors {
    errors: Vec<RecipeError>,
    /// Mistakes that were counted only.
    more: usize,
}

impl RecipeErrors {
    /// These mistakes, sorted by place; none if there are none.
    pub fn of(errors: Vec<RecipeError>) -> Result<(), Self> {
        Self::and_more(errors, 0)
    }

    /// Like [`RecipeErrors::of`], with so many more that were counted only.
    pub(crate) fn and_more(mut errors: Vec<RecipeError>, more: usize) -> Result<(), Self> {
        errors.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        if errors.is_empty() { Ok(()) } else { Err(Self { errors, more }) }
    }

    /// A single mistake.
    pub(crate) fn one(error: RecipeError) -> Self {
        Self { errors: vec![error], more: 0 }
    }

    /// The mistakes.
    pub fn errors(&self) -> &[RecipeError] {
        &self.errors
    }

    /// The mistakes, to be sorted among others.
    pub fn into_errors(self) -> Vec<RecipeError> {
        self.errors
    }

    /// All mistakes as a person reads them, with colours for a terminal if asked for.
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
