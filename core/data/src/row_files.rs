//! Cadre's own files of rows: a first line with kind and version, then JSON lines.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::encoder::Target;
use crate::error::DataError;
use crate::example::Example;
use crate::format::{parse_json_lines, read_file, shorten};

/// Format version of these files.
pub(crate) const FORMAT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Head {
    format_version: u32,
    kind: String,
}

/// A row of a reconstructed task (an expert's training set): an example and what to train on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainingRow {
    /// The example.
    pub example: Example,
    /// Which part of it has a loss.
    pub target: Target,
    /// Weight of its loss; 1 unless a selector sets another.
    pub weight: f32,
}

/// Serialises examples.
pub fn write_examples(examples: &[Example]) -> Vec<u8> {
    write("examples", examples)
}

/// Reads examples from a file written by [`write_examples`].
///
/// # Errors
/// A missing file, another kind or version, or a malformed row.
pub fn read_examples(file: &Path) -> Result<Vec<Example>, DataError> {
    read("examples", file)
}

/// Serialises training rows.
pub fn write_training_rows(rows: &[TrainingRow]) -> Vec<u8> {
    write("training-rows", rows)
}

/// Reads training rows from a file written by [`write_training_rows`].
///
/// # Errors
/// As [`read_examples`].
pub fn read_training_rows(file: &Path) -> Result<Vec<TrainingRow>, DataError> {
    read("training-rows", file)
}

pub(crate) fn write<T: Serialize>(kind: &'static str, rows: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head = Head { format_version: FORMAT_VERSION, kind: kind.to_owned() };
    push(&mut bytes, &head);
    for row in rows {
        push(&mut bytes, row);
    }
    bytes
}

#[expect(clippy::expect_used, reason = "these structs have text keys and a writer that cannot fail")]
fn push<T: Serialize>(bytes: &mut Vec<u8>, row: &T) {
    serde_json::to_writer(&mut *bytes, row).expect("a plain struct is JSON");
    bytes.push(b'\n');
}

pub(crate) fn read<T: DeserializeOwned>(kind: &'static str, file: &Path) -> Result<Vec<T>, DataError> {
    parse(kind, file, &read_file(file, kind)?)
}

pub(crate) fn parse<T: DeserializeOwned>(
    kind: &'static str,
    file: &Path,
    bytes: &[u8],
) -> Result<Vec<T>, DataError> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let (first, _) = bytes.split_at(end.unwrap_or(bytes.len()));
    match serde_json::from_slice::<Head>(first) {
        Ok(head) if head.kind == kind && head.format_version == FORMAT_VERSION => {}
        _ => {
            return Err(DataError::FormatVersion {
                file: file.to_owned(),
                kind,
                version: FORMAT_VERSION,
                found: shorten(&String::from_utf8_lossy(first)),
            });
        }
    }
    let rows = parse_json_lines(file, &bytes[first.len()..], kind)?;
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{TrainingRow, parse, read_examples, write, write_examples, write_training_rows};
    use crate::encoder::Target;
    use crate::example::Example;

    const OLD: &str = concat!(
        "{\"format-version\":1,\"kind\":\"training-rows\"}\n",
        "{\"example\":{\"id\":\"a/1\",\"task\":\"a\",\"instruction\":\"Say.\",\"input\":\"x\",\"output\":\"y\",",
        "\"references\":[\"y\",\"z\"]},\"target\":{\"reject\":{\"keep-response\":false}},\"weight\":0.5}\n",
    );

    fn row() -> TrainingRow {
        TrainingRow {
            example: Example {
                id: "a/1".into(),
                task: "a".into(),
                turns: Vec::new(),
                instruction: "Say.".into(),
                input: "x".into(),
                output: "y".into(),
                references: vec!["y".into(), "z".into()],
            },
            target: Target::Reject { keep_response: false },
            weight: 0.5,
        }
    }

    #[test]
    fn a_file_of_the_first_version_is_read() {
        let rows: Vec<TrainingRow> =
            parse("training-rows", Path::new("t.jsonl"), OLD.as_bytes()).expect("version 1");
        assert_eq!(rows, [row()]);
        assert_eq!(write_training_rows(&rows), OLD.as_bytes());
    }

    #[test]
    fn another_kind_or_version_is_refused() {
        let file = Path::new("t.jsonl");
        for text in [
            "",
            "{\"format-version\":2,\"kind\":\"examples\"}\n",
            "{\"format-version\":1,\"kind\":\"training-rows\"}\n",
            "garbage",
        ] {
            let error = parse::<Example>("examples", file, text.as_bytes()).expect_err(text);
            assert!(
                error.to_string().starts_with("t.jsonl:1: expected examples of format-version 1"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_broken_row_is_located() {
        let mut bytes = write("examples", &[row().example]);
        bytes.extend_from_slice(b"{\"id\":\"a/2\"}\n");
        let error =
            parse::<Example>("examples", Path::new("e.jsonl"), &bytes).expect_err("fields are missing");
        assert!(error.to_string().starts_with("e.jsonl:3: expected examples (missing field"), "{error}");
    }

    #[test]
    fn examples_go_through_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("train.jsonl");
        let examples = vec![row().example; 3];
        std::fs::write(&file, write_examples(&examples)).expect("written");
        assert_eq!(read_examples(&file).expect("read"), examples);
    }
}
