//! TRACE in its official layout: an array of prompts and answers, a folder a task. The prompt goes through as it
//! is, `<s>` and `<EOL>` and all; its `eval.json` is not read.

use std::path::{Path, PathBuf};

use super::field_rows::{Ids, visit_with};
use super::rows::{Row, Wanted, maybe, must};
use super::sink::Sink;
use super::{SourceSpec, path_of, task_files};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a folder of <task>/{train,test}.json (or .jsonl), each a JSON array of {\"prompt\", \"answer\"}; the prompt is the input, without an instruction of its own";

pub(super) const ORDERS: &[(&str, &[&str])] = &[(
    "paper",
    &["C-STANCE", "FOMC", "MeetingBank", "Py150", "ScienceQA", "NumGLUE-cm", "NumGLUE-ds", "20Minuten"],
)];

/// As the official files end, first.
const ENDINGS: &[&str] = &["json", "jsonl"];

const WANTED: [Wanted; 3] = [must("prompt"), must("answer"), maybe("weight")];

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, ENDINGS)
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    let mut number = 0;
    visit_with(&files(spec, task, split)?, task, split, &WANTED, sink, &mut |row, ids, sink| {
        number += 1;
        pair(row, ids, number - 1, sink)
    })
}

/// Takes a pair, which is named by its place from 0.
fn pair(row: &Row, ids: &Ids, number: usize, sink: &mut Sink) -> Result<(), DataError> {
    if row.left_out(sink) {
        return Ok(());
    }
    let answer = row.text("answer")?;
    let example = Example {
        id: ids.numbered(number),
        task: ids.task.clone(),
        turns: Vec::new(),
        instruction: String::new(),
        input: row.text("prompt")?,
        references: vec![answer.clone()],
        output: answer,
    };
    sink.take(row.file, example)
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "trace", "a folder of <task>/{train,test}.json")
}
