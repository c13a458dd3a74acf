//! A layer of a recipe: the values of a file, an environment variable or a `--set`, each with its span in the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use figment::value::{Dict, Map};
use figment::{Metadata, Profile, Provider};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::expectation::expected;
use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::recipe_error::MAX_PLACED;
use crate::diagnostics::syntax::{self, SyntaxError};
use crate::generate::schema::lookup;
use crate::read::key_path::{KeyPath, Step};

/// Prefix of the location of a value that an environment variable sets.
pub(crate) const ENVIRONMENT: &str = "environment ";
/// Maximum number of characters of a variable's or `--set`'s value in a location.
const LONGEST_VALUE: usize = 60;

/// The source text of a layer.
#[derive(Debug)]
pub(crate) struct LayerText {
    pub(crate) kind: LayerKind,
    pub(crate) text: String,
    /// The base folder of the relative paths of this layer.
    pub(crate) folder: PathBuf,
    /// Byte offsets of its lines, computed on demand.
    lines: OnceLock<Vec<usize>>,
}

/// The kind of a layer, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LayerKind {
    /// An inherited file, or the recipe itself.
    File { shown: String, inherited: bool },
    /// An environment variable.
    Environment,
    /// A `--set`.
    Set,
    /// A `--grid`: a list of values of a key.
    Grid,
    /// A value of a point of a sweep.
    Point,
}

impl LayerText {
    pub(crate) fn new(kind: LayerKind, text: String, folder: PathBuf) -> Self {
        Self { kind, text, folder, lines: OnceLock::new() }
    }

    /// The name of the layer, without a line.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            LayerKind::File { shown, .. } => shown.clone(),
            LayerKind::Environment => "the environment".to_owned(),
            LayerKind::Set => "--set".to_owned(),
            LayerKind::Grid => "--grid".to_owned(),
            LayerKind::Point => "the sweep's point".to_owned(),
        }
    }

    /// The location of a byte: the file and its line, or the variable or `--set`.
    pub(crate) fn at(&self, byte: usize) -> String {
        match &self.kind {
            LayerKind::File { shown, .. } => format!("{shown}:{}", self.line_and_column(byte).0),
            LayerKind::Environment => format!("{ENVIRONMENT}{}", self.short()),
            LayerKind::Set => format!("--set {}", self.short()),
            LayerKind::Grid => format!("--grid {}", self.short()),
            LayerKind::Point => format!("the sweep's point {}", self.short()),
        }
    }

    /// The assignment, its value truncated if it is long.
    fn short(&self) -> String {
        let (key, value) = self.text.split_once('=').unwrap_or((&self.text, ""));
        let mut shown: String = value.chars().take(LONGEST_VALUE).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        if self.text.contains('=') { format!("{key}={shown}") } else { key.to_owned() }
    }

    /// Line and column of a byte, from 1; columns count characters.
    pub(crate) fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let line = self.starts().partition_point(|start| *start <= byte).max(1);
        let before = self.text.get(self.starts()[line - 1]..byte).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The text of a line, counted from 1, without its end.
    pub(crate) fn line(&self, line: usize) -> &str {
        let start = self.starts().get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        self.text[start..].lines().next().unwrap_or_default()
    }

    fn starts(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let ends = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect()
        })
    }
}

/// A value with its span in the text of its layer.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub(crate) key: Range<usize>,
    pub(crate) span: Range<usize>,
    pub(crate) node: Node,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Table(BTreeMap<String, Located>),
    List(Vec<Located>),
    Leaf(Value),
}

impl Located {
    pub(crate) fn to_json(&self) -> Value {
        match &self.node {
            Node::Table(table) => table.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
            Node::List(list) => list.iter().map(Self::to_json).collect(),
            Node::Leaf(leaf) => leaf.clone(),
        }
    }

    /// The span to underline for the value: the name of a table with a header, otherwise the text of the value.
    pub(crate) fn value_span(&self, text: &str) -> Range<usize> {
        let inline = text.get(self.span.clone()).is_some_and(|value| value.starts_with('{'));
        if matches!(self.node, Node::Table(_)) && !inline { self.key.clone() } else { self.span.clone() }
    }
}

/// All values of one layer.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) source: Arc<LayerText>,
    /// Shared by the recipes of a sweep, copied on write.
    pub(crate) root: Arc<BTreeMap<String, Located>>,
}

