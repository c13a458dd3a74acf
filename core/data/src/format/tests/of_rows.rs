//! Tests of row files: their layout, Alpaca triples, conversations.

use std::path::Path;

use super::{ROW, folder, names, read_noted, spec};
use crate::error::DataError;
use crate::example::{Example, Split, Turn, TurnRole};
use crate::format::{FORMATS, FieldMap, SourceSpec, alpaca, chat};
use crate::{OrderChoice, Template, load_source, load_task, source_files, task_order};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/parquet").join(format!("{name}.parquet"))
}

fn tasks_of(spec: &SourceSpec) -> Result<Vec<String>, String> {
    task_order(spec, &OrderChoice::Default).map_err(|error| error.to_string())
}

#[test]
fn the_layouts_of_the_hub() {
    let folder = folder(&[
        ("parts/data/train-00000-of-00002.jsonl", ROW),
        ("parts/data/train-00001-of-00002.jsonl", ROW),
        ("parts/data/test-00000-of-00001-0a1b2c3d4e5f6071.jsonl", ROW),
        ("parts/data/validation-00000-of-00001.jsonl", "not read"),
        ("parts/README.md", ""),
        ("configs/main/train-00000-of-00001.jsonl", ROW),
        ("configs/main/test-00000-of-00001.jsonl", ROW),
        ("configs/socratic/train/0000.jsonl", ROW),
        ("configs/socratic/train/0001.jsonl", ROW),
        ("configs/socratic/test/0000.jsonl", ROW),
        ("datasets--org--the-name/snapshots/0123abc/train.jsonl", ROW),
        ("datasets--org--the-name/snapshots/0123abc/test.json", &format!("[{ROW}]")),
    ]);
    let at = |place: &str| spec("jsonl", &folder.path().join(place));
    assert_eq!(tasks_of(&at("parts")).expect("tasks"), ["parts"]);
    let task = load_task(&at("parts"), "parts").expect("rows");
    assert_eq!((task.train.len(), task.test.len()), (2, 1));
    let files = source_files(&at("parts"), &names(&["parts"]), Split::Train).expect("files");
    assert!(files[1].ends_with("parts/data/train-00001-of-00002.jsonl"), "{files:?}");
    assert_eq!(tasks_of(&at("configs")).expect("tasks"), ["main", "socratic"]);
    assert_eq!(load_task(&at("configs"), "socratic").expect("rows").train.len(), 2);
    let cached = at("datasets--org--the-name/snapshots/0123abc");
    assert_eq!(tasks_of(&cached).expect("tasks"), ["the-name"]);
    assert_eq!(load_task(&cached, "the-name").expect("rows").test[0].task, "the-name");
}

#[test]
fn rows_without_a_name_are_numbered_per_part() {
    let row = r#"{"input": "a", "output": "b"}"#;
    let folder = folder(&[("t/train-00000-of-00002.jsonl", row), ("t/train-00001-of-00002.jsonl", row)]);
    let rows = load_source(&spec("jsonl", folder.path()), &[], Split::Train).expect("rows");
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["t/train/train-00000-of-00002/1", "t/train/train-00001-of-00002/1"]);
}

#[test]
fn splits_and_parts_that_are_missing() {
    let folder = folder(&[
        ("no-test/train.jsonl", ROW),
        ("no-test/validation.jsonl", ROW),
        ("no-test/eval.jsonl", ROW),
        ("part/train-00000-of-00003.jsonl", ROW),
        ("part/train-00002-of-00003.jsonl", ROW),
        ("twice/train-00000-of-00001.jsonl", ROW),
        ("twice/train.jsonl", ROW),
        ("other/rows.jsonl", ROW),
    ]);
    let at = |place: &str| spec("jsonl", &folder.path().join(place));
    let error = load_task(&at("no-test"), "no-test").expect_err("no test rows").to_string();
    assert!(
        error.contains("no test rows of task `no-test` (test.jsonl); found eval.jsonl, train.jsonl, validation.jsonl; the file with the test rows must have that name"),
        "{error}"
    );
    let error = load_source(&at("part"), &[], Split::Train).expect_err("a part is missing").to_string();
    assert!(error.contains("found 2 of 3 parts of the train rows; missing: part 00001 of 00003"), "{error}");
    let error = load_source(&at("twice"), &[], Split::Train).expect_err("which of them?").to_string();
    assert!(error.contains("files with different numbers of parts"), "{error}");
    let error = tasks_of(&at("other")).expect_err("no split");
    assert!(error.contains("found rows.jsonl, none of which is named train or test"), "{error}");
}

