//! Rows of named fields, whatever file they lie in: JSON lines, a JSON array, CSV, Parquet. Every mistake is told with its
//! file and line or row, and what a row has beside the fields that are read is told where it carries meaning. Knows no
//! format: which fields a row should have is its reader's business.

use std::path::Path;

use super::cell::{Cell, show_record};
use super::json::pieces::{self, Division};
use super::json::python::{Fault, JsonReader};
use super::sink::Sink;
use super::{csv_rows, json_rows, opened, parquet_file};
use crate::error::DataError;

/// Endings of files with rows, in the order in which they are looked for.
pub(crate) const ENDINGS: &[&str] = &["jsonl", "json", "csv", "tsv", "parquet"];
/// Those of text.
pub(super) const TEXT_ENDINGS: &[&str] = &["jsonl", "json", "csv", "tsv"];
/// Those of JSON.
pub(super) const JSON_ENDINGS: &[&str] = &["jsonl", "json"];
/// That of Parquet.
pub(super) const PARQUET_ENDINGS: &[&str] = &["parquet"];

/// Fields that change what a row means to whoever wrote it. Where a format does not read one and a row has something in
/// it, that is told.
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

/// Names that a message lists.
const LISTED: usize = 20;

/// A field that a reader asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Whether every row must have it.
    pub(super) must: bool,
}

/// A field that may be missing.
pub(super) const fn maybe(name: &str) -> Wanted<'_> {
    Wanted { name, must: false }
}

/// A field that every row must have.
pub(super) const fn must(name: &str) -> Wanted<'_> {
    Wanted { name, must: true }
}

/// One row and where it stands.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// The file.
    pub(super) file: &'a Path,
    place: Place,
    /// Its line in a JSON file, its place among the rows of any other; from 1.
    pub(super) number: usize,
    /// The columns of a file that has such; rows of JSON may each have fields of their own.
    columns: Option<&'a [String]>,
    fields: Vec<(String, Cell)>,
    others: Vec<(String, bool)>,
    twice: Option<String>,
}

/// Where a row stands, from 1.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// The line it begins on.
    Line(usize),
    /// Its place among the rows of a table.
    Row(usize),
}

impl<'a> Row<'a> {
    pub(super) fn new(file: &'a Path, place: Place, number: usize, columns: Option<&'a [String]>) -> Self {
        Self { file, place, number, columns, fields: Vec::new(), others: Vec::new(), twice: None }
    }

    /// A field as it stands in the file; whether it is kept depends on what is wanted.
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

    /// A field, if it is there and not null: tables have to write something where a value is missing.
    pub(super) fn get(&self, name: &str) -> Option<&Cell> {
        self.cell(name).filter(|cell| **cell != Cell::Null)
    }

    /// A field, if it is there.
    fn cell(&self, name: &str) -> Option<&Cell> {
        self.fields.iter().rev().find(|(known, _)| known == name).map(|(_, cell)| cell)
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<String, DataError> {
        match self.cell(name) {
            Some(cell) => cell.plain().ok_or_else(|| self.no_text(name, cell)),
            None => Err(self.wrong(&format!("field `{name}`"))),
        }
    }

    /// A text that may be missing.
    pub(super) fn text_if_any(&self, name: &str) -> Result<Option<String>, DataError> {
        if self.get(name).is_some() { self.text(name).map(Some) } else { Ok(None) }
    }

    /// A text, or a list of texts.
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

    /// Its own name, where it has one: `id` as text or number.
    pub(super) fn id(&self) -> Option<String> {
        match self.get("id") {
            Some(Cell::Text(id) | Cell::Number(id)) => Some(id.clone()),
            _ => None,
        }
    }

    /// Whether a `weight` of 0 says that it is to be left out, which is then noted.
    pub(super) fn left_out(&self, sink: &mut Sink) -> bool {
        match self.get("weight") {
            None => false,
            Some(weight) => match weight.plain().and_then(|text| text.parse::<f64>().ok()) {
                Some(0.0) => {
                    self.note(sink, "`weight` is 0: the row is left out");
                    true
                }
                Some(1.0) => false,
                _ => {
                    self.note(sink, "`weight` is neither 0 nor 1 and is not read: every row counts alike");
                    false
                }
            },
        }
    }

    /// Notes a thing about this row.
    pub(super) fn note(&self, sink: &mut Sink, what: &str) {
        let place = match self.place {
            Place::Line(line) => format!(":{line}"),
            Place::Row(row) => format!(", row {row}"),
        };
        sink.note(self.file, place, what);
    }

    /// Notes what has meaning in it and is not read, and what stands twice.
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
                &format!("field `{name}` stands twice in the row: the last counts, as in Python"),
            );
        }
    }

    /// What is wrong with this row, with the fields that it has.
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

/// The value of a list that is no text, or the value itself.
fn odd(cell: &Cell) -> &Cell {
    match cell {
        Cell::List(list) => list.iter().find(|cell| cell.plain().is_none()).unwrap_or(cell),
        other => other,
    }
}

/// What is done with every row.
pub(super) type Each<'a> = &'a mut dyn FnMut(&Row, &mut Sink) -> Result<(), DataError>;

/// Every row of a file, with the fields that are wanted; the ending of the file says what it is. A column that every row
/// must have and that a table has not is told before any row.
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

/// Every row of a JSON text.
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

/// The fields of an object, which is all that these bytes hold.
fn read_object(bytes: &[u8], row: &mut Row, wanted: &[Wanted]) -> Result<(), Fault> {
    let mut reader = JsonReader::new(bytes)?;
    if reader.peek() == Some(b'[') {
        let problem = "it begins an array; a file that is one JSON array must end in .json".to_owned();
        return Err(Fault { at: 0, problem });
    }
    read_fields(&mut reader, row, wanted)?;
    reader.end()
}

/// The fields of the object that comes next.
pub(super) fn read_fields(reader: &mut JsonReader, row: &mut Row, wanted: &[Wanted]) -> Result<(), Fault> {
    let at = reader.place();
    if reader.peek() != Some(b'{') {
        reader.skip()?;
        return Err(Fault { at, problem: "it is no object".to_owned() });
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

/// A fault in a row, at its own line and column.
pub(super) fn located(
    file: &Path,
    first: usize,
    bytes: &[u8],
    fault: &Fault,
    division: Division,
) -> DataError {
    let (line, column, snippet) = json_rows::spot(bytes, fault.at);
    let ends = fault.problem.contains("the text ends");
    let advice = if ends && division == Division::Lines { "; a row must stand on one line" } else { "" };
    let expected = format!("a JSON object ({}, column {column}{advice})", fault.problem);
    json_rows::row_error(file, first + line, expected, &snippet)
}
