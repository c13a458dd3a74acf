//! Parquet, with columns named by the recipe (see `field_rows`).

use std::path::{Path, PathBuf};

use super::rows::PARQUET_ENDINGS;
use super::sink::Sink;
use super::task_files::{self, layout_doc};
use super::{SourceSpec, field_rows, path_of};
use crate::error::DataError;
use crate::example::Split;

pub(super) const DOC: &str = concat!(
    "Parquet: ",
    layout_doc!(),
    ". `fields` names the columns of instruction, input and output, which contain texts, numbers or booleans; an output may be a list of correct answers, the first of which is trained on"
);

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, PARQUET_ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, PARQUET_ENDINGS)
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    field_rows::visit(spec, path(spec)?, task, split, PARQUET_ENDINGS, sink)
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "parquet", "a folder of <task>/{train,test}.parquet, or a file")
}
