//! TRACE in its official layout: one folder per task, with arrays of prompts and answers. Prompts are used unchanged,
//! including `<s>` and `<EOL>`; `eval.json` is ignored.

use std::path::{Path, PathBuf};

use super::field_rows::{Ids, visit_with};
use super::rows::{Row, Wanted, maybe, must};
use super::sink::Sink;
use super::{SourceSpec, path_of, task_files};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a folder of <task>/{train,test}.json (or .jsonl), each a JSON array of {\"prompt\", \"answer\"}; the prompt becomes the input, without an instruction";

pub(super) const ORDERS: &[(&str, &[&str])] = &[(
    "paper",
    &["C-STANCE", "FOMC", "MeetingBank", "Py150", "ScienceQA", "NumGLUE-cm", "NumGLUE-ds", "20Minuten"],
)];

/// File endings; the one of the official files comes first.
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

/// Passes a pair to the sink, named by its index from 0.
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
