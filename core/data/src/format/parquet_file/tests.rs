//! Files that pyarrow wrote (`core/data/fixtures/record.py`): what is read of them, and what is refused.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::rows::Wanted;
use super::parse;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parquet").join(format!("{name}.parquet"))
}

fn read(name: &str, columns: &[&str]) -> Result<Vec<Value>, String> {
    let wanted: Vec<Wanted> = columns.iter().map(|name| Wanted { name, must: true }).collect();
    let bytes = std::fs::read(fixture(name)).expect("the fixture");
    let (_, rows) = parse(Path::new("t.parquet"), bytes, &wanted).map_err(|error| error.to_string())?;
    Ok(rows.into_iter().map(Value::Object).collect())
}

#[test]
fn every_compression_and_type_over_several_row_groups() {
    let columns = ["question", "label", "number", "small", "share", "half", "right", "answers", "id"];
    for name in ["snappy", "zstd", "gzip", "none"] {
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
        assert_eq!(Value::from(column("share")), json!([0.5, 0.1, null, 2.0, -1.5, null, 0.001]));
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
fn messages_come_without_the_fields_that_nobody_reads() {
    let rows = read("messages", &["messages"]).expect("rows");
    assert_eq!(rows[0]["messages"][0], json!({ "content": "Be short.", "role": "system" }));
    assert_eq!(rows[0]["messages"].as_array().map(Vec::len), Some(5));
    assert_eq!(rows[1]["messages"][1], json!({ "content": "2", "role": "assistant" }));
    let rows = read("conversations", &["conversations"]).expect("rows");
    assert_eq!(rows[1]["conversations"][0], json!({ "from": "human", "value": "1 + 1" }));
}

#[test]
fn a_column_that_is_not_there_or_of_no_use() {
    let error = read("alpaca", &["question"]).expect_err("no such column");
    assert_eq!(error, "t.parquet: no column `question`; there are instruction, input, output, text");
    let error = read("none", &["when"]).expect_err("a date");
    assert!(error.starts_with("t.parquet: column `when` is INT32 (DATE); expected text, "), "{error}");
    assert_eq!(read("empty", &["instruction"]).expect("no rows"), Vec::<Value>::new());
}

#[test]
fn no_cut_and_no_flipped_byte_makes_it_panic() {
    let whole = std::fs::read(fixture("alpaca")).expect("the fixture");
    let wanted = [Wanted { name: "instruction", must: true }, Wanted { name: "input", must: false }];
    let file = Path::new("t.parquet");
    let good = parse(file, whole.clone(), &wanted).expect("whole");
    for end in 0..whole.len() {
        let error = parse(file, whole[..end].to_vec(), &wanted).expect_err("cut off").to_string();
        assert!(error.starts_with("t.parquet: no readable Parquet file: "), "{error}");
    }
    let mut read = 0;
    for place in 0..whole.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut damaged = whole.clone();
            damaged[place] ^= flip;
            match parse(file, damaged, &wanted) {
                Ok(rows) => read += usize::from(rows == good),
                Err(error) => assert!(error.to_string().starts_with("t.parquet"), "{error}"),
            }
        }
    }
    assert!(read > 0, "what is not read does not matter");
}
