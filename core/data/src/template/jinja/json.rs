//! The filter `tojson` as in transformers: Python's `json.dumps` with keys in their original order and without HTML
//! escapes.

use std::fmt::Write;

use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Error, State};

use super::arguments::{Arguments, integer};
use super::bounds::{TEXT, charge, refused, too_much_text};
use super::printing::float_text;
use super::symbols::Shown;

/// Maximum nesting depth of lists and dicts.
const DEPTH: usize = 100;

/// Maximum indentation per level.
const INDENT: i64 = 1000;

/// The `tojson` filter.
pub(super) fn to_json(state: &mut State, value: Value, given: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let arguments = Arguments::of_filter("tojson", &names, given)?;
    let indent = match arguments.value(1).filter(|value| !value.is_none()) {
        None => None,
        Some(text) if text.as_str().is_some() => text.as_str().map(str::to_owned),
        Some(_) => {
            let width = arguments.number(1)?.unwrap_or(0);
            if width > INDENT {
                return Err(refused(format!("`indent` of tojson is {width}; the limit is {INDENT}")));
            }
            Some(" ".repeat(usize::try_from(width).unwrap_or(0)))
        }
    };
    let separators = match arguments.value(2).filter(|value| !value.is_none()) {
        None => (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()),
        Some(pair) => {
            let texts: Vec<String> =
                pair.try_iter()?.filter_map(|text| text.as_str().map(str::to_owned)).collect();
            match <[String; 2]>::try_from(texts) {
                Ok([item, key]) => (item, key),
                Err(_) => return Err(refused("`separators` of tojson must be two texts")),
            }
        }
    };
    let mut json = Json {
        text: String::new(),
        ascii: arguments.flag(0, false),
        indent,
        separators,
        sorted: arguments.flag(3, false),
    };
    json.value(&value, 0)?;
    charge(state, json.text.len())?;
    Ok(Value::from(json.text))
}

struct Json {
    text: String,
    ascii: bool,
    indent: Option<String>,
    /// Separators between items, and between a key and its value.
    separators: (String, String),
    sorted: bool,
}

impl Json {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEPTH {
            return Err(refused(format!("a value for tojson is nested more than {DEPTH} deep (the limit)")));
        }
        if self.text.len() > TEXT {
            return Err(refused(too_much_text()));
        }
        if let Some(text) = value.as_str() {
            self.string(text);
            return Ok(());
        }
        match value.kind() {
            ValueKind::None => self.text.push_str("null"),
            ValueKind::Bool => self.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.text.push_str(&number(value)),
            ValueKind::Seq | ValueKind::Iterable if value.downcast_object_ref::<Shown>().is_none() => {
                let mut count = 0;
                self.text.push('[');
                for item in value.try_iter()?.checked() {
                    self.between(count, depth + 1);
                    self.value(&item?, depth + 1)?;
                    count += 1;
                }
                self.close(count, depth, ']');
            }
            ValueKind::Map => self.map(value, depth)?,
            kind => return Err(refused(format!("{kind} is not JSON serializable"))),
        }
        Ok(())
    }

    fn map(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if self.sorted {
            keys.sort();
        }
        self.text.push('{');
        for (count, key) in keys.iter().enumerate() {
            self.between(count, depth + 1);
            match (key.as_str(), key.kind()) {
                (Some(text), _) => self.string(text),
                (None, ValueKind::None) => self.text.push_str("\"null\""),
                (None, ValueKind::Bool) => {
                    self.text.push_str(if key.is_true() { "\"true\"" } else { "\"false\"" });
                }
                (None, ValueKind::Number) => {
                    let number = number(key);
                    self.string(&number);
                }
                (None, kind) => return Err(refused(format!("a JSON key cannot be {kind}"))),
            }
            let colon = self.separators.1.clone();
            self.text.push_str(&colon);
            self.value(&value.get_item(key)?, depth + 1)?;
        }
        self.close(keys.len(), depth, '}');
        Ok(())
    }

    /// Writes the separator before the item with this index.
    fn between(&mut self, count: usize, depth: usize) {
        if count > 0 {
            self.text.push_str(&self.separators.0);
        }
        self.line(depth);
    }

    fn close(&mut self, count: usize, depth: usize, bracket: char) {
        if count > 0 {
            self.line(depth);
        }
        self.text.push(bracket);
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.text.push('\n');
            for _ in 0..depth {
                self.text.push_str(indent);
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                c if c < ' ' || (self.ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        // Writing to a string cannot fail.
                        let _ = write!(self.text, "\\u{unit:04x}");
                    }
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

fn number(value: &Value) -> String {
    if integer(value).is_some() {
        return value.to_string();
    }
    match f64::try_from(value.clone()) {
        Ok(number) if number.is_nan() => "NaN".into(),
        Ok(number) if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        Ok(number) => float_text(number),
        Err(_) => value.to_string(),
    }
}
