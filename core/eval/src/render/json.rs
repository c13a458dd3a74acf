//! JSON with one line per matrix row, which keeps diffs readable.

use serde::Serialize;
use serde_json::Value;

use crate::EvalError;

/// Indented JSON with arrays of scalars on one line and a line feed at the end.
pub(crate) fn json(value: &impl Serialize) -> Result<String, EvalError> {
    let value = serde_json::to_value(value).map_err(EvalError::Unwritable)?;
    let mut text = String::new();
    write(&mut text, &value, 0);
    text.push('\n');
    Ok(text)
}

fn write(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            text.push_str(&format!("[{}]", items.join(", ")));
        }
        Value::Array(items) => {
            let lines = items.iter().map(|item| (None, item));
            write_lines(text, ['[', ']'], lines, depth);
        }
        Value::Object(entries) if entries.is_empty() => text.push_str("{}"),
        Value::Object(entries) => {
            let lines = entries.iter().map(|(key, item)| (Some(key), item));
            write_lines(text, ['{', '}'], lines, depth);
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn write_lines<'a>(
    text: &mut String,
    brackets: [char; 2],
    lines: impl Iterator<Item = (Option<&'a String>, &'a Value)>,
    depth: usize,
) {
    text.push(brackets[0]);
    let mut comma = "";
    for (key, item) in lines {
        text.push_str(comma);
        comma = ",";
        text.push('\n');
        text.push_str(&"  ".repeat(depth + 1));
        if let Some(key) = key {
            // `Display` of a JSON string escapes it.
            text.push_str(&format!("{}: ", Value::String(key.clone())));
        }
        write(text, item, depth + 1);
    }
    text.push('\n');
    text.push_str(&"  ".repeat(depth));
    text.push(brackets[1]);
}
