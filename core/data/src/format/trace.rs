//! TRACE in its official layout: an array of prompts and answers, a folder a task. The prompt goes through as it
//! is, `<s>` and `<EOL>` and all; its `eval.json` is not read.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{SourceSpec, json_rows, path_of, task_folders};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a folder of <task>/{train,test}.json, each a JSON array of {\"prompt\", \"answer\"}; the prompt is the input, without an instruction of its own";

pub(super) const ORDERS: &[(&str, &[&str])] = &[(
    "paper",
    &["C-STANCE", "FOMC", "MeetingBank", "Py150", "ScienceQA", "NumGLUE-cm", "NumGLUE-ds", "20Minuten"],
)];

const EXPECTED: &str = "a JSON array of objects with the strings prompt and answer";
const ENDING: &str = "json";

#[derive(Deserialize)]
struct Pair {
    prompt: String,
    answer: String,
}

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_folders::tasks(path(spec)?, ENDING)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    Ok(vec![task_folders::file(path(spec)?, task, split, ENDING)?])
}

pub(super) fn load(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    let file = task_folders::file(path(spec)?, task, split, ENDING)?;
    let bytes = json_rows::read(&file, EXPECTED)?;
    let examples = parse(&file, &bytes, task, split)?;
    if examples.is_empty() {
        return Err(DataError::Empty { file, expected: EXPECTED.into() });
    }
    Ok(examples)
}

pub(super) fn parse(file: &Path, bytes: &[u8], task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    let pairs: Vec<Pair> = json_rows::parse_whole(file, bytes, EXPECTED)?;
    Ok(pairs
        .into_iter()
        .enumerate()
        .map(|(number, pair)| Example {
            id: format!("{task}/{}/{number}", split.name()),
            task: task.to_owned(),
            turns: Vec::new(),
            instruction: String::new(),
            input: pair.prompt,
            references: vec![pair.answer.clone()],
            output: pair.answer,
        })
        .collect())
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "trace", "a folder of <task>/{train,test}.json")
}
