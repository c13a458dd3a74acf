//! The expanded recipe: every value, including defaults, with its origin as a comment.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::read::key_path::{KeyPath, quoted};
use crate::section::recipe::Recipe;
use crate::section::source::FieldMap;

/// Maximum column of the comments; a longer value shifts only its own comment.
const WIDEST: usize = 56;

/// The whole recipe as TOML. `origin` returns the origin of a key's value.
pub(crate) fn toml(recipe: &Recipe, origin: &dyn Fn(&KeyPath) -> String) -> String {
    let value = serde_json::to_value(recipe).unwrap_or_default();
    let mut text = String::new();
    if let Value::Object(root) = &value {
        table(&mut text, root, &KeyPath::default(), origin);
    }
    text
}

fn table(
    text: &mut String,
    table_of: &Map<String, Value>,
    path: &KeyPath,
    origin: &dyn Fn(&KeyPath) -> String,
) {
    let table_of = written_keys(table_of);
    let (inner, own): (Vec<_>, Vec<_>) =
        table_of.iter().partition(|(_, value)| value.as_object().is_some_and(|table| !table.is_empty()));
    let lines: Vec<(String, String)> = own
        .iter()
        .map(|(key, value)| {
            let line = format!("{} = {}", quoted(key), inline(value));
            (line, origin(&path.key(key)))
        })
        .collect();
    if !path.is_root() && !lines.is_empty() {
        let _ = writeln!(text, "\n[{path}]");
    }
    let widths = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= WIDEST);
    let width = widths.max().unwrap_or(0);
    for (line, origin) in &lines {
        let _ = writeln!(text, "{line:width$}  # {}", origin.replace(char::is_control, " "));
    }
    for (key, value) in inner {
        if let Value::Object(value) = value {
            table(text, value, &path.key(key), origin);
        }
    }
}

/// The keys to write: field names that the format does not have are omitted, because a recipe with them is rejected.
fn written_keys(table: &Map<String, Value>) -> Map<String, Value> {
    let mut table = table.clone();
    let default = serde_json::to_value(FieldMap::default()).ok();
    let named = table.get("format").and_then(Value::as_str).map(FieldMap::of_format);
    let Some(named) = named else { return table };
    if table.get("fields") == default.as_ref() && !named.contains(&"output") {
        table.shift_remove("fields");
    } else if let Some(Value::Object(fields)) = table.get_mut("fields") {
        fields.retain(|name, _| named.contains(&name.as_str()));
    }
    table
}

/// A value on one line.
pub(crate) fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let table = written_keys(table);
            let items = table.iter().map(|(key, value)| format!("{} = {}", quoted(key), inline(value)));
            format!("{{ {} }}", items.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => {
            // TOML would write a text with line breaks over several lines. JSON's escapes are valid in TOML.
            let written = toml::Value::String(text.clone()).to_string();
            if written.contains('\n') { value.to_string() } else { written }
        }
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(number) => toml::Value::Float(number).to_string(),
            None => number.to_string(),
        },
        Value::Bool(flag) => flag.to_string(),
        // A recipe contains no null.
        Value::Null => "\"\"".to_owned(),
    }
}
