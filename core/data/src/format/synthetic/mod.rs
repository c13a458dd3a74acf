//! The built-in instruction stream: a small language of words, lists, sentences, reviews and stories, seven tasks over
//! it, general instructions to pretrain a backbone on, and an out-of-distribution split. The data set must be the same
//! everywhere, like a file: it must not depend on a recipe's seed, which only samples from it.

mod draw;
mod general;
mod inputs;
mod phrasing;
mod splits;
mod tasks;
mod words;

use std::path::Path;

use super::{Sink, SourceSpec, unknown_task};
use crate::error::DataError;
use crate::example::{Example, Split};
use splits::{general_rows, out_of_distribution_rows, pseudo_negative_rows, task_rows};
use tasks::{Row, TASKS};

/// Seed of the data set.
const SEED: u64 = 0;

/// Must be raised with every change to a row.
pub(super) const VERSION: u32 = 2;

/// Description for the reference documentation.
pub(super) const DOC: &str = "the built-in instruction stream; reads no file. Tasks: polarity, sort, translation, arithmetic, aspect, reverse, tagging (2000 train and 500 test rows each). In addition: `general`, instructions to pretrain a backbone on (train 60000, test 500); `pseudo-negatives`, general instructions that are not in `general`; `out-of-distribution`, kinds of instruction that occur only in `general`, never in pseudo-negatives or tasks. The last two give the same rows for both splits";

/// Named orders of the tasks; the first is the default.
pub(super) const ORDERS: &[(&str, &[&str])] = &[
    ("default", &["polarity", "sort", "translation", "arithmetic", "aspect", "reverse", "tagging"]),
    ("backwards", &["tagging", "reverse", "aspect", "arithmetic", "translation", "sort", "polarity"]),
    // Similar tasks next to each other.
    ("pairs", &["polarity", "aspect", "sort", "reverse", "translation", "tagging", "arithmetic"]),
    ("short", &["polarity", "sort", "translation"]),
];

const GENERAL: &str = "general";
const PSEUDO_NEGATIVES: &str = "pseudo-negatives";
const OUT_OF_DISTRIBUTION: &str = "out-of-distribution";

/// The tasks of the stream, followed by the additional sources.
#[expect(clippy::unnecessary_wraps, reason = "the table of formats requires this signature")]
pub(super) fn tasks(_spec: &SourceSpec) -> Result<Vec<String>, DataError> {
    Ok(names())
}

fn names() -> Vec<String> {
    TASKS
        .iter()
        .map(|task| task.name)
        .chain([GENERAL, PSEUDO_NEGATIVES, OUT_OF_DISTRIBUTION])
        .map(str::to_owned)
        .collect()
}

/// Passes a split of a task or of an additional source to the sink. General rows have the name of their kind as their
/// task. Outputs begin with a space, which metrics ignore.
pub(super) fn visit(spec: &SourceSpec, task: &str, split: Split, sink: &mut Sink) -> Result<(), DataError> {
    load(spec, task, split)?.into_iter().try_for_each(|example| sink.take(Path::new("synthetic"), example))
}

fn load(_spec: &SourceSpec, task: &str, split: Split) -> Result<Vec<Example>, DataError> {
    let test = split == Split::Test;
    let rows: Vec<(&'static str, Row)> = match task {
        GENERAL => general_rows(SEED, test),
        PSEUDO_NEGATIVES => pseudo_negative_rows(SEED),
        OUT_OF_DISTRIBUTION => out_of_distribution_rows(SEED),
        name => {
            let Some(known) = TASKS.iter().find(|task| task.name == name) else {
                return Err(unknown_task(task, "format `synthetic`".into(), names()));
            };
            task_rows(SEED, known, test).into_iter().map(|row| (known.name, row)).collect()
        }
    };
    let source = match task {
        GENERAL => format!("{task}/{}", split.name()),
        PSEUDO_NEGATIVES | OUT_OF_DISTRIBUTION => task.to_owned(),
        name => format!("{name}/{}", split.name()),
    };
    Ok(rows
        .into_iter()
        .enumerate()
        .map(|(place, (kind, row))| Example {
            id: format!("{source}/{place}"),
            task: kind.to_owned(),
            turns: Vec::new(),
            instruction: row.instruction,
            input: row.input,
            references: vec![row.output.clone()],
            // A byte-level tokenizer has different tokens for a word with and without a preceding space. With the
            // space, a word that the answer takes from its prompt keeps its token.
            output: format!(" {}", row.output),
        })
        .collect())
}

#[cfg(test)]
mod tests;
