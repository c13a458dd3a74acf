//! Rows of named fields from any kind of file: JSON lines, a JSON array, CSV, Parquet. Every error gives the file and
//! the line or row. Fields that have a meaning but are not read are noted. Which fields a row needs is up to each
//! format.

use std::path::Path;

use super::cell::{Cell, show_record};
use super::json::pieces::{self, Division};
use super::json::python::{Fault, JsonReader};
use super::sink::Sink;
use super::{csv_rows, json_rows, opened, parquet_file};
use crate::error::DataError;

/// Endings of files of rows, in the order in which they are tried.
pub(crate) const ENDINGS: &[&str] = &["jsonl", "json", "csv", "tsv", "parquet"];
/// Endings of text files.
pub(super) const TEXT_ENDINGS: &[&str] = &["jsonl", "json", "csv", "tsv"];
/// Endings of JSON files.
pub(super) const JSON_ENDINGS: &[&str] = &["jsonl", "json"];
/// Ending of Parquet files.
pub(super) const PARQUET_ENDINGS: &[&str] = &["parquet"];

/// Fields that change the meaning of a row for its author. If a format does not read one and a row has a value in it,
/// this is noted.
pub(super) const MEANING: [&str; 19] = [
    "system",
    "history",
    "tools",
    "tool_calls",
    "functions",
    "weight",
    "train",
    "images",
    "image",
    "videos",
    "video",
    "audios",
    "audio",
    "chosen",
    "rejected",
    "kto_tag",
    "outputs",
    "loss_mask",
    "function_call",
];

/// Maximum number of names in a message.
const LISTED: usize = 20;

/// A field that a format reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Whether every row must have it.
    pub(super) must: bool,
}

/// An optional field.
pub(super) const fn maybe(name: &str) -> Wanted<'_> {
    Wanted { name, must: false }
}

/// A required field.
pub(super) const fn must(name: &str) -> Wanted<'_> {
    Wanted { name, must: true }
}

/// A row and its location.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// The file.
    pub(super) file: &'a Path,
    place: Place,
    /// Line number in a JSON file, row number in any other file; from 1.
    pub(super) number: usize,
    /// Columns of a file that has columns; rows of JSON may each have different fields.
    columns: Option<&'a [String]>,
    fields: Vec<(String, Cell)>,
    others: Vec<(String, bool)>,
    twice: Option<String>,
}

/// Location of a row, counted from 1.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// The line on which the row begins.
    Line(usize),
    /// The row number in a table.
    Row(usize),
}

impl<'a> Row<'a> {
    pub(super) fn new(file: &'a Path, place: Place, number: usize, columns: Option<&'a [String]>) -> Self {
        Self { file, place, number, columns, fields: Vec::new(), others: Vec::new(), twice: None }
    }

    /// Adds a field. Its value is kept only if the field is wanted.
    pub(super) fn put(&mut self, name: String, cell: Cell, wanted: &[Wanted]) {
        if wanted.iter().any(|wanted| wanted.name == name) {
            if self.fields.iter().any(|(known, _)| *known == name) {
                self.twice = Some(name.clone());
            }
            self.fields.push((name, cell));
        } else {
            self.others.push((name, cell.is_filled()));
        }
    }

    /// The value of a field; `None` if the field is missing or null, because tables must write something for a missing
    /// value.
    pub(super) fn get(&self, name: &str) -> Option<&Cell> {
        self.cell(name).filter(|cell| **cell != Cell::Null)
    }

    /// The value of a field, or `None` if the field is missing.
    fn cell(&self, name: &str) -> Option<&Cell> {
        self.fields.iter().rev().find(|(known, _)| known == name).map(|(_, cell)| cell)
    }

    /// The text of a required field.
    pub(super) fn text(&self, name: &str) -> Result<String, DataError> {
        match self.cell(name) {
            Some(cell) => cell.plain().ok_or_else(|| self.no_text(name, cell)),
            None => Err(self.wrong(&format!("field `{name}`"))),
        }
    }

