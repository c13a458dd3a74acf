//! Tests of formats on small generated files: what is read, what is refused and at which location, and that no input
//! causes a panic.

mod meaning;
mod of_rows;
mod python_json;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::field_rows::{EachOfTask, Ids};
use super::json::pieces::Division;
use super::rows::{Wanted, each_json};
use super::{
    FORMATS, FieldMap, Sink, SourceSpec, alpaca, chat, field_rows, format, natural_instructions, superni,
    text, trace,
};
use crate::error::DataError;
use crate::example::{Example, Split};
use crate::{OrderChoice, load_source, load_task, source_files, task_order};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("made");
        std::fs::write(file, text).expect("written");
    }
    folder
}

fn spec(format: &str, path: &Path) -> SourceSpec {
    SourceSpec { format: format.into(), path: Some(path.to_owned()), fields: FieldMap::default() }
}

/// The examples and notes that a reader produces from the rows of a JSON text.
fn read_noted(
    file: &Path,
    bytes: &[u8],
    wanted: &[Wanted],
    each: EachOfTask,
) -> Result<(Vec<Example>, Vec<String>), DataError> {
    let is_lines = file.extension().is_some_and(|ending| ending == "jsonl");
    let division = if is_lines { Division::Lines } else { Division::ArrayOrLines };
    let ids = Ids::new("t", Split::Train, file, false);
    let mut sink = Sink::keep();
    each_json(file, &mut &bytes[..], division, wanted, &mut sink, &mut |row, sink| each(row, &ids, sink))?;
    let notes = sink.notes().iter().map(ToString::to_string).collect();
    Ok((sink.rows(), notes))
}

/// The rows of a file, with these fields.
fn mapped(file: &Path, bytes: &[u8], fields: &FieldMap) -> Result<Vec<Example>, DataError> {
    let (rows, _) = read_noted(file, bytes, &field_rows::wanted(fields), &mut |row, ids, sink| {
        sink.take(row.file, field_rows::example(row, fields, ids)?)
    })?;
    Ok(rows)
}

/// The examples of a natural-instructions task.
fn natural(file: &Path, bytes: &[u8], split: Split) -> Result<Vec<Example>, DataError> {
    let mut sink = Sink::keep();
    natural_instructions::parse(file, bytes, "t", split, &mut sink)?;
    Ok(sink.rows())
}

fn names(tasks: &[&str]) -> Vec<String> {
    tasks.iter().map(|&task| task.to_owned()).collect()
}

const ROW: &str = r#"{"instruction": "Do.", "input": "a", "output": "b", "outputs": ["c", "b"], "id": "x-1", "licence": 3}"#;

#[test]
fn formats_have_distinct_names_and_descriptions() {
    for (place, entry) in FORMATS.iter().enumerate() {
        assert!(!entry.doc.is_empty());
        assert!(FORMATS[..place].iter().all(|other| other.name != entry.name));
        assert_eq!(entry.corpus, entry.whole.is_some());
    }
    let error = format("super-ni").expect_err("no such format");
    assert!(error.to_string().contains("superni, natural-instructions"), "{error}");
}