#[test]
fn parquet_by_column_names() {
    let folder = tempfile::tempdir().expect("a folder");
    for split in ["train", "test"] {
        let file = folder.path().join(format!("q/{split}-00000-of-00001.parquet"));
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        std::fs::copy(fixture("snappy"), file).expect("copied");
    }
    let fields =
        FieldMap { input: Some("question".into()), output: Some("number".into()), ..FieldMap::default() };
    let named = SourceSpec { fields, ..spec("parquet", folder.path()) };
    let error = load_task(&named, "q").expect_err("a missing number").to_string();
    assert!(
        error.contains(
            "train-00000-of-00001.parquet, row 2: expected text or a list of texts in field `number`, not null"
        ),
        "{error}"
    );
    let by = |output: &str| SourceSpec {
        fields: FieldMap { output: Some(output.into()), ..named.fields.clone() },
        ..named.clone()
    };
    let rows = load_task(&by("half"), "q").expect("rows").train;
    assert_eq!((rows[6].id.as_str(), rows[6].output.as_str()), ("q6", "0.1"));
    let error = load_task(&by("answer"), "q").expect_err("no such column").to_string();
    assert!(error.contains("no column `answer`; the columns are question, label, number"), "{error}");
    let error = load_task(&spec("parquet", folder.path()), "q").expect_err("no output").to_string();
    assert!(error.contains("no column `output`; the columns are question"), "{error}");
}

fn triples(file: &str, text: &str) -> Result<(Vec<Example>, Vec<String>), DataError> {
    read_noted(Path::new(file), text.as_bytes(), &alpaca::WANTED, &mut alpaca::triple)
}

#[test]
fn triples_in_all_their_files() {
    let array = "[{\"instruction\": \"Add.\", \"input\": \"1 and 1\", \"output\": \"2\"},\n {\"instruction\": \"Say it.\", \"input\": \"\", \"output\": \"It.\", \"text\": 3}]";
    let lines = "{\"instruction\": \"Add.\", \"input\": \"1 and 1\", \"output\": \"2\"}\n{\"instruction\": \"Say it.\", \"output\": \"It.\"}\n";
    let folder = folder(&[("alpaca_data.json", array), ("lines.json", lines), ("lines.jsonl", lines)]);
    std::fs::copy(fixture("alpaca"), folder.path().join("table.parquet")).expect("copied");
    for name in ["alpaca_data.json", "lines.json", "lines.jsonl", "table.parquet"] {
        let rows = load_source(&spec("alpaca", &folder.path().join(name)), &[], Split::Train).expect(name);
        let shown: Vec<_> = rows
            .iter()
            .map(|row| (row.instruction.as_str(), row.input.as_str(), row.output.as_str()))
            .collect();
        assert_eq!(shown, [("Add.", "1 and 1", "2"), ("Say it.", "", "It.")], "{name}");
    }
    let error = triples("a.json", &array.replace("\"It.\"", "[\"It.\"]")).expect_err("a list").to_string();
    assert!(
        error.starts_with(
            "a.json:2: expected text in field `output`, not a list; the row has instruction, input, output, text"
        ),
        "{error}"
    );
    let error = triples("a.jsonl", "{\"x\\ny\": 1, \"output\": \"y\"}").expect_err("none").to_string();
    assert!(error.contains("the row has output, x y") && !error.contains('\n'), "{error}");
    let error = triples("a.jsonl", "{\"input\": \"x\", \"output\": \"y\"}").expect_err("none").to_string();
    assert!(error.starts_with("a.jsonl:1: expected field `instruction`"), "{error}");
}

const CHATS: &str = r#"{"messages": [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "And now?"}, {"role": "assistant", "content": "Bye."}], "id": "c"}
{"conversations": [{"from": "human", "value": "1 + 1"}, {"from": "gpt", "value": "2"}]}
"#;

fn chats(text: &str, fields: &FieldMap) -> Result<Vec<Example>, String> {
    chats_noted(text, fields).map(|(rows, _)| rows)
}

fn chats_noted(text: &str, fields: &FieldMap) -> Result<(Vec<Example>, Vec<String>), String> {
    let wanted = chat::wanted(fields);
    read_noted(Path::new("c.jsonl"), text.as_bytes(), &wanted, &mut |row, ids, sink| {
        chat::conversation(row, fields, ids, sink)
    })
    .map_err(|error| error.to_string())
}

fn turn(role: TurnRole, content: &str) -> Turn {
    Turn { role, content: content.into() }
}

