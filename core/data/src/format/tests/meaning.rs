//! Tests of fields that had a meaning for their author: each is used, refused or noted. Also tests typical real-world
//! files.

use std::io::Write;
use std::path::Path;

use super::{ROW, folder, spec};
use crate::example::{Example, Split, Turn, TurnRole};
use crate::format::{FieldMap, SourceSpec};
use crate::{OrderChoice, load_source_noted, task_order};

fn read(spec: &SourceSpec, split: Split) -> Result<(Vec<Example>, Vec<String>), String> {
    let (rows, notes) = load_source_noted(spec, &[], split).map_err(|error| error.to_string())?;
    let strip = |note: String| match note.rsplit_once('/') {
        Some((_, note)) => note.to_owned(),
        None => note,
    };
    Ok((rows, notes.iter().map(|note| strip(note.to_string())).collect()))
}

fn rows(format: &str, text: &str) -> Result<(Vec<Example>, Vec<String>), String> {
    let folder = folder(&[("r.jsonl", text)]);
    read(&spec(format, &folder.path().join("r.jsonl")), Split::Train)
}

fn talk(messages: &str, more: &str) -> Result<(Vec<Example>, Vec<String>), String> {
    rows("chat", &format!("{{\"messages\": [{messages}]{more}}}"))
}

const USER: &str = r#"{"role": "user", "content": "a"}"#;
const ANSWER: &str = r#"{"role": "assistant", "content": "b"}"#;

fn turn(role: TurnRole, content: &str) -> Turn {
    Turn { role, content: content.into() }
}

