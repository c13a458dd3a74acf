//! Layers of a single value: `--set section.key=value`, `--grid` and `CADRE__SECTION__KEY=value`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use toml::de::DeTable;

use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::recipe_error::RecipeError;
use crate::generate::expand::inline;
use crate::read::key_path::{KeyPath, Step};
use crate::read::layer::{Layer, LayerKind, LayerText, Located, Node, end_of_text, parse_value};

/// Maximum number of parts of a key on the command line or in a variable's name.
const MAX_PARTS: usize = 16;

/// Reads the argument of a `--set`: a dotted TOML key, `=`, and a TOML value; unquoted words are strings.
pub(crate) fn set(argument: &str, folder: &Path) -> Result<Layer, Box<RecipeError>> {
    let source = text(LayerKind::Set, argument.to_owned(), folder);
    let Some(equals) = equals_sign(argument) else {
        return Err(RecipeError::at_text(&source, 0..argument.len(), Mistake::NoAssignment).boxed());
    };
    let wrong = |problem| RecipeError::at_text(&source, 0..equals, problem).boxed();
    let keys = dotted(&argument[..equals]).ok_or_else(|| wrong(Mistake::NotAKey))?;
    layer(&source, keys, equals + 1)
}

/// Reads the argument of a `--grid`: a dotted key, `=`, and comma-separated values, which become the key's list
/// in `sweep.grid`.
pub(crate) fn grid(argument: &str, folder: &Path) -> Result<Layer, Box<RecipeError>> {
    let source = text(LayerKind::Grid, argument.to_owned(), folder);
    let Some(equals) = equals_sign(argument) else {
        return Err(RecipeError::at_text(&source, 0..argument.len(), Mistake::NoGrid).boxed());
    };
    let wrong = |problem| RecipeError::at_text(&source, 0..equals, problem).boxed();
    let parts = dotted(&argument[..equals]).ok_or_else(|| wrong(Mistake::NotAKey))?;
    let key = parts.iter().map(|(part, _)| part.as_str()).collect::<Vec<_>>().join(".");
    let mut values = Vec::new();
    for span in between_commas(argument, equals + 1) {
        let wrong = |(span, mistake)| {
            let error = RecipeError::at_text(&source, span, mistake);
            error.expected("comma-separated TOML values: `a,b`, `\"a,b\",\"c\"`, `[1, 2],[3]`").boxed()
        };
        let written = argument[span.clone()].trim();
        if is_unclear(written) {
            return Err(wrong((span, Mistake::NeedsQuotes { found: written.to_owned() })));
        }
        let value = assigned(&argument[..span.end], 0..equals, span.start).map_err(|(at, mistake)| {
            // A missing value is reported at its place, not at the key.
            wrong(if matches!(mistake, Mistake::NoValue) { (span.clone(), mistake) } else { (at, mistake) })
        })?;
        values.push(value);
    }
    let list = Located { key: 0..equals, span: equals + 1..argument.len(), node: Node::List(values) };
    let keys = ["sweep", "grid", &key].map(|part| (part.to_owned(), 0..equals));
    Ok(nested(&source, keys.to_vec(), list))
}

/// A value of a sweep's point, as the highest layer. `folder` is the base of its relative paths.
pub(crate) fn point(key: &KeyPath, value: &Value, folder: &Path) -> Result<Layer, Box<RecipeError>> {
    let written = format!("{key}={}", inline(value));
    let source = text(LayerKind::Point, written, folder);
    let end = key.to_string().len();
    let parts = key.0.iter().filter_map(|step| match step {
        Step::Key(part) => Some((part.clone(), 0..end)),
        Step::Place(_) => None,
    });
    layer(&source, parts.collect(), end + 1)
}

/// The spans between commas outside lists, tables and quoted texts. A quote opens a text only at the start of a value;
/// in the middle of an unquoted word it is an apostrophe.
fn between_commas(text: &str, start: usize) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut depth, mut from, mut at, mut begins) = (0usize, start, start, true);
    let mut spans = Vec::new();
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'"' | b'\'' if begins || depth > 0 => {
                at = end_of_text(bytes, at);
                begins = false;
                continue;
            }
            b'[' | b'{' if begins || depth > 0 => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                spans.push(from..at);
                from = at + 1;
            }
            _ => {}
        }
        // Within a list or a table, every quote opens a text.
        begins = depth == 0 && (byte == b',' || (begins && byte.is_ascii_whitespace()));
        at += 1;
    }
    spans.push(from..text.len());
    spans
}

