//! Triples of instruction, input and output, as in Stanford Alpaca's data and its many derivatives, with the optional
//! `system` and `history` fields of LLaMA-Factory. A `text` field is ignored, because the prompt comes from the
//! recipe's template.

use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::field_rows::{Ids, visit_with};
use super::rows::{ENDINGS, Row, Wanted, maybe, must};
use super::sink::Sink;
use super::task_files::{self, layout_doc};
use super::{SourceSpec, path_of};
use crate::error::DataError;
use crate::example::{Example, Split, Turn, TurnRole};

pub(super) const DOC: &str = concat!(
    "triples of `instruction`, `input` (may be empty, null or missing) and `output`, as in alpaca_data.json, as a JSON array, JSON lines, CSV or Parquet; a row's `system` message and `history` of [question, answer] pairs, if any, become earlier turns (`template = \"chat\"` shows them): ",
    layout_doc!()
);

/// Fields to read from a row.
pub(super) const WANTED: [Wanted; 7] = [
    must("instruction"),
    maybe("input"),
    must("output"),
    maybe("id"),
    maybe("system"),
    maybe("history"),
    maybe("weight"),
];

pub(super) fn tasks(spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    task_files::tasks(path(spec)?, ENDINGS)
}

pub(super) fn files(spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<PathBuf>, DataError> {
    task_files::files(path(spec)?, task, split, ENDINGS)
}

pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    visit_with(&files(spec, task, split)?, task, split, &WANTED, sink, &mut triple)
}

/// Passes the triple of a row to the sink.
pub(super) fn triple(row: &Row, ids: &Ids, sink: &mut Sink) -> Result<(), DataError> {
    if row.left_out(sink) {
        return Ok(());
    }
    let output = row.text("output")?;
    let example = Example {
        id: ids.of(row),
        task: ids.task.clone(),
        turns: before(row)?,
        instruction: row.text("instruction")?,
        input: row.text_if_any("input")?.unwrap_or_default(),
        references: vec![output.clone()],
        output,
    };
    sink.take(row.file, example)
}

/// The system message, and the earlier questions with their answers.
fn before(row: &Row) -> Result<Vec<Turn>, DataError> {
    let mut turns = Vec::new();
    if let Some(content) = row.text_if_any("system")?.filter(|text| !text.trim().is_empty()) {
        turns.push(Turn { role: TurnRole::System, content });
    }
    let pairs = || row.wrong("a list of [question, answer] pairs of text in field `history`");
    let history = match row.get("history") {
        None => return Ok(turns),
        // Text tables represent an empty field as a text.
        Some(Cell::Text(text)) if matches!(text.trim(), "" | "[]") => return Ok(turns),
        Some(Cell::List(history)) => history,
        Some(_) => return Err(pairs()),
    };
    for pair in history {
        let Cell::List(pair) = pair else { return Err(pairs()) };
        let [Cell::Text(question), Cell::Text(answer)] = pair.as_slice() else { return Err(pairs()) };
        turns.push(Turn { role: TurnRole::User, content: question.clone() });
        turns.push(Turn { role: TurnRole::Assistant, content: answer.clone() });
    }
    Ok(turns)
}

fn path(spec: &SourceSpec) -> Result<&Path, DataError> {
    path_of(spec, "alpaca", "alpaca_data.json, or a folder of <task>/{train,test}.json")
}
