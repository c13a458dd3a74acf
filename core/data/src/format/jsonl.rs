//! JSON lines, a JSON array or CSV, with fields named by the recipe (see `field_rows`).

use std::path::{Path, PathBuf};

use super::rows::TEXT_ENDINGS;
use super::sink::Sink;
use super::task_files::{self, layout_doc};
use super::{SourceSpec, field_rows, path_of};
use crate::error::DataError;
use crate::example::Split;

pub(super) const DOC: &str = concat!(
    "JSON lines (`.jsonl`), a JSON array or JSON lines (`.json`), or CSV with a header (`.csv`, `.tsv`), each also compressed (`.gz`, `.zst`): ",
    layout_doc!(),
    ". `fields` names the fields of instruction, input and output; an output may be a list of correct answers, the first of which is trained on"
);

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, TEXT_ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, TEXT_ENDINGS)
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    field_rows::visit(spec, path(spec)?, task, split, TEXT_ENDINGS, sink)
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "jsonl", "a folder of <task>/{train,test}.jsonl, or a file")
}
