//! Instruction rows as a corpus: many tasks in one file, without a test split. Cannot be used as a stream.

use std::path::{Path, PathBuf};

use super::rows::{self, Row, Wanted, maybe, must};
use super::sink::Sink;
use super::superni::references;
use super::{SourceSpec, path_of, task_folders};
use crate::error::DataError;
use crate::example::Example;

pub(super) const DOC: &str = "a corpus of JSON lines or a JSON array (a .jsonl or .json file, also compressed as .gz or .zst, or a folder of them): rows with instruction, input, output, outputs and task_id, or rows of SSR's files with full_prompt, input, output and task_name. Both splits give all rows; a row's task is its task_id or task_name, or else the file's name";

const EXPECTED: &str = "instruction rows as JSON lines, in .jsonl or .json files";
/// File endings of the format.
const ENDINGS: &[&str] = &["jsonl", "json"];

const WANTED: [Wanted; 9] = [
    maybe("id"),
    maybe("instruction"),
    maybe("full_prompt"),
    maybe("input"),
    must("output"),
    maybe("outputs"),
    maybe("task_id"),
    maybe("task_name"),
    maybe("weight"),
];

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    let mut names = std::collections::BTreeSet::new();
    for file in all_files(spec)? {
        let stem = stem(&file);
        rows::each(&file, &WANTED, &mut Sink::keep(), &mut |row, _| {
            let task = task_of(row, &stem)?;
            if !names.contains(&task) {
                names.insert(task);
            }
            Ok(())
        })?;
    }
    Ok(names.into_iter().collect())
}

pub(super) fn all_files(spec: &SourceSpec) -> Result<Vec<PathBuf>, DataError> {
    task_folders::files_with(path(spec)?, ENDINGS, EXPECTED)
}

pub(super) fn visit(spec: &SourceSpec, sink: &mut Sink) -> Result<(), DataError> {
    let mut any = false;
    for file in all_files(spec)? {
        let stem = stem(&file);
        rows::each(&file, &WANTED, sink, &mut |row, sink| {
            any = true;
            instruction_row(row, &stem, sink)
        })?;
        if sink.is_full() {
            return Ok(());
        }
    }
    if any {
        return Ok(());
    }
    Err(DataError::Empty { file: path(spec)?.to_owned(), expected: EXPECTED.into() })
}

/// Passes a row of the file with this stem to the sink.
pub(super) fn instruction_row(row: &Row, stem: &str, sink: &mut Sink) -> Result<(), DataError> {
    if row.left_out(sink) {
        return Ok(());
    }
    let input = row.text_if_any("input")?.unwrap_or_default();
    let instruction = match (row.text_if_any("instruction")?, row.text_if_any("full_prompt")?) {
        (Some(instruction), _) => instruction,
        (None, Some(prompt)) => before_input(&prompt, &input).to_owned(),
        (None, None) => return Err(row.wrong("`instruction` or `full_prompt`")),
    };
    let output = row.text("output")?;
    let others = if row.get("outputs").is_some() { row.texts("outputs")? } else { Vec::new() };
    let example = Example {
        id: row.id().unwrap_or_else(|| format!("{stem}/{}", row.number)),
        task: task_of(row, stem)?,
        turns: Vec::new(),
        instruction,
        input,
        references: references(&output, others),
        output,
    };
    sink.take(row.file, example)
}

fn task_of(row: &Row, stem: &str) -> Result<String, DataError> {
    Ok(match row.text_if_any("task_id")? {
        Some(task) => task,
        None => row.text_if_any("task_name")?.unwrap_or_else(|| stem.to_owned()),
    })
}

fn stem(file: &Path) -> String {
    task_folders::name_of(file)
}

/// The instruction in a prompt of the form instruction, blank line, input.
fn before_input<'a>(prompt: &'a str, input: &str) -> &'a str {
    let head = prompt.strip_suffix(input).unwrap_or(prompt);
    head.strip_suffix("\n\n").unwrap_or(head)
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "instructions", "a .jsonl or .json file of instruction rows, or a folder of them")
}
