//! Exports a table as CSV (RFC 4180): CRLF line ends, quotes where needed, numbers in full precision. A gap is an
//! empty field; an empty string is a quoted one.

use std::path::Path;

use cadre_store::write_atomic;

use crate::{RunsError, Table, Value};

/// Writes a table to a CSV file, with the keys as the header line.
///
/// # Errors
/// If the file cannot be written.
pub fn export_csv(table: &Table, path: &Path) -> Result<(), RunsError> {
    Ok(write_atomic(path, csv(table).as_bytes())?)
}

fn csv(table: &Table) -> String {
    let mut text = String::new();
    let mut line = |fields: &mut dyn Iterator<Item = String>| {
        for (index, field) in fields.enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&field);
        }
        text.push_str("\r\n");
    };
    line(&mut table.columns.iter().map(|name| quoted(name)));
    for row in &table.rows {
        line(&mut row.iter().map(|cell| match cell {
            None => String::new(),
            Some(Value::Text(text)) => quoted(text),
            Some(other) => other.exact(),
        }));
    }
    text
}

fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.contains([',', '"', '\r', '\n']);
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_needed() {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let table = Table {
            columns: vec!["a".to_owned(), "b,c".to_owned(), "d".to_owned()],
            rows: vec![
                vec![text("plain ü"), text("say \"x\"\r\nand, more"), None],
                vec![Some(Value::Float(0.1)), Some(Value::Bool(true)), text("")],
            ],
        };
        let expected = "a,\"b,c\",d\r\nplain ü,\"say \"\"x\"\"\r\nand, more\",\r\n0.1,true,\"\"\r\n";
        assert_eq!(csv(&table), expected);
    }
}
