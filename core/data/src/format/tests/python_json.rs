//! Tests of what Python's `json` writes and reads, in every JSON format: it has no effect in a field that is not read,
//! and gives a located error in a field that is.

use super::{folder, spec};
use crate::example::{Example, Split};
use crate::load_source_noted;

/// Every JSON format with a file, in which a row has `more` in an ignored field and `answer` as its answer; and the
/// line number of that row.
fn everywhere(more: &str, answer: &str) -> Vec<(&'static str, &'static str, String, usize)> {
    let row =
        format!("{{\"instruction\": \"a\", \"input\": \"i\", \"output\": {answer}, \"score\": {more}}}");
    let pair = format!("{{\"prompt\": \"i\", \"answer\": {answer}, \"score\": {more}}}");
    let talk = format!(
        "{{\"messages\": [{{\"role\": \"user\", \"content\": \"i\"}}, {{\"role\": \"assistant\", \"content\": {answer}}}], \"score\": {more}}}"
    );
    let instances: Vec<String> = (0..5)
        .map(|id| {
            format!("{{\"id\": \"{id}\", \"input\": \"{id}\", \"output\": {answer}, \"score\": {more}}}")
        })
        .collect();
    let task =
        format!("{{\"Definition\": [\"a\"], \"URL\": {more},\n\"Instances\": [{}]}}", instances.join(",\n"));
    vec![
        ("jsonl", "t/train.jsonl", format!("\n{row}\n"), 2),
        ("jsonl", "t/train.json", format!("[\n{row}]"), 2),
        ("jsonl", "t/train.json", format!("{row}\n\n"), 1),
        ("alpaca", "t/train.json", format!("[{row}\n]\n"), 1),
        ("chat", "t/train.jsonl", format!("\u{feff}{talk}\r\n\r\n"), 1),
        ("trace", "t/train.json", format!("[{pair}]"), 1),
        ("trace", "t/train.jsonl", pair, 1),
        ("superni", "t/train.jsonl", format!("{row}\r\n"), 1),
        ("instructions", "rows.jsonl", row.clone(), 1),
        ("instructions", "rows.json", format!("[{row}]"), 1),
        ("natural-instructions", "task1_t.json", task, 2),
    ]
}

fn read(format: &str, file: &str, text: &str) -> Result<(Vec<Example>, Vec<String>), String> {
    let folder = folder(&[(file, text)]);
    let (rows, notes) = load_source_noted(&spec(format, folder.path()), &[], Split::Train)
        .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))?;
    Ok((rows, notes.iter().map(ToString::to_string).collect()))
}

#[test]
fn ignored_fields_may_have_any_value_that_python_reads() {
    for more in [
        "NaN",
        "[-Infinity, {\"x\": Infinity}]",
        "1e400",
        "123456789012345678901234567890",
        "\"\\ud800\"",
        "{\"a\": 1, \"a\": NaN}",
        "\"\u{2028}\"",
        "\"\\u0000\"",
    ] {
        for (format, file, text, _) in everywhere(more, "\"b\"") {
            let (rows, notes) =
                read(format, file, &text).unwrap_or_else(|error| panic!("{format} {file}: {error}"));
            assert!(rows.iter().all(|row| row.output == "b"), "{format} {file} {more}");
            assert_eq!(notes, Vec::<String>::new(), "{format} {file} {more}");
        }
    }
}

#[test]
fn what_python_refuses_is_refused_by_every_format_on_its_line() {
    for more in ["[1,]", "nan", "'x'", "01", "\"\t\"", "tru", "\"\\x\"", "1 2", "// no"] {
        for (format, file, text, line) in everywhere(more, "\"b\"") {
            let error = read(format, file, &text).expect_err(more);
            let line = if format == "natural-instructions" { 1 } else { line };
            assert!(
                error.starts_with(&format!("{file}:{line}: expected a JSON")),
                "{format} {more}: {error}"
            );
        }
    }
}

#[test]
fn values_that_are_not_text_are_refused_in_text_fields() {
    for answer in ["NaN", "-Infinity", "1e400", "\"\\udc00 x\"", "null", "{}"] {
        for (format, file, text, line) in everywhere("0", answer) {
            let error = read(format, file, &text).expect_err(answer);
            assert!(error.starts_with(&format!("{file}:{line}: expected ")), "{format} {answer}: {error}");
            assert!(error.contains("text"), "{format} {answer}: {error}");
            let said = answer.trim_matches('{').trim_matches('}');
            assert!(error.contains(said), "{format} {answer}: {error}");
        }
    }
}

#[test]
fn numbers_are_labels_digit_for_digit() {
    for (answer, label) in
        [("123456789012345678901234567890", "123456789012345678901234567890"), ("4", "4"), ("0.50", "0.5")]
    {
        for (format, file, text, _) in everywhere("0", answer) {
            // The content of a message must be text.
            if format == "chat" {
                assert!(read(format, file, &text).is_err());
                continue;
            }
            let (rows, _) =
                read(format, file, &text).unwrap_or_else(|error| panic!("{format} {file}: {error}"));
            assert_eq!(rows[0].output, label, "{format} {file}");
        }
    }
}

#[test]
fn the_last_of_two_equal_keys_counts_and_is_noted() {
    let row = "{\"instruction\": \"a\", \"output\": \"b\", \"output\": \"c\"}";
    for (format, file) in [
        ("jsonl", "t/train.jsonl"),
        ("superni", "t/train.jsonl"),
        ("alpaca", "t/train.jsonl"),
        ("instructions", "t.jsonl"),
    ] {
        let (rows, notes) = read(format, file, row).expect("a row");
        assert_eq!(rows[0].output, "c", "{format}");
        assert!(
            notes[0].contains(":1: field `output` occurs twice in the row: the last one counts"),
            "{notes:?}"
        );
    }
}

#[test]
fn rows_across_several_lines_get_advice() {
    let refused = |text: &str, part: &str| {
        let error = read("jsonl", "t/train.jsonl", text).expect_err(part);
        assert!(
            error.starts_with("t/train.jsonl:1: expected a JSON object (") && error.contains(part),
            "{error}"
        );
    };
    refused("{\n \"input\": \"a\",\n \"output\": \"b\"\n}\n", "a row must be on a single line");
    refused(
        "[{\"input\": \"a\", \"output\": \"b\"}]",
        "the line begins an array; the name of a file with one JSON array must end in .json",
    );
    refused(
        "{\"input\": \"a\", \"output\": \"b\"}{\"input\": \"c\", \"output\": \"d\"}",
        "more text after the end",
    );
    refused("3", "not an object");
}
