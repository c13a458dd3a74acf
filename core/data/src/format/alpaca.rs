//! Triples of instruction, input and output, as Stanford Alpaca's data and its many likes have them. Reads no `text`
//! field: the prompt is the recipe's template.

use std::path::{Path, PathBuf};

use super::field_rows::{Ids, load_with};
use super::rows::{ENDINGS, Table, Wanted};
use super::task_files::{self, layout_doc};
use super::{SourceSpec, path_of};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = concat!(
    "triples of `instruction`, `input` (which may be empty, null or missing) and `output`, as alpaca_data.json has them, as a JSON array, JSON lines or Parquet: ",
    layout_doc!()
);

/// What is read of a row.
const WANTED: [Wanted; 4] = [
    Wanted { name: "instruction", must: true },
    Wanted { name: "input", must: false },
    Wanted { name: "output", must: true },
    Wanted { name: "id", must: false },
];

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, ENDINGS)
}

pub(super) fn load(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    load_with(&files(spec, task, split)?, task, split, &WANTED, of_table)
}

/// The triples of a table.
pub(super) fn of_table(table: &Table, ids: &Ids) -> Result<Vec<Example>, DataError> {
    let triple = |row: super::rows::Row| -> Result<Example, DataError> {
        let output = row.text("output")?;
        Ok(Example {
            id: ids.of(&row),
            task: ids.task.clone(),
            turns: Vec::new(),
            instruction: row.text("instruction")?,
            input: row.text_if_any("input")?.unwrap_or_default(),
            references: vec![output.clone()],
            output,
        })
    };
    table.rows().map(triple).collect()
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "alpaca", "alpaca_data.json, or a folder of <task>/{train,test}.json")
}
