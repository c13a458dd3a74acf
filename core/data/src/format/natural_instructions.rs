//! Task files of natural-instructions as they come, with their bare `NaN`. The collection divides tasks, not
//! instances; the cut into train and test here is our own, the same in every run.

use std::path::{Path, PathBuf};

use cadre_store::Digest;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::superni::references;
use super::{SourceSpec, bare_numbers, json_rows, path_of, task_folders};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a folder of original task files (`task*.json` with Definition and Instances), or of a clone with `tasks/` in it; a task is named as its file. A fifth of the instances, at most 500, is test: those whose input has the smallest digests, so the cut is the same for everyone and equal inputs never stand on both sides. The first definition and first answer are learnt; bare NaN and Infinity are read as null";

const EXPECTED: &str =
    "a natural-instructions task: an object with Definition and Instances[].{input, output}";

/// The largest test part.
const MOST_TEST: usize = 500;

#[derive(Deserialize)]
struct TaskFile {
    #[serde(rename = "Definition", deserialize_with = "one_or_many")]
    definition: Vec<String>,
    #[serde(rename = "Instances")]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    id: Option<String>,
    input: String,
    #[serde(deserialize_with = "one_or_many")]
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

pub(super) fn load(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    let mut examples = Vec::new();
    for file in files(spec, task, split)? {
        let bytes = json_rows::read(&file, EXPECTED)?;
        examples.extend(parse(&file, &bytes, task, split)?);
        if examples.is_empty() {
            return Err(DataError::Empty {
                file,
                expected: format!(
                    "at least two instances with different inputs, to have {} rows",
                    split.name()
                ),
            });
        }
    }
    Ok(examples)
}

pub(super) fn parse(file: &Path, bytes: &[u8], task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    let clean = bare_numbers::without(bytes);
    let read: TaskFile = json_rows::parse_whole(file, &clean, EXPECTED)?;
    let Some(definition) = read.definition.into_iter().next() else {
        return Err(json_rows::row_error(
            file,
            1,
            format!("{EXPECTED} (Definition is empty)"),
            "\"Definition\": []",
        ));
    };
    let test = test_inputs(&read.instances);
    let mut examples = Vec::new();
    for (number, instance) in read.instances.into_iter().enumerate() {
        let is_test = test.binary_search(&digest(&instance.input)).is_ok();
        if is_test != (split == Split::Test) {
            continue;
        }
        let Some(output) = instance.output.first().cloned() else {
            return Err(json_rows::row_error(
                file,
                1,
                format!("{EXPECTED} (instance {number} has an empty output list)"),
                &instance.input,
            ));
        };
        examples.push(Example {
            id: instance.id.unwrap_or_else(|| format!("{task}/{number}")),
            task: task.to_owned(),
            turns: Vec::new(),
            instruction: definition.clone(),
            input: instance.input,
            references: references(&output, instance.output),
            output,
        });
    }
    Ok(examples)
}

/// Digests of the inputs of the test part, sorted: whole inputs, smallest digests first, while they fit in it.
fn test_inputs(instances: &[Instance]) -> Vec<Digest> {
    let mut digests: Vec<Digest> = instances.iter().map(|instance| digest(&instance.input)).collect();
    digests.sort();
    let most = (instances.len() / 5).clamp(1, MOST_TEST);
    let mut end = 0;
    for same in digests.chunk_by(|one, other| one == other) {
        if end > 0 && end + same.len() > most {
            break;
        }
        end += same.len();
    }
    if end == digests.len() {
        // One input alone: nothing to divide.
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

/// A text, or a list of texts: the collection has both.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
            to.write_str("a text or a list of texts")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    from.deserialize_any(OneOrMany)
}