#[test]
fn every_answer_of_a_conversation_is_an_example() {
    let rows = chats(CHATS, &FieldMap::default()).expect("conversations");
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids, ["c#1", "c#2", "t/train/2"]);
    assert_eq!(rows[0].turns, [turn(TurnRole::System, "Be short.")]);
    assert_eq!((rows[0].input.as_str(), rows[0].output.as_str()), ("Hello?", "Hello."));
    let before = [
        turn(TurnRole::System, "Be short."),
        turn(TurnRole::User, "Hello?"),
        turn(TurnRole::Assistant, "Hello."),
    ];
    assert_eq!(rows[1].turns, before);
    assert_eq!((rows[1].input.as_str(), rows[1].output.as_str()), ("And now?", "Bye."));
    assert!(rows[2].turns.is_empty());
    assert_eq!(rows[2].references, ["2"]);
    for (name, tasks) in [("messages", 3), ("conversations", 3)] {
        let read = load_source(&spec("chat", &fixture(name)), &[], Split::Train).expect(name);
        assert_eq!(read.len(), tasks);
        for (one, other) in read.iter().zip(&rows) {
            assert_eq!((&one.turns, &one.input, &one.output), (&other.turns, &other.input, &other.output));
        }
    }
    let fields = FieldMap { messages: Some("talk".into()), ..FieldMap::default() };
    let named = CHATS.lines().next().expect("a line").replace("messages", "talk");
    assert_eq!(chats(&named, &fields).expect("named").len(), 2);
    let error = chats(CHATS, &fields).expect_err("not named so");
    assert!(
        error.starts_with("c.jsonl:1: expected a list of messages in field `talk`; the row has id, messages"),
        "{error}"
    );
    let spec = SourceSpec { fields, ..spec("chat", &fixture("messages")) };
    let error = load_source(&spec, &[], Split::Train).expect_err("no such column").to_string();
    assert!(error.ends_with("no column `talk`; the columns are prompt_id, messages"), "{error}");
}

#[test]
fn conversations_that_are_none() {
    let refused = |messages: &str, part: &str| {
        let text = format!("\n{{\"messages\": {messages}}}");
        let error = chats(&text, &FieldMap::default()).expect_err(part);
        assert!(error.starts_with("c.jsonl:2: expected ") && error.contains(part), "{error}");
    };
    let user = r#"{"role": "user", "content": "Hello?"}"#;
    let assistant = r#"{"role": "assistant", "content": "Hello."}"#;
    let system = r#"{"role": "system", "content": "Be short."}"#;
    refused(
        &format!("[{assistant}]"),
        "a user message before each assistant message (message 1 of `messages`)",
    );
    refused(&format!("[{user}, {user}, {assistant}]"), "between two user messages (message 2");
    refused(&format!("[{user}, {assistant}, {assistant}]"), "(message 3");
    refused(&format!("[{user}, {system}, {assistant}]"), "a system message only at the beginning");
    refused(&format!("[{user}, {assistant}, {user}]"), "an assistant message at the end");
    refused(&format!("[{system}]"), "an assistant message at the end");
    refused("[]", "an assistant message at the end");
    refused("\"Hello?\"", "a list of messages in field `messages`");
    refused("null", "a list of messages in field `messages` or `conversations`");
    refused("[3]", "a message as an object");
    refused("[{\"content\": \"x\"}]", "a role in `role` or `from`");
    refused(
        "[{\"role\": \"narrator\", \"content\": \"x\"}]",
        "one of the roles system, user, human, assistant, gpt, not `narrator`",
    );
    refused(
        "[{\"role\": \"tool\", \"content\": \"x\"}]",
        "no tool messages, which are not supported, but the role is `tool`",
    );
    refused("[{\"role\": \"user\", \"content\": \" \"}]", "a non-empty `user` message");
    refused(
        "[{\"role\": \"user\", \"content\": null}]",
        "text in `content` or `value` of the `user` message, not null",
    );
    let calls = r#"{"role": "assistant", "content": "x", "tool_calls": [{}]}"#;
    refused(&format!("[{user}, {calls}]"), "no tool calls");
}

#[test]
fn a_template_that_shows_the_last_message_only_refuses_the_others() {
    let rows = chats(CHATS, &FieldMap::default()).expect("conversations");
    for (template, name) in [(Template::Plain, "plain"), (Template::Alpaca, "alpaca")] {
        let error = template.prompt(&rows[1]).expect_err("earlier turns").to_string();
        assert_eq!(
            error,
            format!(
                "template {name} does not show the 3 earlier turns of example `c#2`: use template = \"chat\", or a file that writes out `turns`"
            )
        );
        assert!(template.render(&rows[0]).is_err(), "a system message is a turn");
        assert!(template.prompt(&rows[2]).is_ok());
    }
    assert!(FORMATS.iter().filter(|entry| entry.turns).map(|entry| entry.name).eq(["alpaca", "chat"]));
}