/// An unquoted value in which commas are ambiguous: `f(a,b)`, `it's`.
fn is_unclear(written: &str) -> bool {
    !written.starts_with(['[', '{', '"', '\'']) && written.contains(['"', '\'', '[', ']', '{', '}', '(', ')'])
}

/// Reads a variable: `__` separates tables, `_` stands for `-`, case is ignored.
pub(crate) fn variable(name: &str, value: &str, folder: &Path) -> Result<Layer, Box<RecipeError>> {
    let source = text(LayerKind::Environment, format!("{name}={value}"), folder);
    if name.matches("__").count() > MAX_PARTS {
        let mistake = Mistake::TooDeep { deepest: MAX_PARTS };
        return Err(RecipeError::at_text(&source, 0..name.len(), mistake).boxed());
    }
    let mut keys = Vec::new();
    let mut start = "CADRE__".len();
    for part in name[start..].split("__") {
        let key = part.to_lowercase().replace('_', "-");
        if key.is_empty() {
            return Err(RecipeError::at_text(&source, 0..name.len(), Mistake::NotAVariable).boxed());
        }
        keys.push((key, start..start + part.len()));
        start += part.len() + "__".len();
    }
    layer(&source, keys, name.len() + 1)
}

fn text(kind: LayerKind, text: String, folder: &Path) -> Arc<LayerText> {
    Arc::new(LayerText::new(kind, text, folder.to_owned()))
}

/// The first `=` outside quotes.
fn equals_sign(argument: &str) -> Option<usize> {
    let mut quote = None;
    argument.bytes().position(|byte| {
        match quote {
            Some(open) if open == byte => quote = None,
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            _ => {}
        }
        quote.is_none() && byte == b'='
    })
}

/// The parts of a dotted key with their spans.
fn dotted(key: &str) -> Option<Vec<(String, Range<usize>)>> {
    if key.contains(['\n', '#']) || key.matches('.').count() > MAX_PARTS {
        return None;
    }
    let document = format!("{key}=0");
    let parsed = DeTable::parse(&document).ok()?;
    let mut keys = Vec::new();
    let mut table = parsed.get_ref();
    loop {
        let (key, value) = table.iter().next()?;
        keys.push((key.get_ref().clone().into_owned(), key.span()));
        match value.get_ref().as_table() {
            Some(inner) => table = inner,
            None => return Some(keys),
        }
    }
}

fn layer(
    source: &Arc<LayerText>,
    keys: Vec<(String, Range<usize>)>,
    offset: usize,
) -> Result<Layer, Box<RecipeError>> {
    let last = keys.last().map_or(0..0, |(_, span)| span.clone());
    let located = assigned(&source.text, last, offset)
        .map_err(|(span, mistake)| RecipeError::at_text(source, span, mistake).boxed())?;
    Ok(nested(source, keys, located))
}

/// A layer of one value below its keys.
fn nested(source: &Arc<LayerText>, keys: Vec<(String, Range<usize>)>, value: Located) -> Layer {
    let mut located = value;
    let mut names = keys.into_iter().rev().peekable();
    let mut root = BTreeMap::new();
    while let Some((name, _)) = names.next() {
        let table = BTreeMap::from([(name, located)]);
        match names.peek() {
            None => {
                root = table;
                break;
            }
            Some((_, key)) => {
                located = Located { key: key.clone(), span: key.clone(), node: Node::Table(table) };
            }
        }
    }
    Layer { source: source.clone(), root: Arc::new(root) }
}

/// A TOML value, or an unquoted word: any text that is not valid TOML and does not open a list, table or string, and
/// dates.
fn assigned(text: &str, key: Range<usize>, offset: usize) -> Result<Located, (Range<usize>, Mistake)> {
    let written = &text[offset..];
    let value = written.trim();
    let start = offset + (written.len() - written.trim_start().len());
    if value.is_empty() {
        return Err((key, Mistake::NoValue));
    }
    parse_value(value, key.clone(), start).or_else(|(span, mistake)| {
        let number = value.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '+');
        let bare = match &mistake {
            Mistake::Syntax { .. } => !value.starts_with(['[', '{', '"', '\'']),
            Mistake::Date { .. } => true,
            Mistake::TooDeep { .. } => !number,
            _ => false,
        };
        if bare {
            let node = Node::Leaf(Value::from(value));
            Ok(Located { key, span: start..start + value.len(), node })
        } else {
            Err((span, mistake))
        }
    })
}