    /// The text of an optional field.
    pub(super) fn text_if_any(&self, name: &str) -> Result<Option<String>, DataError> {
        if self.get(name).is_some() { self.text(name).map(Some) } else { Ok(None) }
    }

    /// The texts of a field that contains a text or a list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, DataError> {
        let Some(cell) = self.cell(name) else {
            return Err(self.wrong(&format!("field `{name}`")));
        };
        let texts = match cell {
            Cell::List(list) => list.iter().map(Cell::plain).collect::<Option<Vec<_>>>(),
            other => other.plain().map(|text| vec![text]),
        };
        texts.ok_or_else(|| {
            self.wrong(&format!("text or a list of texts in field `{name}`, not {}", odd(cell).kind()))
        })
    }

    fn no_text(&self, name: &str, cell: &Cell) -> DataError {
        self.wrong(&format!("text in field `{name}`, not {}", cell.kind()))
    }

    /// The row's own name, if it has one: `id` as text or number.
    pub(super) fn id(&self) -> Option<String> {
        match self.get("id") {
            Some(Cell::Text(id) | Cell::Number(id)) => Some(id.clone()),
            _ => None,
        }
    }

    /// Whether the row is skipped because its `weight` is 0; if so, this is noted.
    pub(super) fn left_out(&self, sink: &mut Sink) -> bool {
        match self.get("weight") {
            None => false,
            Some(weight) => match weight.plain().and_then(|text| text.parse::<f64>().ok()) {
                Some(0.0) => {
                    self.note(sink, "`weight` is 0: the row is skipped");
                    true
                }
                Some(1.0) => false,
                _ => {
                    self.note(
                        sink,
                        "`weight` is neither 0 nor 1 and is ignored: all rows have the same weight",
                    );
                    false
                }
            },
        }
    }

    /// Adds a note about this row.
    pub(super) fn note(&self, sink: &mut Sink, what: &str) {
        let place = match self.place {
            Place::Line(line) => format!(":{line}"),
            Place::Row(row) => format!(", row {row}"),
        };
        sink.note(self.file, place, what);
    }

    /// Notes fields that have a meaning but are not read, and duplicate fields.
    fn note_unread(&self, sink: &mut Sink) {
        for (name, filled) in &self.others {
            if *filled && MEANING.contains(&name.as_str()) {
                self.note(sink, &format!("field `{name}` is not read by this format"));
            }
        }
        if let Some(name) = &self.twice {
            let name = json_rows::shorten(name);
            self.note(
                sink,
                &format!("field `{name}` occurs twice in the row: the last one counts, as in Python"),
            );
        }
    }

    /// The error for this row; it lists the row's fields.
    pub(super) fn wrong(&self, expected: &str) -> DataError {
        let names: Vec<&str> = match self.columns {
            Some(columns) => columns.iter().map(String::as_str).collect(),
            None => {
                let fields = self.fields.iter().map(|(name, _)| name);
                fields.chain(self.others.iter().map(|(name, _)| name)).map(String::as_str).collect()
            }
        };
        let more = names.len().saturating_sub(LISTED);
        let listed: Vec<String> = names.iter().take(LISTED).map(|name| json_rows::shorten(name)).collect();
        let mut listed = listed.join(", ");
        if more > 0 {
            listed.push_str(&format!(" and {more} more"));
        }
        let owner = if self.columns.is_some() { "the file has the columns" } else { "the row has" };
        let expected = json_rows::on_one_line(&format!("{expected}; {owner} {listed}"));
        let mut found = String::new();
        show_record(&self.fields, &mut found, 200);
        match self.place {
            Place::Line(line) => json_rows::row_error(self.file, line, expected, &found),
            Place::Row(row) => DataError::TableRow {
                file: self.file.to_owned(),
                row,
                expected,
                snippet: json_rows::shorten(&found),
            },
        }
    }
}