impl Layer {
    pub(crate) fn find(&self, path: &KeyPath) -> Option<&Located> {
        let (Step::Key(first), rest) = path.0.split_first()? else {
            return None;
        };
        rest.iter().try_fold(self.root.get(first)?, |value, step| match (step, &value.node) {
            (Step::Key(key), Node::Table(table)) => table.get(key),
            (Step::Place(place), Node::List(list)) => list.get(*place),
            _ => None,
        })
    }

    /// The key whose values a `--grid` lists.
    pub(crate) fn grid_key(&self) -> Option<&str> {
        if self.source.kind != LayerKind::Grid {
            return None;
        }
        match &self.find(&KeyPath::of("sweep.grid"))?.node {
            Node::Table(keys) => keys.keys().next().map(String::as_str),
            _ => None,
        }
    }

    /// Keeps only some keys of the table at `path`, if it exists.
    pub(crate) fn retain(&mut self, path: &KeyPath, kept: impl Fn(&str) -> bool) {
        let goes = |table: &BTreeMap<String, Located>| table.keys().any(|key| !kept(key));
        if !matches!(self.find(path).map(|found| &found.node), Some(Node::Table(table)) if goes(table)) {
            return;
        }
        let table = path.0.iter().try_fold(Arc::make_mut(&mut self.root), |table, step| match step {
            Step::Key(key) => match &mut table.get_mut(key)?.node {
                Node::Table(inner) => Some(inner),
                _ => None,
            },
            Step::Place(_) => None,
        });
        if let Some(table) = table {
            table.retain(|key, _| kept(key));
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source.name())
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.name())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut dict = Dict::new();
        for (key, value) in &*self.root {
            dict.insert(key.clone(), figment::value::Value::serialize(value.to_json())?);
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// An error with its span in a text.
pub(crate) type Misplaced = (Range<usize>, Mistake);

/// Maximum nesting of tables, lists and parts of a key, each of which is a nested table. Keys with more parts are
/// rejected before they are parsed. Recipes need nine levels.
pub(crate) const DEEPEST: usize = 32;

/// An error of a document, with a hint where the kind of error suggests one.
pub(crate) type Hinted = (Range<usize>, Mistake, Option<String>);

/// Reads a TOML document; returns its errors along with the values that could be read. `name` is that of its file.
pub(crate) fn parse(name: &str, text: &str) -> (BTreeMap<String, Located>, Vec<Hinted>) {
    if let Some(span) = too_deep(text) {
        return (BTreeMap::new(), vec![(span, Mistake::TooDeep { deepest: DEEPEST }, None)]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let errors: Vec<(Range<usize>, String)> =
        errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message().to_owned())).collect();
    let mut of_values = Vec::new();
    let root = table(document.get_ref(), 1, &mut of_values);
    // Values that the parser substitutes for broken text are not errors of their own.
    let broken: BTreeSet<usize> = errors.iter().map(|(span, _)| span.start).collect();
    of_values.retain(|(span, mistake)| match mistake {
        Mistake::TooDeep { .. } => !broken.contains(&span.start),
        _ => broken.range(span.start..=span.end).next().is_none(),
    });
    let mut mistakes: Vec<Hinted> = syntax::explain(name, text, errors)
        .into_iter()
        .map(|SyntaxError { span, problem, hint }| (span, Mistake::Syntax { problem }, hint))
        .collect();
    mistakes.extend(of_values.into_iter().enumerate().map(|(place, (span, mistake))| {
        let range = if place < MAX_PLACED { range_at(&root, &span) } else { None };
        (span, mistake, range)
    }));
    (root, mistakes)
}

/// The range of the key whose value is at `span`, from the schema.
fn range_at(root: &BTreeMap<String, Located>, span: &Range<usize>) -> Option<String> {
    fn path_to(table: &BTreeMap<String, Located>, path: &KeyPath, span: &Range<usize>) -> Option<KeyPath> {
        table.iter().find_map(|(key, value)| match &value.node {
            _ if value.span == *span => Some(path.key(key)),
            Node::Table(inner) => path_to(inner, &path.key(key), span),
            Node::List(_) | Node::Leaf(_) => None,
        })
    }
    let path = path_to(root, &KeyPath::default(), span)?;
    lookup(&path).map(|node| format!("`{path}` takes {}", expected(node)))
}

/// Reads one TOML value that begins at `offset` in its layer's text.
pub(crate) fn parse_value(text: &str, key: Range<usize>, offset: usize) -> Result<Located, Misplaced> {
    if let Some(span) = too_deep(text) {
        return Err((shifted(span, offset), Mistake::TooDeep { deepest: DEEPEST }));
    }
    let parsed = DeValue::parse(text).map_err(|error| {
        let span = shifted(error.span().unwrap_or(0..0), offset);
        (span, Mistake::Syntax { problem: error.message().to_owned() })
    })?;
    let mut mistakes = Vec::new();
    let mut located = value(parsed.get_ref(), key, parsed.span(), 1, &mut mistakes);
    shift(&mut located, offset);
    match mistakes.into_iter().next() {
        Some((span, mistake)) => Err((shifted(span, offset), mistake)),
        None => Ok(located),
    }
}

fn shifted(span: Range<usize>, offset: usize) -> Range<usize> {
    span.start + offset..span.end + offset
}

/// Shifts the spans inside a value. The span of its own key already refers to the layer's text.
fn shift(located: &mut Located, offset: usize) {
    located.span = shifted(located.span.clone(), offset);
    let inner: Vec<&mut Located> = match &mut located.node {
        Node::Table(table) => table.values_mut().collect(),
        Node::List(list) => list.iter_mut().collect(),
        Node::Leaf(_) => Vec::new(),
    };
    for value in inner {
        value.key = shifted(value.key.clone(), offset);
        shift(value, offset);
    }
}

/// The first key with too many parts: a sequence of key characters and dots, outside texts and comments.
fn too_deep(text: &str) -> Option<Range<usize>> {
    let in_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_. \t".contains(&byte);
    let bytes = text.as_bytes();
    let (mut start, mut dots, mut at) = (0, 0, 0);
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            // A quoted part belongs to the key.
            b'"' | b'\'' => {
                at = end_of_text(bytes, at);
                continue;
            }
            b'#' => at += bytes[at..].iter().take_while(|byte| **byte != b'\n').count(),
            _ => {}
        }
        if bytes.get(at).is_none_or(|byte| !in_key(*byte)) {
            (start, dots) = (at + 1, 0);
        } else if byte == b'.' {
            dots += 1;
            if dots >= DEEPEST {
                return Some(start..at);
            }
        }
        at += 1;
    }
    None
}

