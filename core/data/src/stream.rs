//! Turns a source into a stream of tasks: its order, its tasks, and all rows of a source. Does not sample: limits and
//! seeds are up to the caller.

use std::path::PathBuf;

use crate::error::DataError;
use crate::example::{Example, Split, Task};
use crate::format::{Note, Sink, SourceSpec, format, unknown_task};

/// Which tasks to use, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderChoice {
    /// The format's first named order if the source has all of its tasks, or else all tasks in order of their names.
    Default,
    /// A named order of the format.
    Named(String),
    /// These tasks.
    Tasks(Vec<String>),
}

/// The tasks of a stream in their order, checked for existence. Reads no rows.
///
/// # Errors
/// An unknown format, order or task; a task listed twice; a path that is missing or does not match the format; a source
/// without separate test rows (a corpus).
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
    for (index, task) in order.iter().enumerate() {
        if !known.contains(task) {
            return Err(unknown_task(task, place_of(spec), known));
        }
        if order[..index].contains(task) {
            return Err(DataError::TaskTwice { task: task.clone() });
        }
    }
    Ok(order)
}

/// A task with both of its splits, in file order.
///
/// # Errors
/// As [`task_order`]; a missing file; a malformed row.
pub fn load_task(spec: &SourceSpec, task: &str) -> Result<Task, DataError> {
    let of = |split| load_source(spec, &[task.to_owned()], split);
    Ok(Task { name: task.to_owned(), train: of(Split::Train)?, test: of(Split::Test)? })
}

/// All rows of these tasks of a source (of all its tasks, if none is given), task by task, or in file order if the
/// source is a corpus.
///
/// # Errors
/// As [`load_task`].
pub fn load_source(spec: &SourceSpec, tasks: &[String], split: Split) -> Result<Vec<Example>, DataError> {
    Ok(visit_source(spec, tasks, split, Sink::keep())?.rows())
}

/// Like [`load_source`], but also returns notes for the user.
///
/// # Errors
/// As [`load_task`].
pub fn load_source_noted(
    spec: &SourceSpec,
    tasks: &[String],
    split: Split,
) -> Result<(Vec<Example>, Vec<Note>), DataError> {
    let mut sink = visit_source(spec, tasks, split, Sink::keep())?;
    let notes = sink.notes();
    Ok((sink.rows(), notes))
}

/// Passes the rows of [`load_source`] to a sink, and returns it.
pub(crate) fn visit_source(
    spec: &SourceSpec,
    tasks: &[String],
    split: Split,
    sink: Sink,
) -> Result<Sink, DataError> {
    let entry = format(&spec.format)?;
    let mut sink = sink;
    if let Some(whole) = entry.whole {
        sink = sink.of_tasks(tasks);
        (whole.visit)(spec, &mut sink)?;
        if !sink.is_full() && !tasks.is_empty() {
            let known = sink.tasks();
            if let Some(task) = tasks.iter().find(|&task| !known.contains(task)) {
                return Err(unknown_task(task, place_of(spec), known));
            }
        }
        return Ok(sink);
    }
    let all;
    let tasks = if tasks.is_empty() {
        all = (entry.tasks)(spec)?;
        &all
    } else {
        tasks
    };
    for task in tasks {
        (entry.visit)(spec, task, split, &mut sink)?;
        if sink.is_full() {
            break;
        }
    }
    Ok(sink)
}

/// The files that these rows are read from, sorted and without duplicates; their digests must be part of stage keys.
///
/// # Errors
/// As [`load_source`], except for malformed rows, because no row is read.
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
