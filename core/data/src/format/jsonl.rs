//! JSON lines, or a JSON array, with fields named by the recipe. Never guesses a field: see `field_rows`.

use std::path::{Path, PathBuf};

use super::rows::JSON_ENDINGS;
use super::task_files::{self, layout_doc};
use super::{SourceSpec, field_rows, path_of};
use crate::error::DataError;
use crate::example::{Example, Split};

pub(super) const DOC: &str = concat!(
    "JSON lines (`.jsonl`), or a JSON array or JSON lines (`.json`): ",
    layout_doc!(),
    ". `fields` names the fields of instruction, input and output; an output may be a list of right answers, the first of which is learnt"
);

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, JSON_ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, JSON_ENDINGS)
}

pub(super) fn load(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    field_rows::load(spec, path(spec)?, task, split, JSON_ENDINGS)
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "jsonl", "a folder of <task>/{train,test}.jsonl, or a file")
}
