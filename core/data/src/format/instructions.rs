//! Instruction rows as a corpus: many tasks in one file, nothing held back for test. Never a stream.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::superni::references;
use super::{SourceSpec, json_rows, path_of, task_folders};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a corpus of JSON lines (a .jsonl or .json file, or a folder of them): rows with instruction, input, output, outputs and task_id, or rows of SSR's files with full_prompt, input, output and task_name. Both splits give all rows; a task is what task_id or task_name says, else the file's name";

const EXPECTED: &str = "a JSON object with instruction (or full_prompt), input and output as strings";

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    instruction: Option<String>,
    #[serde(default)]
    full_prompt: Option<String>,
    #[serde(default)]
    input: String,
    output: String,
    #[serde(default)]
    outputs: Vec<String>,
    #[serde(default)]
    task_id: Option<String>,
    #[serde(default)]
    task_name: Option<String>,
}

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    let mut names: Vec<String> = rows(spec)?.into_iter().map(|row| row.task).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

pub(super) fn files(spec: &SourceSpec, _task: &str, _split: Split) -> Result<Vec<PathBuf>, DataError> {
    all_files(spec)
}

pub(super) fn all_files(spec: &SourceSpec) -> Result<Vec<PathBuf>, DataError> {
    task_folders::files_with(
        path(spec)?,
        &["jsonl", "json"],
        "instruction rows as JSON lines, in .jsonl or .json files",
    )
}

pub(super) fn load(spec: &SourceSpec, task: &str, _split: Split) -> Result<Vec<Example>, DataError> {
    let mut examples = rows(spec)?;
    let mut known: Vec<String> = examples.iter().map(|row| row.task.clone()).collect();
    known.sort();
    known.dedup();
    examples.retain(|row| row.task == task);
    if examples.is_empty() {
        let place = path(spec)?.display().to_string();
        return Err(super::unknown_task(task, place, known));
    }
    Ok(examples)
}

pub(super) fn rows(spec: &SourceSpec) -> Result<Vec<Example>, DataError> {
    let mut examples = Vec::new();
    for file in all_files(spec)? {
        let bytes = json_rows::read(&file, EXPECTED)?;
        examples.extend(parse(&file, &bytes)?);
    }
    if examples.is_empty() {
        return Err(DataError::Empty { file: path(spec)?.to_owned(), expected: EXPECTED.into() });
    }
    Ok(examples)
}

pub(super) fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<Example>, DataError> {
    let rows = json_rows::parse_lines::<Row>(file, bytes, EXPECTED)?;
    let stem = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
    let mut examples = Vec::with_capacity(rows.len());
    for (line, row) in rows {
        let instruction = match (row.instruction, row.full_prompt) {
            (Some(instruction), _) => instruction,
            (None, Some(prompt)) => before_input(&prompt, &row.input).to_owned(),
            (None, None) => {
                return Err(json_rows::row_error(
                    file,
                    line,
                    format!("{EXPECTED} (neither instruction nor full_prompt)"),
                    &row.input,
                ));
            }
        };
        examples.push(Example {
            id: row.id.unwrap_or_else(|| format!("{stem}/{line}")),
            task: row.task_id.or(row.task_name).unwrap_or_else(|| stem.to_string()),
            turns: Vec::new(),
            instruction,
            input: row.input,
            references: references(&row.output, row.outputs),
            output: row.output,
        });
    }
    Ok(examples)
}

/// The instruction of a prompt that was put together as instruction, blank line, input.
fn before_input<'a>(prompt: &'a str, input: &str) -> &'a str {
    let head = prompt.strip_suffix(input).unwrap_or(prompt);
    head.strip_suffix("\n\n").unwrap_or(head)
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "instructions", "a .jsonl or .json file of instruction rows, or a folder of them")
}