/// The first value in a list that is not text, or else the value itself.
fn odd(cell: &Cell) -> &Cell {
    match cell {
        Cell::List(list) => list.iter().find(|cell| cell.plain().is_none()).unwrap_or(cell),
        other => other,
    }
}

/// Called with every row.
pub(super) type Each<'a> = &'a mut dyn FnMut(&Row, &mut Sink) -> Result<(), DataError>;

/// Passes every row of a file to `act`, with the wanted fields. The file's ending determines its type. A required
/// column that a table lacks is reported before any row.
pub(super) fn each(file: &Path, wanted: &[Wanted], sink: &mut Sink, act: Each) -> Result<(), DataError> {
    let mut act = |row: &Row, sink: &mut Sink| {
        row.note_unread(sink);
        act(row, sink)
    };
    const EXPECTED: &str = "rows of named fields";
    match opened::ending(file) {
        Some("parquet") => {
            let bytes = opened::raw(file, EXPECTED)?;
            parquet_file::each(file, bytes, wanted, sink, &mut act)
        }
        Some("csv") => {
            csv_rows::each(file, &mut *opened::open(file, EXPECTED)?, b',', wanted, sink, &mut act)
        }
        Some("tsv") => {
            csv_rows::each(file, &mut *opened::open(file, EXPECTED)?, b'\t', wanted, sink, &mut act)
        }
        ending => {
            let division = if ending == Some("jsonl") { Division::Lines } else { Division::ArrayOrLines };
            each_json(file, &mut *opened::open(file, EXPECTED)?, division, wanted, sink, &mut act)
        }
    }
}

/// Passes every row of a JSON text to `act`.
pub(super) fn each_json(
    file: &Path,
    from: &mut dyn std::io::BufRead,
    division: Division,
    wanted: &[Wanted],
    sink: &mut Sink,
    act: Each,
) -> Result<(), DataError> {
    pieces::each(file, from, division, &mut |line, bytes| {
        let mut row = Row::new(file, Place::Line(line), line, None);
        read_object(bytes, &mut row, wanted).map_err(|fault| located(file, line, bytes, &fault, division))?;
        act(&row, sink)?;
        Ok(!sink.is_full())
    })
}

/// Reads the fields of an object, which must be all that these bytes contain.
fn read_object(bytes: &[u8], row: &mut Row, wanted: &[Wanted]) -> Result<(), Fault> {
    let mut reader = JsonReader::new(bytes)?;
    if reader.peek() == Some(b'[') {
        let problem =
            "the line begins an array; the name of a file with one JSON array must end in .json".to_owned();
        return Err(Fault { at: 0, problem });
    }
    read_fields(&mut reader, row, wanted)?;
    reader.end()
}

/// Reads the fields of the next object.
pub(super) fn read_fields(reader: &mut JsonReader, row: &mut Row, wanted: &[Wanted]) -> Result<(), Fault> {
    let at = reader.place();
    if reader.peek() != Some(b'{') {
        reader.skip()?;
        return Err(Fault { at, problem: "not an object".to_owned() });
    }
    reader.object(|reader, key| {
        if wanted.iter().any(|wanted| wanted.name == key) {
            let cell = reader.value()?;
            row.put(key, cell, wanted);
        } else {
            let filled = reader.skip()?;
            row.others.push((key, filled));
        }
        Ok(())
    })
}

/// Converts a fault in a row to an error with line and column.
pub(super) fn located(
    file: &Path,
    first: usize,
    bytes: &[u8],
    fault: &Fault,
    division: Division,
) -> DataError {
    let (line, column, snippet) = json_rows::spot(bytes, fault.at);
    let ends = fault.problem.contains("the text ends");
    let advice = if ends && division == Division::Lines { "; a row must be on a single line" } else { "" };
    let expected = format!("a JSON object ({}, column {column}{advice})", fault.problem);
    json_rows::row_error(file, first + line, expected, &snippet)
}
