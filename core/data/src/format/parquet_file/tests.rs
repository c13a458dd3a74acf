//! Tests of files written by pyarrow (`core/data/fixtures/record.py`): what is read and what is refused. Files that try
//! to consume much memory are in `hostile`.

mod hostile;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::rows::{Wanted, maybe, must};
use super::super::sink::Sink;
use super::each;
use crate::DataError;
use crate::format::cell::Cell;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parquet").join(format!("{name}.parquet"))
}

/// Rows of cells, and the notes about columns that are not read.
type Cells = (Vec<Vec<Option<Cell>>>, Vec<String>);

/// The rows of a file with these columns, each row as a list of cells.
fn cells(bytes: &[u8], wanted: &[Wanted]) -> Result<Cells, DataError> {
    let (mut rows, mut sink) = (Vec::new(), Sink::keep());
    each(Path::new("t.parquet"), bytes.to_vec(), wanted, &mut sink, &mut |row, _| {
        rows.push(wanted.iter().map(|wanted| row.get(wanted.name).cloned()).collect());
        Ok(())
    })?;
    Ok((rows, sink.notes().iter().map(ToString::to_string).collect()))
}

/// The result of [`cells`] as JSON.
fn read(name: &str, columns: &[&str]) -> Result<Vec<Value>, String> {
    let wanted: Vec<Wanted> = columns.iter().map(|name| must(name)).collect();
    let bytes = std::fs::read(fixture(name)).expect("the fixture");
    let (rows, _) = cells(&bytes, &wanted).map_err(|error| error.to_string())?;
    let json = |cell: Option<Cell>| {
        let mut text = String::new();
        cell.unwrap_or(Cell::Null).show(&mut text, 10_000);
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    };
    let object = |row: Vec<Option<Cell>>| {
        Value::Object(columns.iter().map(|name| (*name).to_owned()).zip(row.into_iter().map(json)).collect())
    };
    Ok(rows.into_iter().map(object).collect())
}

#[test]
fn every_compression_and_type_over_several_row_groups() {
    let columns = ["question", "label", "number", "small", "share", "half", "right", "answers", "id"];
    for name in ["snappy", "zstd", "gzip", "none", "brotli", "lz4"] {
        let rows = read(name, &columns).expect("rows");
        assert_eq!(rows.len(), 7);
        assert_eq!(
            rows[0],
            json!({ "question": "How many are 0? äöü 漢", "label": "yes", "number": 1, "small": 0, "share": 0.5,
                    "half": 0.1, "right": true, "answers": ["a", "b"], "id": "q0" })
        );
        let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
        assert_eq!(
            column("label"),
            json!(["yes", "no", null, "yes", "no", "yes", "yes"]).as_array().cloned().expect("a list")
        );
        assert_eq!(Value::from(column("number")), json!([1, null, 3, 4, 5, 6, 1_099_511_627_776_i64]));
        assert_eq!(Value::from(column("small")), json!([0, 1, 2, 3, 255, null, 6]));
        assert_eq!(Value::from(column("share")), json!([0.5, 0.1, null, 2.0, -1.5, "NaN", 0.001]));
        assert_eq!(Value::from(column("right")), json!([true, false, null, true, true, true, false]));
        assert_eq!(
            Value::from(column("answers")),
            json!([["a", "b"], [], null, ["c"], ["d", null], ["e"], ["f"]])
        );
    }
}

#[test]
fn the_second_page_version_with_other_encodings() {
    let columns = ["question", "number", "share", "answers", "id"];
    assert_eq!(read("pages-2", &columns).expect("rows"), read("none", &columns).expect("rows"));
}

#[test]
fn messages_come_with_the_fields_that_mean_something() {
    let rows = read("messages", &["messages"]).expect("rows");
    assert_eq!(
        rows[0]["messages"][0],
        json!({ "content": "Be short.", "role": "system", "tool_calls": null })
    );
    assert_eq!(rows[0]["messages"].as_array().map(Vec::len), Some(5));
    assert_eq!(rows[1]["messages"][1], json!({ "content": "2", "role": "assistant", "tool_calls": null }));
    let rows = read("conversations", &["conversations"]).expect("rows");
    assert_eq!(rows[1]["conversations"][0], json!({ "from": "human", "value": "1 + 1" }));
}

