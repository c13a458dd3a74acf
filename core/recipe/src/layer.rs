//! One layer of a recipe: the values of a file, an environment variable or a `--set`, each with its place in the text.
//! It never decides which layer wins.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use figment::value::{Dict, Map};
use figment::{Metadata, Profile, Provider};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::key_path::{KeyPath, Step};
use crate::mistake::Mistake;

/// The text a layer was read from.
#[derive(Debug)]
pub(crate) struct LayerText {
    pub(crate) kind: LayerKind,
    pub(crate) text: String,
    /// Where the relative paths of this layer start.
    pub(crate) folder: PathBuf,
}

/// What kind of layer, lowest first.
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
    /// A value of a sweep's point.
    Point,
}

impl LayerText {
    /// The layer in words, without a line.
    pub(crate) fn name(&self) -> String {
        match &self.kind {
            LayerKind::File { shown, .. } => shown.clone(),
            LayerKind::Environment => "the environment".to_owned(),
            LayerKind::Set => "--set".to_owned(),
            LayerKind::Grid => "--grid".to_owned(),
            LayerKind::Point => "the sweep's point".to_owned(),
        }
    }

    /// The place of a byte: the file and its line, or the whole of a variable or `--set`.
    pub(crate) fn at(&self, byte: usize) -> String {
        match &self.kind {
            LayerKind::File { shown, .. } => format!("{shown}:{}", self.line_and_column(byte).0),
            LayerKind::Environment => format!("environment {}", self.text),
            LayerKind::Set => format!("--set {}", self.text),
            LayerKind::Grid => format!("--grid {}", self.text),
            LayerKind::Point => format!("the sweep's point {}", self.text),
        }
    }

    /// Line and column of a byte, from 1; columns count characters.
    pub(crate) fn line_and_column(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
    }
}

/// A value with its place in the text of its layer.
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

    /// Where to point for the value itself: a table of its own header by its name, all else by its text.
    pub(crate) fn value_span(&self, text: &str) -> Range<usize> {
        let inline = text.get(self.span.clone()).is_some_and(|value| value.starts_with('{'));
        if matches!(self.node, Node::Table(_)) && !inline { self.key.clone() } else { self.span.clone() }
    }
}

/// All values of one layer.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) source: Arc<LayerText>,
    /// Shared by the recipes of a sweep, until one of them changes its own.
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

    /// Drops keys of the table at `path`, if it is there.
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

/// A mistake at its place in a text.
pub(crate) type Misplaced = (Range<usize>, Mistake);

/// The longest key, in parts. Deeper ones are refused before they are parsed, because every part is a table in a table.
const DEEPEST: usize = 128;

/// Reads a TOML document; what is wrong with it comes beside what could be read.
pub(crate) fn parse(text: &str) -> (BTreeMap<String, Located>, Vec<Misplaced>) {
    if let Some(span) = too_deep(text) {
        return (BTreeMap::new(), vec![(span, Mistake::TooDeep { deepest: DEEPEST })]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<_> = errors
        .iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            (span, Mistake::Syntax { problem: error.message().to_owned() })
        })
        .collect();
    let mut of_values = Vec::new();
    let root = table(document.get_ref(), &mut of_values);
    // What the parser put in place of broken text is not a mistake of its own.
    of_values.retain(|(span, _)| mistakes.iter().all(|(broken, _)| broken.start != span.start));
    mistakes.extend(of_values);
    (root, mistakes)
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
    let mut located = value(parsed.get_ref(), key, parsed.span(), &mut mistakes);
    shift(&mut located, offset);
    match mistakes.into_iter().next() {
        Some((span, mistake)) => Err((shifted(span, offset), mistake)),
        None => Ok(located),
    }
}

fn shifted(span: Range<usize>, offset: usize) -> Range<usize> {
    span.start + offset..span.end + offset
}

/// Moves the places inside a value; its own key is in the layer's text already.
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

/// The first run of key characters with too many dots.
fn too_deep(text: &str) -> Option<Range<usize>> {
    let in_key = |byte: u8| byte.is_ascii_alphanumeric() || b"-_. \t\"'".contains(&byte);
    let (mut start, mut dots) = (0, 0);
    for (at, byte) in text.bytes().enumerate() {
        if !in_key(byte) {
            (start, dots) = (at + 1, 0);
        } else if byte == b'.' {
            dots += 1;
            if dots >= DEEPEST {
                return Some(start..at);
            }
        }
    }
    None
}

fn table(table: &DeTable<'_>, mistakes: &mut Vec<Misplaced>) -> BTreeMap<String, Located> {
    table
        .iter()
        .map(|(key, inner)| {
            let located = value(inner.get_ref(), key.span(), inner.span(), mistakes);
            (key.get_ref().clone().into_owned(), located)
        })
        .collect()
}

fn value(
    read: &DeValue<'_>,
    key: Range<usize>,
    span: Range<usize>,
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
        DeValue::Array(array) => Node::List(
            array
                .iter()
                .map(|inner: &Spanned<DeValue<'_>>| {
                    value(inner.get_ref(), inner.span(), inner.span(), mistakes)
                })
                .collect(),
        ),
        DeValue::Table(inner) => Node::Table(table(inner, mistakes)),
    };
    Located { key, span, node }
}
