//! Splits a JSON file into rows, one at a time: its lines, or the values of its top-level array. Holds one row, whose
//! length is limited. Does not parse the values.

use std::io::BufRead;
use std::path::Path;

use crate::error::DataError;
use crate::format::bounds::{MAX_ROW, size};
use crate::format::json_rows::row_error;

/// Called with a row's first line number, from 1, and its bytes. Returns false to stop.
type Each<'a> = &'a mut dyn FnMut(usize, &[u8]) -> Result<bool, DataError>;

/// How a file is split into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Division {
    /// Every non-blank line is a row.
    Lines,
    /// The values of an array if the file begins with one, or else [`Self::Lines`].
    ArrayOrLines,
}

/// Passes every row of a file to `each`, in file order.
pub(in crate::format) fn each(
    file: &Path,
    from: &mut dyn BufRead,
    division: Division,
    each: Each,
) -> Result<(), DataError> {
    let mut source = Source { file, from, line: 1 };
    if division == Division::ArrayOrLines && source.first_sign()? == Some(b'[') {
        return source.array(each);
    }
    source.lines(each)
}

struct Source<'a> {
    file: &'a Path,
    from: &'a mut dyn BufRead,
    line: usize,
}

impl Source<'_> {
    fn buffer(&mut self) -> Result<&[u8], DataError> {
        let file = self.file;
        self.from.fill_buf().map_err(|source| DataError::Read { file: file.to_owned(), source })
    }

    /// Skips whitespace and returns the first other byte without consuming it.
    fn first_sign(&mut self) -> Result<Option<u8>, DataError> {
        loop {
            let buffer = self.buffer()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let blanks = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let sign = buffer.get(blanks).copied();
            let lines = buffer[..blanks].iter().filter(|&&byte| byte == b'\n').count();
            self.line += lines;
            self.from.consume(blanks);
            if sign.is_some() {
                return Ok(sign);
            }
        }
    }

    fn lines(&mut self, each: Each) -> Result<(), DataError> {
        let mut row = Vec::new();
        loop {
            let buffer = self.buffer()?;
            let over = buffer.is_empty();
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            row.extend_from_slice(&buffer[..end.unwrap_or(taken)]);
            self.from.consume(taken);
            self.bound(self.line, row.len())?;
            if end.is_none() && !over {
                continue;
            }
            if !row.iter().all(u8::is_ascii_whitespace) && !each(self.line, &row)? {
                return Ok(());
            }
            if over {
                return Ok(());
            }
            self.line += 1;
            row.clear();
        }
    }

    fn array(&mut self, each: Each) -> Result<(), DataError> {
        self.from.consume(1);
        let mut after_comma = false;
        loop {
            match self.first_sign()? {
                Some(b']') if !after_comma => break,
                Some(b']') => return self.broken("trailing comma"),
                Some(b',') => return self.broken("a value is expected before the comma"),
                None => return self.broken("the file ends inside the array"),
                Some(_) => {}
            }
            let first = self.line;
            let row = self.element(first)?;
            if !each(first, &row)? {
                return Ok(());
            }
            match self.first_sign()? {
                Some(b',') => {
                    self.from.consume(1);
                    after_comma = true;
                }
                Some(b']') => break,
                _ => return self.broken("the file ends inside the array"),
            }
        }
        self.from.consume(1);
        match self.first_sign()? {
            None => Ok(()),
            Some(_) => self.broken("more text after the end of the array"),
        }
    }

    /// The bytes up to the comma or closing bracket of the top-level array, which is not consumed.
    fn element(&mut self, first: usize) -> Result<Vec<u8>, DataError> {
        let mut row = Vec::new();
        let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
        loop {
            let buffer = self.buffer()?;
            if buffer.is_empty() {
                return Ok(row);
            }
            let (mut lines, mut end) = (0, None);
            for (place, &byte) in buffer.iter().enumerate() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if inside => escaped = true,
                    b'"' => inside = !inside,
                    b'\n' => lines += 1,
                    _ if inside => {}
                    b',' | b']' if depth == 0 => {
                        end = Some(place);
                        break;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            let taken = end.unwrap_or(buffer.len());
            row.extend_from_slice(&buffer[..taken]);
            self.from.consume(taken);
            self.line += lines;
            self.bound(first, row.len())?;
            if end.is_some() {
                return Ok(row);
            }
        }
    }

    fn bound(&self, line: usize, length: usize) -> Result<(), DataError> {
        if length <= MAX_ROW {
            return Ok(());
        }
        Err(DataError::Bound {
            place: format!("{}:{line}", self.file.display()),
            found: format!("a row of more than {}", size(MAX_ROW)),
            limit: format!("{} per row", size(MAX_ROW)),
        })
    }

    fn broken<T>(&self, problem: &str) -> Result<T, DataError> {
        Err(row_error(self.file, self.line, format!("a JSON array of objects ({problem})"), ""))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;
    use std::path::Path;

    use super::{Division, each};

    fn rows(text: &str, division: Division, room: usize) -> Result<Vec<(usize, String)>, String> {
        let mut rows = Vec::new();
        let mut from = BufReader::with_capacity(room, text.as_bytes());
        each(Path::new("a.json"), &mut from, division, &mut |line, bytes| {
            rows.push((line, String::from_utf8_lossy(bytes).trim().to_owned()));
            Ok(true)
        })
        .map_err(|error| error.to_string())?;
        Ok(rows)
    }

    fn owned(rows: &[(usize, &str)]) -> Vec<(usize, String)> {
        rows.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn lines_and_arrays_with_any_buffer_size() {
        for room in [1, 2, 3, 7, 4096] {
            let lines = rows("{\"a\":1}\r\n\n  \n{\"b\":\"\u{2028}\"}\r\n{}", Division::Lines, room);
            assert_eq!(lines, Ok(owned(&[(1, "{\"a\":1}"), (4, "{\"b\":\"\u{2028}\"}"), (5, "{}")])));
            let text = "\n[{\"a\": \"}{[\\\"\\\\\"},\n\n {\"b\": [{}, {\n}],\"c\":\"],\"}, {} , 3\n]\n";
            let array = rows(text, Division::ArrayOrLines, room);
            let expected = owned(&[
                (2, "{\"a\": \"}{[\\\"\\\\\"}"),
                (4, "{\"b\": [{}, {\n}],\"c\":\"],\"}"),
                (5, "{}"),
                (5, "3"),
            ]);
            assert_eq!(array, Ok(expected));
            assert_eq!(rows(" [ ] ", Division::ArrayOrLines, room), Ok(Vec::new()));
            assert_eq!(rows("[1]", Division::Lines, room), Ok(owned(&[(1, "[1]")])));
        }
    }

    #[test]
    fn a_broken_array_is_located() {
        for (text, part) in [
            ("[1,\n]", "a.json:2: expected a JSON array of objects (trailing comma)"),
            ("[,1]", "before the comma"),
            ("[1,,2]", "before the comma"),
            ("[1", "ends inside the array"),
            ("[\"a", "ends inside the array"),
            ("[1]\n2", "a.json:2: expected a JSON array of objects (more text"),
            ("[1] []", "more text after the end"),
        ] {
            let error = rows(text, Division::ArrayOrLines, 4).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_row_without_end_is_refused_before_it_fills_memory() {
        let long = format!("[\n\"{}\"]", "x".repeat(65 << 20));
        for (division, line) in [(Division::ArrayOrLines, 2), (Division::Lines, 2)] {
            let error = rows(&long, division, 1 << 16).expect_err("too long");
            let expected = format!("a.json:{line}: a row of more than 64 MiB; the limit is 64 MiB per row");
            assert_eq!(error, expected);
        }
    }
}
