//! Reads CSV and TSV files as rows of named fields; the first record gives the column names. Every field is text, and
//! an empty one is a missing value, as in pandas and `datasets`. The separator follows from the file ending; it is
//! never guessed.

use std::io::BufRead;
use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::bounds::{MAX_ROW, size};
use super::cell::Cell;
use super::json::python::MAX_VALUES;
use super::json_rows::{on_one_line, row_error};
use super::rows::{Each, Place, Row, Wanted};
use super::sink::Sink;
use crate::error::DataError;

/// Passes every row of a file to `act`.
pub(super) fn each(
    file: &Path,
    from: &mut dyn BufRead,
    separator: u8,
    wanted: &[Wanted],
    sink: &mut Sink,
    each: Each,
) -> Result<(), DataError> {
    let reader = ReaderBuilder::new().delimiter(separator).build();
    let mut records =
        Records { file, from, reader, skipped: 0, bytes: vec![0; 1 << 12], ends: vec![0; 64], fields: 0 };
    let Some(line) = records.advance()? else { return Ok(()) };
    let names = header(file, line, &records.texts(line)?, wanted)?;
    let mut number = 0;
    while let Some(line) = records.advance()? {
        number += 1;
        let texts = records.texts(line)?;
        if texts.len() != names.len() {
            let expected = format!("{} fields as in the header, not {}", names.len(), texts.len());
            return Err(row_error(file, line, expected, &texts.join(",")));
        }
        let mut row = Row::new(file, Place::Line(line), number, Some(&names));
        for (name, text) in names.iter().zip(texts) {
            let cell = if text.is_empty() { Cell::Null } else { Cell::Text(text.to_owned()) };
            row.put(name.clone(), cell, wanted);
        }
        each(&row, sink)?;
        if sink.is_full() {
            break;
        }
    }
    Ok(())
}

/// The column names. They must be distinct and include all required ones.
fn header(file: &Path, line: usize, texts: &[&str], wanted: &[Wanted]) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = texts.iter().map(|name| on_one_line(name.trim())).collect();
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) && !name.is_empty() {
            let expected = format!("distinct names in the header, but `{name}` occurs twice");
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

/// The records of a file, one at a time.
struct Records<'a> {
    file: &'a Path,
    from: &'a mut dyn BufRead,
    reader: Reader,
    /// Number of blank lines that the CSV reader has not seen.
    skipped: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
}

impl Records<'_> {
    fn buffer(&mut self) -> Result<&[u8], DataError> {
        let file = self.file;
        self.from.fill_buf().map_err(|source| DataError::Read { file: file.to_owned(), source })
    }

    /// Reads the next record. Returns the line on which it begins, or `None` at the end.
    fn advance(&mut self) -> Result<Option<usize>, DataError> {
        self.pass_blank_lines()?;
        let line = usize::try_from(self.reader.line()).unwrap_or(usize::MAX).saturating_add(self.skipped);
        let (mut length, mut fields) = (0, 0);
        loop {
            let file = self.file;
            let input =
                self.from.fill_buf().map_err(|source| DataError::Read { file: file.to_owned(), source })?;
            let (result, taken, written, ended) =
                self.reader.read_record(input, &mut self.bytes[length..], &mut self.ends[fields..]);
            self.from.consume(taken);
            length += written;
            fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.bytes.len() < MAX_ROW => {
                    self.bytes.resize(2 * self.bytes.len(), 0);
                }
                ReadRecordResult::OutputEndsFull if self.ends.len() < MAX_VALUES => {
                    self.ends.resize(2 * self.ends.len(), 0);
                }
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(DataError::Bound {
                        place: format!("{}:{line}", self.file.display()),
                        found: "a record that does not end (is there an unclosed quotation mark?)".to_owned(),
                        limit: format!("{} or {MAX_VALUES} fields per row", size(MAX_ROW)),
                    });
                }
                ReadRecordResult::Record => {
                    self.fields = fields;
                    return Ok(Some(line));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn pass_blank_lines(&mut self) -> Result<(), DataError> {
        loop {
            let buffer = self.buffer()?;
            let ends = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            let lines = buffer[..ends].iter().filter(|&&byte| byte == b'\n').count();
            self.from.consume(ends);
            self.skipped += lines;
            if ends == 0 {
                return Ok(());
            }
        }
    }

    /// The fields of the current record, which begins on `line`.
    fn texts(&self, line: usize) -> Result<Vec<&str>, DataError> {
        let mut from = 0;
        let mut texts = Vec::with_capacity(self.fields);
        for (index, &end) in self.ends[..self.fields].iter().enumerate() {
            let text = std::str::from_utf8(&self.bytes[from..end]).map_err(|_| {
                let expected = format!("UTF-8 text (field {} is not UTF-8)", index + 1);
                let found = String::from_utf8_lossy(&self.bytes[from..end]);
                row_error(self.file, line, expected, &found)
            })?;
            texts.push(text);
            from = end;
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::path::Path;

    use super::super::rows::must;
    use super::super::sink::Sink;
    use super::each;

    fn read(text: &[u8], room: usize) -> Result<Vec<(usize, String)>, String> {
        let mut rows = Vec::new();
        let mut from = BufReader::with_capacity(room, text);
        let wanted = [must("a")];
        each(Path::new("t.csv"), &mut from, b',', &wanted, &mut Sink::keep(), &mut |row, _| {
            rows.push((row.number, row.text_if_any("a")?.unwrap_or_default()));
            Ok(())
        })
        .map_err(|error| error.to_string())?;
        Ok(rows)
    }

    #[test]
    fn records_with_any_buffer_size() {
        let long = "x".repeat(10_000);
        let text = format!("\r\na,b\r\n\"1\n\"\"2\"\"\",\r\n\n{long},y\n,z");
        for room in [1, 2, 5, 1 << 16] {
            let rows = read(text.as_bytes(), room).expect("records");
            let expected = [(1, "1\n\"2\"".to_owned()), (2, long.clone()), (3, String::new())];
            assert_eq!(rows, expected);
        }
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_is_bounded() {
        let mut text = b"a,b\n1,2\n\"".to_vec();
        text.resize(70 << 20, b'\n');
        let error = read(&text, 1 << 16).expect_err("no end");
        assert!(error.starts_with("t.csv:3: a record that does not end"), "{error}");
        let error = read(b"a,b\n\n1\n", 4).expect_err("too few");
        assert!(error.starts_with("t.csv:3: expected 2 fields as in the header, not 1"), "{error}");
    }
}
