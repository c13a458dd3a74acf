//! Rows of named fields, whatever file they lie in: JSON lines, a JSON array, Parquet. Every mistake is told with its
//! file and line or row. Knows no format: which fields a row should have is its reader's business.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{json_array, json_rows, parquet_file};
use crate::error::DataError;

/// Endings of files with rows, in the order in which they are looked for.
pub(super) const ENDINGS: &[&str] = &["jsonl", "json", "parquet"];
/// Those of JSON.
pub(super) const JSON_ENDINGS: &[&str] = &["jsonl", "json"];
/// That of Parquet.
pub(super) const PARQUET_ENDINGS: &[&str] = &["parquet"];

/// A field that a reader asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Whether every row must have it.
    pub(super) must: bool,
}

/// The rows of one file.
#[derive(Debug)]
pub(super) struct Table {
    file: PathBuf,
    /// The columns of a file that has such; rows of JSON may each have fields of their own.
    columns: Option<Vec<String>>,
    rows: Vec<(usize, Map<String, Value>)>,
}

impl Table {
    /// Reads a file. Of a Parquet file only the columns that are wanted are read, and one that must be there and is
    /// not is told before any row; rows of JSON come with all their fields.
    pub(super) fn read(file: &Path, wanted: &[Wanted]) -> Result<Self, DataError> {
        Self::parse(file, json_rows::read(file, "rows of named fields")?, wanted)
    }

    /// The rows in these bytes; the ending of `file` says what they are.
    pub(super) fn parse(file: &Path, bytes: Vec<u8>, wanted: &[Wanted]) -> Result<Self, DataError> {
        if file.extension().is_some_and(|ending| ending == "parquet") {
            let (columns, rows) = parquet_file::parse(file, bytes, wanted)?;
            let rows = rows.into_iter().enumerate().map(|(place, row)| (place + 1, row)).collect();
            return Ok(Self { file: file.to_owned(), columns: Some(columns), rows });
        }
        let array = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
            && file.extension().is_none_or(|ending| ending != "jsonl");
        let rows = if array {
            json_array::parse(file, &bytes, "a JSON array of objects")?
        } else {
            json_rows::parse_lines(file, &bytes, "a JSON object")?
        };
        Ok(Self { file: file.to_owned(), columns: None, rows })
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows, in the order of the file.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(number, fields)| Row { table: self, number: *number, fields })
    }
}

/// One row and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    /// Its line in a JSON file, its place among the rows of a Parquet file; from 1.
    pub(super) number: usize,
    fields: &'a Map<String, Value>,
}

impl<'a> Row<'a> {
    /// A field, if it is there and not null: tables have to write something where a value is missing.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Whether the row, or the table it is of, has this field at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<String, DataError> {
        match self.get(name).map(plain) {
            Some(Some(text)) => Ok(text),
            Some(None) => Err(self.wrong(&format!("text in field `{name}`"))),
            None if self.has(name) => Err(self.wrong(&format!("text in field `{name}`"))),
            None => Err(self.wrong(&format!("field `{name}`"))),
        }
    }

    /// A text that may be missing.
    pub(super) fn text_if_any(&self, name: &str) -> Result<Option<String>, DataError> {
        if self.get(name).is_some() { self.text(name).map(Some) } else { Ok(None) }
    }

    /// Its own name, where it has one: `id` as text or number.
    pub(super) fn id(&self) -> Option<String> {
        match self.get("id") {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Number(id)) => Some(id.to_string()),
            _ => None,
        }
    }

    /// What is wrong with this row, with the fields that it has.
    pub(super) fn wrong(&self, expected: &str) -> DataError {
        let fields = match &self.table.columns {
            Some(columns) => format!("the file has the columns {}", columns.join(", ")),
            None => {
                let fields: Vec<&str> = self.fields.keys().map(String::as_str).collect();
                format!("the row has {}", fields.join(", "))
            }
        };
        let expected = json_rows::on_one_line(&format!("{expected}; {fields}"));
        let found = Value::Object(self.fields.clone()).to_string();
        match &self.table.columns {
            None => json_rows::row_error(&self.table.file, self.number, expected, &found),
            Some(_) => DataError::TableRow {
                file: self.table.file.clone(),
                row: self.number,
                expected,
                snippet: json_rows::shorten(&found),
            },
        }
    }
}

/// Strings as they are; numbers and truth values as JSON writes them, since labels are often such.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