#[test]
fn superni_rows() {
    let folder = folder(&[
        ("qa/train.jsonl", &format!("{ROW}\n\n{ROW}\n")),
        ("qa/test.jsonl", r#"{"instruction": "Do.", "output": ""}"#),
        ("sa/train.jsonl", ROW),
        ("notes/readme.txt", ""),
    ]);
    let spec = spec("superni", folder.path());
    assert_eq!(superni::tasks(&spec).expect("tasks"), ["qa", "sa"]);
    let task = load_task(&spec, "qa").expect("both splits");
    assert_eq!(task.train.len(), 2);
    assert_eq!(
        task.train[0],
        Example {
            id: "x-1".into(),
            task: "qa".into(),
            turns: Vec::new(),
            instruction: "Do.".into(),
            input: "a".into(),
            output: "b".into(),
            references: names(&["c", "b"]),
        }
    );
    assert_eq!(task.test[0].id, "qa/test/1");
    assert_eq!(task.test[0].references, [""]);
    let error = load_task(&spec, "sa").expect_err("no test file").to_string();
    assert!(error.contains("sa: no test rows of task `sa` (test.jsonl); found train.jsonl;"), "{error}");
    let error = load_task(&spec, "qb").expect_err("no task").to_string();
    assert!(error.starts_with("no task `qb` in "), "{error}");
    assert!(error.ends_with("its tasks are qa, sa"), "{error}");
}

#[test]
fn a_broken_row_is_named_by_file_and_line() {
    let folder =
        folder(&[("qa/train.jsonl", &format!("{ROW}\n{{\"instruction\": [\"Do.\"], \"output\": 3}}\n"))]);
    let error =
        load_source(&spec("superni", folder.path()), &[], Split::Train).expect_err("a list").to_string();
    assert!(
        error.contains("qa/train.jsonl:2: expected text in field `instruction`, not a list; the row has instruction, output"),
        "{error}"
    );
    assert!(error.ends_with("found `{\"instruction\":[\"Do.\"],\"output\":3}`"), "{error}");
}

#[test]
fn a_path_that_is_missing_or_empty() {
    let folder = folder(&[("train.txt", "")]);
    for format in ["jsonl", "superni", "natural-instructions", "trace", "instructions"] {
        let entry = super::format(format).expect("a format");
        let none = SourceSpec { path: None, ..spec(format, folder.path()) };
        let error = (entry.tasks)(&none).expect_err("no path").to_string();
        assert!(error.starts_with(&format!("format `{format}` needs a path: ")), "{error}");
        let away = spec(format, &folder.path().join("away"));
        let error = (entry.tasks)(&away).expect_err("no folder").to_string();
        assert!(error.contains("away: not found; expected "), "{error}");
        let error = (entry.tasks)(&spec(format, folder.path())).expect_err("empty").to_string();
        assert!(error.contains("contains no examples; expected "), "{error}");
    }
}

#[test]
fn jsonl_by_field_names() {
    let rows = concat!(
        "{\"question\": \"How many?\", \"answer\": 4, \"id\": 7}\n",
        "{\"question\": \"Which?\", \"answer\": [\"this\", \"that\"]}\n",
    );
    let fields =
        FieldMap { input: Some("question".into()), output: Some("answer".into()), ..FieldMap::default() };
    let file = Path::new("q.jsonl");
    let read = mapped(file, rows.as_bytes(), &fields).expect("rows");
    assert_eq!((read[0].id.as_str(), read[0].output.as_str()), ("7", "4"));
    assert_eq!((read[0].instruction.as_str(), read[0].input.as_str()), ("", "How many?"));
    assert_eq!(read[1].id, "t/train/2");
    assert_eq!(read[1].references, ["this", "that"]);

    let refused = |fields: &FieldMap, row: &str, part: &str| {
        let error = mapped(file, row.as_bytes(), fields).expect_err(part).to_string();
        assert!(error.starts_with("q.jsonl:1: expected ") && error.contains(part), "{error}");
    };
    refused(&fields, r#"{"answer": "x"}"#, "field `question`; the row has answer");
    refused(&fields, r#"{"question": "x"}"#, "field `answer`");
    refused(&fields, r#"{"question": "x", "answer": []}"#, "at least one correct answer");
    refused(&fields, r#"{"question": "x", "answer": {}}"#, "text or a list of texts");
    refused(&fields, r#"{"question": null, "answer": "x"}"#, "text in field `question`");
    refused(&fields, "[]", "a JSON object");
    refused(&FieldMap::default(), r#"{"output": "x"}"#, "`instruction` or `input`");
}

#[test]
fn jsonl_layouts() {
    let folder = folder(&[
        ("tasks/one/train.jsonl", ROW),
        ("tasks/one/test.jsonl", ROW),
        ("gsm/train.jsonl", ROW),
        ("gsm/test.jsonl", ROW),
        ("rows.jsonl", ROW),
    ]);
    let at = |place: &str| spec("jsonl", &folder.path().join(place));
    assert_eq!(task_order(&at("tasks"), &OrderChoice::Default).expect("order"), ["one"]);
    assert_eq!(task_order(&at("gsm"), &OrderChoice::Default).expect("order"), ["gsm"]);
    assert_eq!(load_task(&at("gsm"), "gsm").expect("a task").test[0].task, "gsm");
    let rows = load_source(&at("rows.jsonl"), &[], Split::Test).expect("a file");
    assert_eq!(rows[0].task, "rows");
    let error = task_order(&at("rows.jsonl"), &OrderChoice::Default).expect_err("no test rows");
    assert!(error.to_string().contains("no separate test rows"), "{error}");
}

#[test]
fn orders_are_named_listed_or_by_default() {
    let five = ["qa", "qg", "sa", "sum", "trans"];
    let files: Vec<String> = five.iter().map(|task| format!("{task}/train.jsonl")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|file| (file.as_str(), ROW)).collect();
    let folder = folder(&files);
    let spec = spec("superni", folder.path());
    let order = |choice| task_order(&spec, &choice).map_err(|error| error.to_string());
    assert_eq!(order(OrderChoice::Default).expect("O1"), five);
    assert_eq!(order(OrderChoice::Named("O2".into())).expect("O2"), ["trans", "sa", "qa", "sum", "qg"]);
    assert_eq!(order(OrderChoice::Tasks(names(&["sa"]))).expect("one"), ["sa"]);
    assert!(
        order(OrderChoice::Named("ten".into())).expect_err("five are there").starts_with("no task `dsg`")
    );
    let error = order(OrderChoice::Named("O9".into())).expect_err("no such order");
    assert_eq!(error, "format `superni` has no order `O9`; its orders are O1, O2, O3, ten");
    let error = order(OrderChoice::Tasks(names(&["sa", "sa"]))).expect_err("twice");
    assert_eq!(error, "task `sa` is listed twice in the order");
    let error = order(OrderChoice::Tasks(names(&["sun"]))).expect_err("a slip");
    assert!(error.contains("its tasks are sum, "), "the closest comes first: {error}");
}

const TASK: &str = r#"{
    "Definition": ["Say the name."],
    "URL": [NaN, -Infinity],
    "Positive Examples": [{"input": "NaN", "output": "n", "explanation": ""}],
    "Instances": [
        {"id": "i0", "input": "NaN", "output": ["not a number", "nan"]},
        {"id": "i1", "input": "1", "output": "one"},
        {"id": "i2", "input": "2", "output": ["two"]},
        {"id": "i3", "input": "2", "output": ["zwei"]},
        {"id": "i4", "input": "3", "output": ["three"]},
        {"id": "i5", "input": "4", "output": ["four"]}
    ]
}"#;

#[test]
fn natural_instructions_with_bare_nan() {
    let folder = folder(&[("tasks/task007_names.json", TASK)]);
    let spec = spec("natural-instructions", folder.path());
    assert_eq!(natural_instructions::tasks(&spec).expect("tasks"), ["task007_names"]);
    let task = load_task(&spec, "task007_names").expect("a task");
    let all: Vec<&Example> = task.train.iter().chain(&task.test).collect();
    assert_eq!(all.len(), 6);
    let first = all.iter().find(|row| row.id == "i0").expect("the first");
    assert_eq!(first.instruction, "Say the name.");
    assert_eq!((first.input.as_str(), first.output.as_str()), ("NaN", "not a number"));
    assert_eq!(first.references, ["not a number", "nan"]);
    assert!(!task.test.is_empty() && task.test.len() <= 2);
    for row in &task.test {
        assert!(task.train.iter().all(|other| other.input != row.input), "{} on both sides", row.input);
    }
}

#[test]
fn a_broken_task_file_is_located() {
    let file = Path::new("task1.json");
    let refused = |text: &str, part: &str| {
        let error = natural(file, text.as_bytes(), Split::Train).expect_err(part).to_string();
        assert!(error.starts_with("task1.json:") && error.contains(part), "{error}");
    };
    refused(
        &TASK.replace("\"two\"", "{}"),
        "task1.json:8: expected text or a list of texts in field `output`, not a record",
    );
    refused(
        &TASK.replace("\"two\"", "NaN"),
        "task1.json:8: expected text or a list of texts in field `output`, not NaN",
    );
    refused(&TASK.replace("Instances", "Rows"), "missing field `Instances`");
    refused(&TASK.replace("[\"Say the name.\"]", "[]"), "Definition is empty");
    refused(
        &TASK.replace("\"one\"", "[]"),
        "task1.json:7: expected at least one correct answer (instance 1 has an empty output list",
    );
    refused("", "the text ends where there should be an object");
    refused(&TASK.replace("\"four\"", "'four'"), "task1.json:11: ");
}

#[test]
fn trace_arrays() {
    let folder = folder(&[
        ("FOMC/train.json", r#"[{"prompt": "<s> p", "answer": "A"}, {"prompt": "q", "answer": "B"}]"#),
        ("FOMC/eval.json", "not read"),
        ("FOMC/test.json", "[]"),
    ]);
    let spec = spec("trace", folder.path());
    assert_eq!(trace::tasks(&spec).expect("tasks"), ["FOMC"]);
    let rows = load_source(&spec, &[], Split::Train).expect("rows");
    assert_eq!(rows[1].id, "FOMC/train/1");
    assert_eq!((rows[0].input.as_str(), rows[0].output.as_str()), ("<s> p", "A"));
    let error = load_source(&spec, &[], Split::Test).expect_err("no row").to_string();
    assert!(error.contains("contains no examples"), "{error}");
    std::fs::write(folder.path().join("FOMC/test.json"), "[\n{\"prompt\": \"x\"}]").expect("written");
    let error = load_source(&spec, &[], Split::Test).expect_err("no answer").to_string();
    assert!(error.contains("FOMC/test.json:2: expected field `answer`; the row has prompt"), "{error}");
}

#[test]
fn instruction_rows_of_both_kinds() {
    let rows = concat!(
        "{\"instruction\": \"Do.\", \"input\": \"a\", \"output\": \"b\", \"task_id\": \"t1\"}\n",
        "{\"id\": \"s\", \"input\": \"a\", \"output\": \"b\", \"full_prompt\": \"Do it.\\n\\na\", \"task_name\": \"t2\"}\n",
        "{\"instruction\": \"Do.\", \"output\": \"b\"}\n",
    );
    let folder = folder(&[("more.json", rows)]);
    let spec = spec("instructions", &folder.path().join("more.json"));
    let read = load_source(&spec, &[], Split::Train).expect("rows");
    let tasks: Vec<&str> = read.iter().map(|row| row.task.as_str()).collect();
    assert_eq!(tasks, ["t1", "t2", "more"]);
    assert_eq!((read[1].instruction.as_str(), read[1].input.as_str()), ("Do it.", "a"));
    assert_eq!(read[2].id, "more/3");
    let some = load_source(&spec, &names(&["t2"]), Split::Test).expect("a task");
    assert_eq!(some.len(), 1);
    let error = load_source(&spec, &names(&["t3"]), Split::Test).expect_err("no such task");
    assert!(error.to_string().starts_with("no task `t3`"), "{error}");
    assert_eq!(source_files(&spec, &[], Split::Train).expect("files"), [folder.path().join("more.json")]);
    assert!(task_order(&spec, &OrderChoice::Default).is_err(), "a corpus is no stream");
    std::fs::write(folder.path().join("more.json"), "[{\"output\": \"b\"}]").expect("written");
    let error = load_source(&spec, &[], Split::Train).expect_err("no prompt").to_string();
    assert!(
        error.contains("more.json:1: expected `instruction` or `full_prompt`; the row has output"),
        "{error}"
    );
}

#[test]
fn text_in_pieces() {
    let folder = folder(&[("a.txt", "One.\r\n\r\nTwo."), ("b.txt", &"word ".repeat(300)), ("c.md", "no")]);
    let spec = spec("text", folder.path());
    let rows = load_source(&spec, &[], Split::Train).expect("pieces");
    assert_eq!(rows[0].output, "One.\n\nTwo.");
    assert_eq!(rows.iter().filter(|row| row.task == "b").count(), 3);
    let error = text::parse(Path::new("a.txt"), b"good\nbad \xff").expect_err("no UTF-8");
    assert_eq!(error.to_string(), "a.txt:2: expected UTF-8 text, found `bad`");
}

/// Runs every reader on the same bytes.
fn read_everywhere(bytes: &[u8]) {
    let file = PathBuf::from("any");
    let _ = read_noted(&file, bytes, &superni::WANTED, &mut superni::row);
    let _ = read_noted(&file, bytes, &alpaca::WANTED, &mut alpaca::triple);
    let fields = FieldMap::default();
    let _ = mapped(&file, bytes, &fields);
    let _ = read_noted(&file, bytes, &chat::wanted(&fields), &mut |row, ids, sink| {
        chat::conversation(row, &fields, ids, sink)
    });
    let _ = natural(&file, bytes, Split::Test);
    let _ = natural(&file, bytes, Split::Train);
    let _ = text::parse(&file, bytes);
    let _ = crate::row_files::parse::<Example>("examples", &file, bytes);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn no_damaged_file_makes_a_reader_panic(
        whole in prop::sample::select(vec![ROW, TASK, "[{\"prompt\": \"ä\", \"answer\": \"\"}]"]),
        at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = whole.as_bytes().to_vec();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()) + 1);
        read_everywhere(&bytes);
        read_everywhere(&whole.as_bytes()[..place]);
    }

    #[test]
    fn any_text_is_cut_into_pieces_that_hold_all_its_words(text in "([a-zäß]{1,9}[.!]? ?\n{0,2}){0,400}") {
        let rows = text::parse(Path::new("any"), text.as_bytes()).expect("text");
        let words: Vec<&str> = text.split_whitespace().collect();
        let kept: String = rows.iter().map(|row| row.output.clone()).collect::<Vec<_>>().join(" ");
        // Only a word longer than a piece is cut; here, that is a run without a space.
        let joined: String = kept.split_whitespace().collect();
        prop_assert_eq!(joined, words.concat());
    }
}
