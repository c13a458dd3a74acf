//! Original task files of natural-instructions. The collection splits tasks, not instances. The split of instances into
//! train and test is Cadre's own, and the same in every run.

use std::path::{Path, PathBuf};

use cadre_store::Digest;

use super::json::pieces::Division;
use super::json::python::{Fault, JsonReader};
use super::rows::{self, Place, Row, Wanted, maybe, must};
use super::sink::Sink;
use super::superni::references;
use super::{SourceSpec, json_rows, opened, path_of, task_folders};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a folder of original task files (`task*.json` with Definition and Instances), or of a clone with `tasks/` in it; a task has the name of its file. A fifth of the instances, at most 500, is the test split: those whose inputs have the smallest digests, so that the split is always the same and equal inputs are never in both splits. The first definition and the first answer are trained on";

const EXPECTED: &str =
    "a natural-instructions task: an object with Definition and Instances[].{input, output}";

/// Maximum size of the test split.
const MAX_TEST: usize = 500;

/// Fields to read from an instance.
const WANTED: [Wanted; 3] = [must("input"), must("output"), maybe("id")];

/// The parsed contents of a file.
struct TaskFile {
    definition: String,
    instances: Vec<Instance>,
}

struct Instance {
    id: Option<String>,
    input: String,
    output: Vec<String>,
}

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    let names: Vec<String> = task_files(spec)?.iter().map(|file| task_folders::name_of(file)).collect();
    Ok(names)
}

pub(super) fn files(spec: &SourceSpec, task: &str, _split: Split) -> Result<Vec<PathBuf>, DataError> {
    let all = task_files(spec)?;
    match all.iter().find(|file| task_folders::name_of(file) == task) {
        Some(file) => Ok(vec![file.clone()]),
        None => Err(super::unknown_task(
            task,
            path(spec)?.display().to_string(),
            all.iter().map(|file| task_folders::name_of(file)).collect(),
        )),
    }
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    for file in files(spec, task, split)? {
        let before = sink.seen();
        parse(&file, &opened::whole(&file, EXPECTED)?, task, split, sink)?;
        if sink.seen() == before {
            return Err(DataError::Empty {
                file,
                expected: format!(
                    "at least two instances with different inputs, so that there are {} rows",
                    split.name()
                ),
            });
        }
    }
    Ok(())
}

/// Passes the rows of a split of a task file to the sink.
pub(super) fn parse(
    file: &Path,
    bytes: &[u8],
    task: &str,
    split: Split,
    sink: &mut Sink,
) -> Result<(), DataError> {
    let TaskFile { definition, instances } = task_file(file, bytes)?;
    let test = test_inputs(&instances);
    for (number, instance) in instances.into_iter().enumerate() {
        let is_test = test.binary_search(&digest(&instance.input)).is_ok();
        if is_test != (split == Split::Test) {
            continue;
        }
        let output = instance.output.first().cloned().unwrap_or_default();
        let example = Example {
            id: instance.id.unwrap_or_else(|| format!("{task}/{number}")),
            task: task.to_owned(),
            turns: Vec::new(),
            instruction: definition.clone(),
            input: instance.input,
            references: references(&output, instance.output),
            output,
        };
        sink.take(file, example)?;
    }
    Ok(())
}

/// Parses a task file. Every instance must have an answer.
fn task_file(file: &Path, bytes: &[u8]) -> Result<TaskFile, DataError> {
    let broken = |fault: &Fault| rows::located(file, 1, bytes, fault, Division::ArrayOrLines);
    let (mut definitions, mut instances) = (None, None);
    let mut reader = JsonReader::new(bytes).map_err(|fault| broken(&fault))?;
    let mut trouble = None;
    let read = reader.object(|reader, key| {
        let at = reader.place();
        match key.as_str() {
            "Definition" => {
                let mut row = Row::new(file, Place::Line(line_of(bytes, at)), 0, None);
                row.put(key, reader.value()?, &[must("Definition")]);
                definitions = Some((
                    line_of(bytes, at),
                    row.texts("Definition").map_err(|error| keep(&mut trouble, error))?,
                ));
            }
            "Instances" => {
                let mut read = Vec::new();
                let mut lines = Lines { bytes, at: 0, line: 1 };
                reader.list(|reader| {
                    let at = reader.place();
                    let mut row = Row::new(file, Place::Line(lines.of(at)), read.len(), None);
                    reader.restart();
                    rows::read_fields(reader, &mut row, &WANTED)?;
                    read.push(instance(&row, read.len()).map_err(|error| keep(&mut trouble, error))?);
                    Ok(())
                })?;
                instances = Some(read);
            }
            _ => drop(reader.skip()?),
        }
        Ok(())
    });
    if let Some(error) = trouble {
        return Err(error);
    }
    read.and_then(|()| reader.end()).map_err(|fault| broken(&fault))?;
    let missing = |name: &str| {
        json_rows::row_error(
            file,
            1,
            format!("{EXPECTED} (missing field `{name}`)"),
            &json_rows::spot(bytes, 0).2,
        )
    };
    let (line, definitions) = definitions.ok_or_else(|| missing("Definition"))?;
    let definition = definitions.into_iter().next().ok_or_else(|| {
        json_rows::row_error(file, line, format!("{EXPECTED} (Definition is empty)"), "\"Definition\": []")
    })?;
    Ok(TaskFile { definition, instances: instances.ok_or_else(|| missing("Instances"))? })
}

/// Stores an error that the JSON reader cannot represent, and stops the reader.
fn keep(trouble: &mut Option<DataError>, error: DataError) -> Fault {
    *trouble = Some(error);
    Fault { at: 0, problem: String::new() }
}

fn instance(row: &Row, number: usize) -> Result<Instance, DataError> {
    let output = row.texts("output")?;
    if output.is_empty() {
        return Err(
            row.wrong(&format!("at least one correct answer (instance {number} has an empty output list)"))
        );
    }
    Ok(Instance { id: row.id(), input: row.text("input")?, output })
}

/// Line numbers of offsets that are requested in ascending order.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, at: usize) -> usize {
        self.line += self.bytes[self.at..at].iter().filter(|&&byte| byte == b'\n').count();
        self.at = at;
        self.line
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    Lines { bytes, at: 0, line: 1 }.of(at)
}

/// Sorted digests of the inputs of the test split: inputs in the order of their digests, with all of their instances,
/// as long as they fit.
fn test_inputs(instances: &[Instance]) -> Vec<Digest> {
    let mut digests: Vec<Digest> = instances.iter().map(|instance| digest(&instance.input)).collect();
    digests.sort();
    let most = (instances.len() / 5).clamp(1, MAX_TEST);
    let mut end = 0;
    for same in digests.chunk_by(|one, other| one == other) {
        if end > 0 && end + same.len() > most {
            break;
        }
        end += same.len();
    }
    if end == digests.len() {
        // With a single input there is nothing to split.
        end = 0;
    }
    digests.truncate(end);
    digests.dedup();
    digests
}

fn digest(input: &str) -> Digest {
    Digest::of_bytes(input.as_bytes())
}

fn task_files(spec: &SourceSpec) -> Result<Vec<PathBuf>, DataError> {
    let path = path(spec)?;
    let inner = path.join("tasks");
    let folder = if inner.is_dir() { inner.as_path() } else { path };
    task_folders::files_with(folder, &["json"], "original task files, task*.json")
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "natural-instructions", "a folder of task files, task*.json")
}
