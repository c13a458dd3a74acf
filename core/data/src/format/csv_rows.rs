//! CSV and TSV files as rows of named fields: the first record names the columns. Every field is text; an empty one is
//! a missing value, as pandas and `datasets` take it. Guesses no separator: the ending says it.

use std::io::BufRead;
use std::path::Path;

use super::bounds::{MOST_ROW, size};
use super::cell::Cell;
use super::json_rows::{on_one_line, row_error};
use super::rows::{Each, Place, Row, Wanted};
use super::sink::Sink;
use crate::error::DataError;

/// Every row of a file.
pub(super) fn each(
    file: &Path,
    from: &mut dyn BufRead,
    separator: u8,
    wanted: &[Wanted],
    sink: &mut Sink,
    each: Each,
) -> Result<(), DataError> {
    let bounded = Bounded { from, since: 0, over: false };
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).has_headers(false).from_reader(bounded);
    let mut record = csv::StringRecord::new();
    let mut columns: Option<Vec<String>> = None;
    let mut number = 0;
    loop {
        let read = reader.read_record(&mut record).map_err(|error| broken(file, &error));
        if reader.get_ref().over {
            let line = reader.position().line();
            return Err(DataError::Bound {
                place: format!("{}:{line}", file.display()),
                found: format!("a record of more than {}", size(MOST_ROW)),
                limit: format!("{} per row; a quotation mark that is never closed makes one record of the rest", size(MOST_ROW)),
            });
        }
        reader.get_mut().since = 0;
        if !read? || sink.is_full() {
            break;
        }
        let line = record.position().map_or(0, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
        let Some(names) = &columns else {
            columns = Some(header(file, line, &record, wanted)?);
            continue;
        };
        number += 1;
        let cell = |text: &str| if text.is_empty() { Cell::Null } else { Cell::Text(text.to_owned()) };
        let mut row = Row::new(file, Place::Line(line), number, Some(names));
        for (name, text) in names.iter().zip(record.iter()) {
            row.put(name.clone(), cell(text), wanted);
        }
        each(&row, sink)?;
    }
    Ok(())
}

/// The names of the columns, each of which must be another's, with all that every row must have.
fn header(
    file: &Path,
    line: usize,
    record: &csv::StringRecord,
    wanted: &[Wanted],
) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = record.iter().map(|name| on_one_line(name.trim())).collect();
    for (place, name) in names.iter().enumerate() {
        if names[..place].contains(name) && !name.is_empty() {
            let expected = format!("a header of different names, where `{name}` stands twice");
            return Err(row_error(file, line, expected, &names.join(",")));
        }
    }
    match wanted.iter().find(|wanted| wanted.must && !names.iter().any(|name| name == wanted.name)) {
        Some(missing) => Err(DataError::NoColumn {
            file: file.to_owned(),
            wanted: missing.name.to_owned(),
            columns: names,
        }),
        None => Ok(names),
    }
}

fn broken(file: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map_or(1, |at| usize::try_from(at.line()).unwrap_or(usize::MAX));
    let problem = match error.kind() {
        csv::ErrorKind::Io(source) => {
            let source = std::io::Error::new(source.kind(), source.to_string());
            return DataError::Read { file: file.to_owned(), source };
        }
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{expected_len} fields as in the header, and there are {len}")
        }
        csv::ErrorKind::Utf8 { err, .. } => format!("UTF-8 text (field {} has other bytes)", err.field() + 1),
        _ => "a record of CSV".to_owned(),
    };
    row_error(file, line, problem, "")
}

/// Counts the bytes since a record was asked for, and ends the file when they are more than one may have.
struct Bounded<'a> {
    from: &'a mut dyn BufRead,
    since: usize,
    over: bool,
}

impl std::io::Read for Bounded<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        if self.since > MOST_ROW {
            self.over = true;
            return Ok(0);
        }
        let read = self.from.read(to)?;
        self.since += read;
        Ok(read)
    }
}
