//! Rows whose fields the recipe names, out of any file of rows: what `jsonl` and `parquet` share. Never guesses a field:
//! what is named must be in every row.

use std::path::{Path, PathBuf};

use super::rows::{Row, Table, Wanted, plain};
use super::{FieldMap, SourceSpec, task_files};
use crate::error::DataError;
use crate::example::{Example, Split};

/// A split of a task from the files of these endings below `path`.
pub(super) fn load(
    spec: &SourceSpec,
    path: &Path,
    task: &str,
    split: Split,
    endings: &[&str],
) -> Result<Vec<Example>, DataError> {
    let of_table = |table: &Table, ids: &Ids| of_table(table, &spec.fields, ids);
    load_with(&task_files::files(path, task, split, endings)?, task, split, &wanted(&spec.fields), of_table)
}

/// The rows of all these files, each of which must have some, as `of_table` makes examples of them.
pub(super) fn load_with(
    files: &[PathBuf],
    task: &str,
    split: Split,
    wanted: &[Wanted],
    of_table: impl Fn(&Table, &Ids) -> Result<Vec<Example>, DataError>,
) -> Result<Vec<Example>, DataError> {
    let mut examples = Vec::new();
    for file in files {
        let table = Table::read(file, wanted)?;
        if table.len() == 0 {
            return Err(DataError::Empty { file: file.clone(), expected: "rows of named fields".into() });
        }
        examples.extend(of_table(&table, &Ids::new(task, split, file, files.len() > 1))?);
    }
    Ok(examples)
}

/// The fields to read: the answer, and either or both of instruction and input.
pub(super) fn wanted(fields: &FieldMap) -> [Wanted<'_>; 4] {
    [
        wanted_field(fields.instruction.as_deref(), "instruction"),
        wanted_field(fields.input.as_deref(), "input"),
        Wanted { name: fields.output.as_deref().unwrap_or("output"), must: true },
        Wanted { name: "id", must: false },
    ]
}

fn wanted_field<'a>(named: Option<&'a str>, usual: &'a str) -> Wanted<'a> {
    Wanted { name: named.unwrap_or(usual), must: named.is_some() }
}

/// How examples of a file are named that have no name of their own.
#[derive(Debug)]
pub(super) struct Ids {
    /// The task they belong to.
    pub(super) task: String,
    start: String,
}

impl Ids {
    /// `<task>/<split>/<row>`; where a split has several files, with the file in between.
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
        row.id().unwrap_or_else(|| format!("{}{}", self.start, row.number))
    }
}

/// The rows of a table as examples; those without an `id` are named by `ids` and their place.
pub(super) fn of_table(table: &Table, fields: &FieldMap, ids: &Ids) -> Result<Vec<Example>, DataError> {
    table.rows().map(|row| example(&row, fields, ids)).collect()
}

fn example(row: &Row, fields: &FieldMap, ids: &Ids) -> Result<Example, DataError> {
    let instruction = part(row, fields.instruction.as_deref(), "instruction")?;
    let input = part(row, fields.input.as_deref(), "input")?;
    if instruction.is_none() && input.is_none() {
        return Err(row.wrong("`instruction` or `input` (or name them in `fields`)"));
    }
    let references = answers(row, fields.output.as_deref().unwrap_or("output"))?;
    let Some(output) = references.first().cloned() else {
        return Err(row.wrong("at least one right answer"));
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

/// The field as text; none only where it is not named, and not there or null.
fn part(row: &Row, named: Option<&str>, usual: &str) -> Result<Option<String>, DataError> {
    match named {
        Some(name) => row.text(name).map(Some),
        None => row.text_if_any(usual),
    }
}

/// The field as a list of right answers.
fn answers(row: &Row, name: &str) -> Result<Vec<String>, DataError> {
    let wrong = || row.wrong(&format!("text or a list of texts in field `{name}`"));
    let Some(value) = row.get(name) else {
        return Err(if row.has(name) { wrong() } else { row.wrong(&format!("field `{name}`")) });
    };
    let answers = match value {
        serde_json::Value::Array(list) => list.iter().map(plain).collect::<Option<Vec<_>>>(),
        other => plain(other).map(|text| vec![text]),
    };
    answers.ok_or_else(wrong)
}