#[test]
fn a_column_that_is_not_there_or_of_no_use() {
    let error = read("alpaca", &["question"]).expect_err("no such column");
    assert_eq!(error, "t.parquet: no column `question`; the columns are instruction, input, output, text");
    let error = read("none", &["when"]).expect_err("a date");
    assert!(error.starts_with("t.parquet: column `when` is INT32 (DATE); expected text, "), "{error}");
    assert_eq!(read("empty", &["instruction"]).expect("no rows"), Vec::<Value>::new());
}

#[test]
fn texts_and_numbers_of_every_kind() {
    let columns = ["large", "view", "dictionary", "half", "decimal", "wide", "pairs", "output"];
    let rows = read("kinds", &columns).expect("rows");
    let column = |name: &str| Value::from(rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>());
    for name in ["large", "view", "dictionary"] {
        assert_eq!(column(name), json!(["a", null, "größer 🌊"]), "{name}");
    }
    assert_eq!(column("half"), json!([0.5, null, 0.1]));
    assert_eq!(column("pairs"), json!([[["q", "a"], []], null, [[]]]));
    let bytes = std::fs::read(fixture("kinds")).expect("the fixture");
    let wanted = [must("decimal"), must("wide"), must("binary")];
    let (rows, notes) = cells(&bytes, &wanted).expect("rows");
    let number = |text: &str| Some(Cell::Number(text.to_owned()));
    let bytes = |text: &str| Some(Cell::NoText(text.to_owned()));
    assert_eq!(
        rows[0],
        [number("12.30"), number(&format!("1{}", "0".repeat(30))), bytes("bytes that are not UTF-8")]
    );
    assert_eq!(rows[1], [None, None, Some(Cell::Text("text".to_owned()))]);
    assert_eq!(rows[2], [number("-0.05"), number("-1"), None]);
    // `rejected` contains only nulls, and a timestamp has no meaning here.
    let note = |name: &str| format!("t.parquet: column `{name}` is not read by this format");
    assert_eq!(notes, [note("image"), note("system")]);
    for (column, part) in
        [("when", "column `when` is INT64 ("), ("image", "column `image` is a group of bytes, path")]
    {
        let error = read("kinds", &[column]).expect_err(column);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn an_unused_column_may_have_any_type() {
    let bytes = std::fs::read(fixture("kinds")).expect("the fixture");
    let (rows, notes) = cells(&bytes, &[must("output"), maybe("image")]).expect("rows");
    assert_eq!((rows.len(), rows[0][1].as_ref()), (3, None));
    assert!(
        notes[0].starts_with("t.parquet: column `image` is a group of bytes, path and is ignored"),
        "{notes:?}"
    );
    let error =
        cells(&bytes, &[maybe("input"), maybe("id"), maybe("system")]).expect_err("nothing").to_string();
    assert!(error.contains("no column `input`; the columns are large, view"), "{error}");
}

#[test]
fn no_cut_and_no_flipped_byte_makes_it_panic() {
    let whole = std::fs::read(fixture("alpaca")).expect("the fixture");
    let wanted = [must("instruction"), maybe("input")];
    let good = cells(&whole, &wanted).expect("whole");
    for end in 0..whole.len() {
        let error = cells(&whole[..end], &wanted).expect_err("cut off").to_string();
        assert!(error.starts_with("t.parquet: not a readable Parquet file: "), "{error}");
    }
    let mut read = 0;
    for place in 0..whole.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut damaged = whole.clone();
            damaged[place] ^= flip;
            match cells(&damaged, &wanted) {
                Ok(rows) => read += usize::from(rows == good),
                Err(error) => assert!(error.to_string().starts_with("t.parquet"), "{error}"),
            }
        }
    }
    assert!(read > 0, "what is not read does not matter");
}
