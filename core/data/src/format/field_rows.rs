//! Rows whose fields the recipe names, from any kind of file: shared by `jsonl` and `parquet`. Fields must not be
//! guessed: a named field must be in every row.

use std::path::{Path, PathBuf};

use super::rows::{self, Row, Wanted, maybe, must};
use super::sink::Sink;
use super::{FieldMap, SourceSpec, task_files};
use crate::error::DataError;
use crate::example::{Example, Split};

/// Reads a split of a task from the files with these endings below `path`.
pub(super) fn visit(
    spec: &SourceSpec,
    path: &Path,
    task: &str,
    split: Split,
    endings: &[&str],
    sink: &mut Sink,
) -> Result<(), DataError> {
    let files = task_files::files(path, task, split, endings)?;
    visit_with(&files, task, split, &wanted(&spec.fields), sink, &mut |row, ids, sink| {
        if !weighted(&spec.fields) && row.left_out(sink) {
            return Ok(());
        }
        sink.take(row.file, example(row, &spec.fields, ids)?)
    })
}

/// Called with every row of a split.
pub(super) type EachOfTask<'a> = &'a mut dyn FnMut(&Row, &Ids, &mut Sink) -> Result<(), DataError>;

/// Passes the rows of all these files to `each`. Each file must have some.
pub(super) fn visit_with(
    files: &[PathBuf],
    task: &str,
    split: Split,
    wanted: &[Wanted],
    sink: &mut Sink,
    each: EachOfTask,
) -> Result<(), DataError> {
    for file in files {
        let ids = Ids::new(task, split, file, files.len() > 1);
        let mut any = false;
        rows::each(file, wanted, sink, &mut |row, sink| {
            any = true;
            each(row, &ids, sink)
        })?;
        if sink.is_full() {
            return Ok(());
        }
        if !any {
            return Err(DataError::Empty { file: file.clone(), expected: "rows of named fields".into() });
        }
    }
    Ok(())
}

/// The fields to read: the answer, and the instruction or the input or both.
pub(super) fn wanted(fields: &FieldMap) -> Vec<Wanted<'_>> {
    let mut wanted = vec![
        wanted_field(fields.instruction.as_deref(), "instruction"),
        wanted_field(fields.input.as_deref(), "input"),
        must(fields.output.as_deref().unwrap_or("output")),
        maybe("id"),
    ];
    if !weighted(fields) {
        wanted.push(maybe("weight"));
    }
    wanted
}

/// Whether the recipe uses `weight` as one of its own fields.
fn weighted(fields: &FieldMap) -> bool {
    [&fields.instruction, &fields.input, &fields.output]
        .into_iter()
        .any(|name| name.as_deref() == Some("weight"))
}

fn wanted_field<'a>(named: Option<&'a str>, usual: &'a str) -> Wanted<'a> {
    Wanted { name: named.unwrap_or(usual), must: named.is_some() }
}

/// Names the examples of a file that have no name of their own.
#[derive(Debug)]
pub(super) struct Ids {
    /// The task of the examples.
    pub(super) task: String,
    start: String,
}

impl Ids {
    /// `<task>/<split>/<row>`; if a split has several files, the file name is in between.
    pub(super) fn new(task: &str, split: Split, file: &Path, several: bool) -> Self {
        let mut start = format!("{task}/{}/", split.name());
        if several {
            start.push_str(&file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy());
            start.push('/');
        }
        Self { task: task.to_owned(), start }
    }

    /// The name of a row.
    pub(super) fn of(&self, row: &Row) -> String {
        row.id().unwrap_or_else(|| self.numbered(row.number))
    }

    /// The name of an unnamed example with this number.
    pub(super) fn numbered(&self, number: usize) -> String {
        format!("{}{number}", self.start)
    }
}

/// The example of a row. Without an `id`, its name comes from `ids` and its row number.
pub(super) fn example(row: &Row, fields: &FieldMap, ids: &Ids) -> Result<Example, DataError> {
    let instruction = part(row, fields.instruction.as_deref(), "instruction")?;
    let input = part(row, fields.input.as_deref(), "input")?;
    if instruction.is_none() && input.is_none() {
        return Err(row.wrong("`instruction` or `input` (or name them in `fields`)"));
    }
    let references = row.texts(fields.output.as_deref().unwrap_or("output"))?;
    let Some(output) = references.first().cloned() else {
        return Err(row.wrong("at least one correct answer"));
    };
    Ok(Example {
        id: ids.of(row),
        task: ids.task.clone(),
        turns: Vec::new(),
        instruction: instruction.unwrap_or_default(),
        input: input.unwrap_or_default(),
        output,
        references,
    })
}

/// The field as text; `None` only if it is not named by the recipe and is missing or null.
fn part(row: &Row, named: Option<&str>, usual: &str) -> Result<Option<String>, DataError> {
    match named {
        Some(name) => row.text(name).map(Some),
        None => row.text_if_any(usual),
    }
}
