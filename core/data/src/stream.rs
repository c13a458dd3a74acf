//! A stream of tasks out of a source: its order, its tasks, and all rows of a source at once. Never samples:
//! what is cut, and by which seed, is the caller's.

use std::path::PathBuf;

use crate::error::DataError;
use crate::example::{Example, Split, Task};
use crate::format::{SourceSpec, format, unknown_task};

/// Which tasks, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderChoice {
    /// The format's first named order if the source has all of its tasks, else all tasks by name.
    Default,
    /// An order the format has a name for.
    Named(String),
    /// These tasks.
    Tasks(Vec<String>),
}

/// The tasks of a stream in their order, each known to be there. Reads no row.
///
/// # Errors
/// An unknown format, order or task; a task twice; a path that is missing or not as the format says; a source
/// without test rows of its own (a corpus).
pub fn task_order(spec: &SourceSpec, choice: &OrderChoice) -> Result<Vec<String>, DataError> {
    let entry = format(&spec.format)?;
    if let Some(path) = spec.path.as_deref().filter(|path| entry.corpus || path.is_file()) {
        return Err(DataError::NoSplit {
            format: entry.name,
            file: path.to_owned(),
            advice: "give a folder of <task>/{train,test}.jsonl with format `jsonl` or `superni`",
        });
    }
    let known = (entry.tasks)(spec)?;
    let order: Vec<String> = match choice {
        OrderChoice::Tasks(tasks) => tasks.clone(),
        OrderChoice::Named(name) => {
            let (_, tasks) = entry.orders.iter().find(|(known, _)| known == name).ok_or_else(|| {
                DataError::UnknownOrder {
                    format: entry.name,
                    order: name.clone(),
                    known: entry.orders.iter().map(|(known, _)| *known).collect(),
                }
            })?;
            tasks.iter().map(|&task| task.to_owned()).collect()
        }
        OrderChoice::Default => match entry.orders.first() {
            Some((_, tasks)) if tasks.iter().all(|task| known.iter().any(|name| name == task)) => {
                tasks.iter().map(|&task| task.to_owned()).collect()
            }
            _ => known.clone(),
        },
    };
    for (place, task) in order.iter().enumerate() {
        if !known.contains(task) {
            return Err(unknown_task(task, place_of(spec), known));
        }
        if order[..place].contains(task) {
            return Err(DataError::TaskTwice { task: task.clone() });
        }
    }
    Ok(order)
}

/// A task with both of its splits, in the order of their files.
///
/// # Errors
/// As [`task_order`]; a missing file; a broken row.
pub fn load_task(spec: &SourceSpec, task: &str) -> Result<Task, DataError> {
    let entry = format(&spec.format)?;
    Ok(Task {
        name: task.to_owned(),
        train: (entry.load)(spec, task, Split::Train)?,
        test: (entry.load)(spec, task, Split::Test)?,
    })
}

/// All rows of these tasks of a source (of all its tasks, if none is named), task after task or as they stand in
/// one file.
///
/// # Errors
/// As [`load_task`].
pub fn load_source(spec: &SourceSpec, tasks: &[String], split: Split) -> Result<Vec<Example>, DataError> {
    let entry = format(&spec.format)?;
    if let Some(whole) = entry.whole {
        let mut examples = (whole.rows)(spec)?;
        if !tasks.is_empty() {
            let mut known: Vec<String> = examples.iter().map(|row| row.task.clone()).collect();
            known.sort();
            known.dedup();
            if let Some(task) = tasks.iter().find(|&task| !known.contains(task)) {
                return Err(unknown_task(task, place_of(spec), known));
            }
            examples.retain(|row| tasks.contains(&row.task));
        }
        return Ok(examples);
    }
    let all;
    let tasks = if tasks.is_empty() {
        all = (entry.tasks)(spec)?;
        &all
    } else {
        tasks
    };
    let mut examples = Vec::new();
    for task in tasks {
        examples.extend((entry.load)(spec, task, split)?);
    }
    Ok(examples)
}

/// Files that these rows are read from; their digests belong into stage keys. Sorted, each once.
///
/// # Errors
/// As [`load_source`], but for broken rows: none is read.
pub fn source_files(spec: &SourceSpec, tasks: &[String], split: Split) -> Result<Vec<PathBuf>, DataError> {
    let entry = format(&spec.format)?;
    if let (Some(whole), []) = (entry.whole, tasks) {
        return (whole.files)(spec);
    }
    let all;
    let tasks = if tasks.is_empty() {
        all = (entry.tasks)(spec)?;
        &all
    } else {
        tasks
    };
    let mut files = Vec::new();
    for task in tasks {
        files.extend((entry.files)(spec, task, split)?);
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn place_of(spec: &SourceSpec) -> String {
    match &spec.path {
        Some(path) => path.display().to_string(),
        None => format!("format `{}`", spec.format),
    }
}
