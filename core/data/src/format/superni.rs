//! Super-NaturalInstructions tasks as JSON lines, one folder per task. Rows are in file order: some of these files list
//! one label first, so sample before cutting.

use std::path::{Path, PathBuf};

use super::field_rows::{Ids, visit_with};
use super::rows::{JSON_ENDINGS, Row, Wanted, maybe, must};
use super::sink::Sink;
use super::{SourceSpec, path_of, task_files};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = "a folder of <task>/{train,test}.jsonl (or .json), rows with instruction, input, output and, if there are several correct answers, outputs; `id` is kept, other fields are ignored";

/// Tasks and orders of the SSR study (arXiv 2403.01244), which SEE follows.
pub(super) const ORDERS: &[(&str, &[&str])] = &[
    ("O1", &["qa", "qg", "sa", "sum", "trans"]),
    ("O2", &["trans", "sa", "qa", "sum", "qg"]),
    ("O3", &["sum", "qg", "trans", "qa", "sa"]),
    ("ten", &["qa", "qg", "sa", "sum", "trans", "dsg", "expl", "para", "pe", "pos"]),
];

/// Fields to read from a row.
pub(super) const WANTED: [Wanted; 6] =
    [must("instruction"), maybe("input"), must("output"), maybe("outputs"), maybe("id"), maybe("weight")];

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, JSON_ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, JSON_ENDINGS)
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    visit_with(&files(spec, task, split)?, task, split, &WANTED, sink, &mut row)
}

/// Passes a row to the sink.
pub(super) fn row(row: &Row, ids: &Ids, sink: &mut Sink) -> Result<(), DataError> {
    if row.left_out(sink) {
        return Ok(());
    }
    let output = row.text("output")?;
    let others = if row.get("outputs").is_some() { row.texts("outputs")? } else { Vec::new() };
    let example = Example {
        id: ids.of(row),
        task: ids.task.clone(),
        turns: Vec::new(),
        instruction: row.text("instruction")?,
        input: row.text_if_any("input")?.unwrap_or_default(),
        references: references(&output, others),
        output,
    };
    sink.take(row.file, example)
}

/// All correct answers. The one to train on is inserted in front if it is missing.
pub(super) fn references(output: &str, mut others: Vec<String>) -> Vec<String> {
    if !others.iter().any(|other| other == output) {
        others.insert(0, output.to_owned());
    }
    others
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "superni", "a folder of <task>/{train,test}.jsonl")
}
