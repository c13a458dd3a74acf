//! A JSON array of objects, each with the line it begins on. Takes apart only what the parser has found to be right.

use std::path::Path;

use serde_json::{Map, Value};

use super::json_rows;
use crate::error::DataError;

/// An object and the line it begins on, from 1.
type Placed = (usize, Map<String, Value>);

/// The objects of an array.
pub(super) fn parse(file: &Path, bytes: &[u8], expected: &str) -> Result<Vec<Placed>, DataError> {
    let rows: Vec<Map<String, Value>> = json_rows::parse_whole(file, bytes, expected)?;
    let lines = lines(bytes);
    Ok(lines.into_iter().chain(std::iter::repeat(1)).zip(rows).collect())
}

/// The line of every opening brace of the outermost objects in a JSON array that is well formed.
fn lines(bytes: &[u8]) -> Vec<usize> {
    let (mut lines, mut line, mut depth) = (Vec::new(), 1, 0_usize);
    let mut inside = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => line += 1,
            b'\\' if inside => at += 1,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => {
                if byte == b'{' && depth == 1 {
                    lines.push(line);
                }
                depth += 1;
            }
            b'}' | b']' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::parse;

    #[test]
    fn objects_know_their_lines() {
        let text = "\n[{\"a\": \"}{[\\\"\"},\n\n {\"b\": [{}, {\n}]}, {}\n]";
        let rows = parse(Path::new("a.json"), text.as_bytes(), "rows").expect("an array");
        let lines: Vec<usize> = rows.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4, 5]);
        assert_eq!(rows[0].1["a"], "}{[\"");
    }

    #[test]
    fn an_array_of_anything_else_is_refused_where_it_is() {
        let error = parse(Path::new("a.json"), b"[{},\n3]", "rows").expect_err("a number").to_string();
        assert!(error.starts_with("a.json:2: expected rows (invalid type"), "{error}");
    }
}
