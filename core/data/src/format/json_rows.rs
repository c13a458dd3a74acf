//! Reads files and parses JSON, and locates every error: file, line, what was expected, what was found.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::DataError;

/// Maximum characters of a malformed row in a message.
const SNIPPET: usize = 60;

/// The bytes of a file, without decompression and without a byte-order mark. `expected` describes the file for the
/// error if it is missing.
pub(crate) fn read(file: &Path, expected: &str) -> Result<Vec<u8>, DataError> {
    let mut bytes = super::opened::raw(file, expected)?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// Parses every non-blank line; returns values with line numbers from 1.
pub(crate) fn parse_lines<T: DeserializeOwned>(
    file: &Path,
    bytes: &[u8],
    expected: &str,
) -> Result<Vec<(usize, T)>, DataError> {
    let mut rows = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let row = serde_json::from_slice(line)
            .map_err(|error| located(file, index + 1, line, error.column(), &error, expected))?;
        rows.push((index + 1, row));
    }
    Ok(rows)
}

/// Parses a whole file as one JSON value.
pub(super) fn parse_whole<T: DeserializeOwned>(
    file: &Path,
    bytes: &[u8],
    expected: &str,
) -> Result<T, DataError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let line = error.line().max(1);
        let text = bytes.split(|&byte| byte == b'\n').nth(line - 1);
        located(file, line, text.unwrap_or_default(), error.column(), &error, expected)
    })
}

/// A row error with a message of its own.
pub(super) fn row_error(file: &Path, line: usize, expected: String, found: &str) -> DataError {
    DataError::Row { file: file.to_owned(), line, expected, snippet: shorten(found) }
}

fn located(
    file: &Path,
    line: usize,
    text: &[u8],
    column: usize,
    error: &serde_json::Error,
    expected: &str,
) -> DataError {
    let message = error.to_string();
    let reason = message.rsplit_once(" at line ").map_or(message.as_str(), |(reason, _)| reason);
    // A syntax error is shown from a little before its position, a missing field from the beginning of the row.
    let from = if error.is_data() { 0 } else { column.saturating_sub(SNIPPET / 2).min(text.len()) };
    let until = text.len().min(from + 4 * SNIPPET);
    DataError::Row {
        file: file.to_owned(),
        line,
        // The expectation may contain a key of the file.
        expected: on_one_line(&format!("{expected} ({reason}, column {column})")),
        snippet: shorten(&String::from_utf8_lossy(&text[from..until])),
    }
}

/// The position of a byte: number of lines before it, column from 1, and the surrounding text.
pub(super) fn spot(bytes: &[u8], at: usize) -> (usize, usize, String) {
    let before = &bytes[..at.min(bytes.len())];
    let line = before.iter().filter(|&&byte| byte == b'\n').count();
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |place| place + 1);
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    let from = start.max(at.saturating_sub(SNIPPET / 2)).min(bytes.len());
    let text = &bytes[from..];
    let end = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len()).min(4 * SNIPPET);
    (line, column, shorten(&String::from_utf8_lossy(&text[..end])))
}

/// A text without line breaks and other control characters.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The beginning of a text, on one line.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SNIPPET).collect();
    if text.trim().chars().nth(SNIPPET).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{parse_lines, parse_whole};
    use serde_json::Value;

    #[test]
    fn a_broken_line_is_named() {
        let text = b"{\"a\": 1}\r\n\n{\"a\": 2,}\n";
        let error =
            parse_lines::<Value>(Path::new("rows.jsonl"), text, "an object").expect_err("a trailing comma");
        let message = error.to_string();
        assert!(message.starts_with("rows.jsonl:3: expected an object (trailing comma"), "{message}");
        assert!(message.contains("{\"a\": 2,}"), "{message}");
    }

    #[test]
    fn bytes_that_are_no_text_are_named() {
        let error = parse_lines::<Value>(Path::new("rows.jsonl"), b"\"\xff\"", "text").expect_err("no UTF-8");
        assert!(error.to_string().starts_with("rows.jsonl:1: "), "{error}");
    }

    #[test]
    fn a_whole_file_is_located_by_line() {
        let error =
            parse_whole::<Value>(Path::new("a.json"), b"[1,\n2,\nx]", "an array").expect_err("a bare word");
        let message = error.to_string();
        assert!(message.starts_with("a.json:3: "), "{message}");
        assert!(message.ends_with("found `x]`"), "{message}");
    }
}