/// The end of the quoted text that begins at `at`, or the end of its line if it is not closed.
pub(crate) fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let long = bytes[at..].starts_with(&[quote; 3]);
    let width = if long { 3 } else { 1 };
    let mut at = at + width;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !long => return at,
            _ if bytes[at..].starts_with(&[quote; 3][..width]) => return at + width,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn table(table: &DeTable<'_>, depth: usize, mistakes: &mut Vec<Misplaced>) -> BTreeMap<String, Located> {
    table
        .iter()
        .map(|(key, inner)| {
            let located = value(inner.get_ref(), key.span(), inner.span(), depth, mistakes);
            (key.get_ref().clone().into_owned(), located)
        })
        .collect()
}

fn value(
    read: &DeValue<'_>,
    key: Range<usize>,
    span: Range<usize>,
    depth: usize,
    mistakes: &mut Vec<Misplaced>,
) -> Located {
    let mut leaf = |read: Option<Value>, mistake: Mistake| {
        let value = read.unwrap_or_else(|| {
            mistakes.push((span.clone(), mistake));
            Value::Null
        });
        Node::Leaf(value)
    };
    let node = match read {
        DeValue::String(text) => Node::Leaf(Value::from(text.as_ref())),
        DeValue::Boolean(flag) => Node::Leaf(Value::from(*flag)),
        DeValue::Integer(number) => leaf(
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from),
            Mistake::TooLarge { found: number.to_string() },
        ),
        DeValue::Float(number) => leaf(
            number.as_str().parse().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
            Mistake::NotFinite { found: number.to_string() },
        ),
        DeValue::Datetime(date) => leaf(None, Mistake::Date { found: date.to_string() }),
        DeValue::Array(_) | DeValue::Table(_) if depth > DEEPEST => {
            leaf(None, Mistake::TooDeep { deepest: DEEPEST })
        }
        DeValue::Array(array) => Node::List(
            array
                .iter()
                .map(|inner: &Spanned<DeValue<'_>>| {
                    value(inner.get_ref(), inner.span(), inner.span(), depth + 1, mistakes)
                })
                .collect(),
        ),
        DeValue::Table(inner) => Node::Table(table(inner, depth + 1, mistakes)),
    };
    Located { key, span, node }
}
