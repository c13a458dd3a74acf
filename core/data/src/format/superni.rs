//! Super-NaturalInstructions tasks as JSON lines, a folder a task. Gives rows in the order of the file: some of
//! these files list one label first, so sample before cutting.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{SourceSpec, json_rows, path_of, task_folders};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a folder of <task>/{train,test}.jsonl, rows with instruction, input, output and, where there are several right answers, outputs; `id` and `task_id` are kept, other fields are not read";

/// Tasks and orders of SSR's study (arXiv 2403.01244), which SEE follows.
pub(super) const ORDERS: &[(&str, &[&str])] = &[
    ("O1", &["qa", "qg", "sa", "sum", "trans"]),
    ("O2", &["trans", "sa", "qa", "sum", "qg"]),
    ("O3", &["sum", "qg", "trans", "qa", "sa"]),
    ("ten", &["qa", "qg", "sa", "sum", "trans", "dsg", "expl", "para", "pe", "pos"]),
];

const EXPECTED: &str = "a JSON object with the strings instruction, input and output";
const ENDING: &str = "jsonl";

/// A row of this format; `instructions` reads the same.
#[derive(Deserialize)]
pub(super) struct Row {
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) instruction: String,
    #[serde(default)]
    pub(super) input: String,
    pub(super) output: String,
    #[serde(default)]
    pub(super) outputs: Vec<String>,
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
    let rows = json_rows::parse_lines::<Row>(file, bytes, EXPECTED)?;
    Ok(rows
        .into_iter()
        .map(|(line, row)| Example {
            id: row.id.unwrap_or_else(|| format!("{task}/{}/{line}", split.name())),
            task: task.to_owned(),
            turns: Vec::new(),
            instruction: row.instruction,
            input: row.input,
            references: references(&row.output, row.outputs),
            output: row.output,
        })
        .collect())
}

/// All right answers with the learnt one among them, in front where it was missing.
pub(super) fn references(output: &str, mut others: Vec<String>) -> Vec<String> {
    if !others.iter().any(|other| other == output) {
        others.insert(0, output.to_owned());
    }
    others
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "superni", "a folder of <task>/{train,test}.jsonl")
}