#[test]
fn answers_that_are_not_to_be_learned_are_shown_only() {
    for mark in [r#""weight": 0"#, r#""weight": 0.0"#, r#""train": false"#] {
        let bad = format!(r#"{{"role": "assistant", "content": "bad", {mark}}}"#);
        let good = r#"{"role": "assistant", "content": "good", "weight": 1, "train": true}"#;
        let (read, notes) = talk(&format!("{USER}, {bad}, {USER}, {good}"), "").expect("a conversation");
        assert_eq!(read.len(), 1, "{mark}");
        assert_eq!((read[0].output.as_str(), read[0].id.as_str()), ("good", "r/train/1#2"));
        assert_eq!(read[0].turns, [turn(TurnRole::User, "a"), turn(TurnRole::Assistant, "bad")]);
        assert!(notes.is_empty(), "{notes:?}");
        let (read, notes) = talk(&format!("{USER}, {bad}"), "").expect("a conversation");
        assert!(
            read.is_empty() && notes[0].starts_with("r.jsonl:1: no answer in the conversation is trained on"),
            "{notes:?}"
        );
    }
    for (mark, part) in [
        (r#""weight": 0.5"#, "a `weight` of 0 or 1, not 0.5 (message 2"),
        (r#""train": "no""#, "true or false in `train`, not text (message 2"),
    ] {
        let odd = format!(r#"{{"role": "assistant", "content": "b", {mark}}}"#);
        let error = talk(&format!("{USER}, {odd}"), "").expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_system_message_beside_the_conversation_is_its_first() {
    let both = format!("{USER}, {ANSWER}");
    let (read, _) = talk(&both, r#", "system": "Be short.""#).expect("a conversation");
    assert_eq!(read[0].turns, [turn(TurnRole::System, "Be short.")]);
    let (read, notes) = talk(&both, r#", "system": "", "tools": "[]""#).expect("a conversation");
    assert!(read[0].turns.is_empty() && notes.is_empty(), "{notes:?}");
    let twice = format!(r#"{{"role": "system", "content": "s"}}, {both}"#);
    let error = talk(&twice, r#", "system": "Be short.""#).expect_err("two");
    assert!(error.contains("a system message in field `system` or here, not in both (message 1"), "{error}");
    let error = talk(&both, r#", "system": 3.5e400"#).expect_err("a number");
    assert!(error.contains("text in field `system`, not 3.5e400"), "{error}");
    let (_, notes) =
        talk(&both, r#", "tools": [{"name": "f"}], "chosen": ["x"], "images": [], "rejected": null"#)
            .expect("a row");
    assert_eq!(
        notes,
        [
            "r.jsonl:1: field `chosen` is not read by this format",
            "r.jsonl:1: `tools` are not shown to the model"
        ]
    );
}

#[test]
fn content_in_parts_is_their_text() {
    let user = r#"{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "x"}"#;
    let (read, notes) = talk(&format!("{user}, {ANSWER}"), "").expect("a conversation");
    assert_eq!(read[0].input, "ab");
    assert_eq!(notes, ["r.jsonl:1: the message field `name` is ignored"]);
    for (content, part) in [
        (
            r#"[{"type": "text", "text": "a"}, {"type": "image_url", "image_url": "x"}]"#,
            "not part 2 of type `image_url` (message 1",
        ),
        (r#"["a"]"#, "not part 1, which is not {\"type\": \"text\""),
        ("[]", "a non-empty `user` message"),
        ("null", "not null (message 1"),
        ("NaN", "not NaN (message 1"),
    ] {
        let error =
            talk(&format!(r#"{{"role": "user", "content": {content}}}, {ANSWER}"#), "").expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn conversations_of_tables_keep_their_parts_weights_and_calls() {
    let fixture = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parquet").join(format!("{name}.parquet"))
    };
    let (read_parts, notes) = read(&spec("chat", &fixture("parts")), Split::Train).expect("rows");
    let shown: Vec<(&str, &str, usize)> =
        read_parts.iter().map(|row| (row.input.as_str(), row.output.as_str(), row.turns.len())).collect();
    assert_eq!(shown, [("c", "good", 2), ("a", "b", 0)]);
    assert_eq!(read_parts[0].turns[0].content, "ab");
    assert!(notes.is_empty(), "{notes:?}");
    for (name, part) in [
        (
            "calls",
            "row 2: expected no tool calls, which are not supported, but there are some in `tool_calls` (message 2",
        ),
        (
            "picture",
            "row 2: expected text in `content` or `value` of the `assistant` message, not part 1 of type `image` (message 2",
        ),
    ] {
        let error = read(&spec("chat", &fixture(name)), Split::Train).expect_err(name);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn rows_of_no_weight_are_left_out() {
    let text = "{\"instruction\": \"a\", \"input\": \"\", \"output\": \"b\", \"weight\": 0}\n{\"instruction\": \"a\", \"output\": \"c\", \"weight\": 1}\n{\"instruction\": \"a\", \"output\": \"d\", \"weight\": 0.5}\n{\"instruction\": \"a\", \"output\": \"e\", \"weight\": null}\n";
    for format in ["jsonl", "alpaca", "instructions"] {
        let (read, notes) = rows(format, text).expect("rows");
        let outputs: Vec<&str> = read.iter().map(|row| row.output.as_str()).collect();
        assert_eq!(outputs, ["c", "d", "e"], "{format}");
        assert_eq!(notes[0], "r.jsonl:1: `weight` is 0: the row is skipped", "{format}");
        assert!(notes[1].starts_with("r.jsonl:3: `weight` is neither 0 nor 1 and is ignored"), "{format}");
    }
    let fields = FieldMap { output: Some("weight".into()), ..FieldMap::default() };
    let folder = folder(&[("r.jsonl", text.lines().next().unwrap_or_default())]);
    let named = SourceSpec { fields, ..spec("jsonl", &folder.path().join("r.jsonl")) };
    assert_eq!(read(&named, Split::Train).expect("rows").0[0].output, "0", "a label of the recipe's own");
}

#[test]
fn ignored_fields_with_a_meaning_are_noted() {
    let row = r#"{"instruction": "a", "output": "b", "system": "s", "history": [["q", "r"]], "outputs": ["c"], "images": ["x.png"], "tools": null, "rejected": ""}"#;
    let (_, notes) = rows("jsonl", row).expect("rows");
    let reported: Vec<&str> = notes.iter().filter_map(|note| note.split('`').nth(1)).collect();
    assert_eq!(reported, ["system", "history", "outputs", "images"]);
    let (read, notes) = rows("alpaca", row).expect("rows");
    let before = [turn(TurnRole::System, "s"), turn(TurnRole::User, "q"), turn(TurnRole::Assistant, "r")];
    assert_eq!(read[0].turns, before);
    let reported: Vec<&str> = notes.iter().filter_map(|note| note.split('`').nth(1)).collect();
    assert_eq!(reported, ["outputs", "images"]);
    let error = rows("alpaca", r#"{"instruction": "a", "output": "b", "history": [["q"]]}"#)
        .expect_err("half a pair");
    assert!(error.contains("a list of [question, answer] pairs of text in field `history`"), "{error}");
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).expect("packed");
    packed.finish().expect("packed")
}

#[test]
fn csv_and_packed_files() {
    let csv = "instruction,input,output,id\n\"Add, please.\",\"1\n1\",2,x\nSay it.,,\"\"\"It\"\".\",\n";
    let folder = folder(&[
        ("c/train.csv", csv),
        ("c/test.tsv", "instruction\toutput\r\na\tb\r\n"),
        ("p/data/test-00000-of-00001.jsonl", ROW),
    ]);
    std::fs::write(folder.path().join("p/data/train-00000-of-00001.jsonl.gz"), packed(ROW)).expect("written");
    let at = |name: &str| spec("jsonl", &folder.path().join(name));
    let (train, _) = read(&at("c"), Split::Train).expect("rows");
    assert_eq!((train[0].instruction.as_str(), train[0].input.as_str()), ("Add, please.", "1\n1"));
    assert_eq!((train[1].input.as_str(), train[1].output.as_str()), ("", "\"It\"."));
    assert_eq!((train[0].id.as_str(), train[1].id.as_str()), ("x", "c/train/2"));
    assert_eq!(read(&at("c"), Split::Test).expect("rows").0[0].output, "b");
    let (train, _) = read(&at("p"), Split::Train).expect("rows");
    assert_eq!((train[0].output.as_str(), train[0].task.as_str()), ("b", "p"));
    for (text, part) in [
        ("instruction,output\na,b\nc\n", "c.csv:3: expected 2 fields as in the header, not 1"),
        (
            "instruction,output\na,b\n\n\nc,\n",
            "c.csv:5: expected text or a list of texts in field `output`, not null",
        ),
        ("instruction,answer\na,b\n", "c.csv: no column `output`; the columns are instruction, answer"),
        ("output,output\na,b\n", "c.csv:1: expected distinct names in the header, but `output` occurs twice"),
        ("instruction,output\n", "c.csv: contains no examples"),
        ("", "c.csv: contains no examples"),
    ] {
        let file = folder.path().join("c.csv");
        std::fs::write(&file, text).expect("written");
        let error = read(&spec("jsonl", &file), Split::Train).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
    let file = folder.path().join("l.csv");
    std::fs::write(&file, b"instruction,output\na,\xff\n").expect("written");
    let error = read(&spec("jsonl", &file), Split::Train).expect_err("other bytes");
    assert!(error.contains("l.csv:2: expected UTF-8 text (field 2 is not UTF-8)"), "{error}");
}

#[test]
fn folder_contents_are_listed_if_no_split_is_found() {
    let reported = |format: &str, files: &[(&str, &str)]| {
        let folder = folder(files);
        task_order(&spec(format, folder.path()), &OrderChoice::Default).expect_err("nothing").to_string()
    };
    for format in ["jsonl", "alpaca", "chat", "superni", "trace"] {
        let error =
            reported(format, &[("data/train_sft-00000-of-00001.jsonl", ROW), ("data/test_sft.jsonl", ROW)]);
        assert!(error.contains("found data/test_sft.jsonl, data/train_sft-00000-of-00001.jsonl, none of which is named train or test"), "{error}");
        let error = reported(format, &[("t/Train.jsonl", ROW), ("t/dev.jsonl", ROW)]);
        assert!(error.contains("found t/Train.jsonl, t/dev.jsonl, none of which"), "{error}");
        let error = reported(format, &[("train.jsonl.xz", "")]);
        assert!(error.contains("found train.jsonl.xz, which are not supported"), "{error}");
    }
    let error = reported("superni", &[("t/train.csv", ""), ("t/test.csv", "")]);
    assert!(error.contains("t/test.csv, t/train.csv, which this format does not read: `jsonl`"), "{error}");
    for format in ["instructions", "text", "natural-instructions"] {
        let folder = folder(&[("rows.parquet", ""), ("notes/a.md", "")]);
        let entry = crate::format::format(format).expect("a format");
        let error = (entry.tasks)(&spec(format, folder.path())).expect_err("nothing").to_string();
        assert!(error.contains("found rows.parquet, which this format does not read"), "{error}");
    }
    let folder = folder(&[("t/train.jsonl", ROW), ("t/train.json", "[]"), ("t/test.jsonl", ROW)]);
    let error = read(&spec("jsonl", folder.path()), Split::Train).expect_err("which?");
    assert!(error.ends_with("several files could be the train rows: train.jsonl, train.json; keep one of them, or set `path` to it"), "{error}");
}
