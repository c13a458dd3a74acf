//! What `prepare/…` stages read.

use cadre_recipe::{Limits, Split};
use serde::{Deserialize, Serialize};

use super::parts::SourceWork;

/// Reads examples from a dataset.
#[expect(clippy::large_enum_variant, reason = "a plan holds a few dozen of them, none in a loop")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrepareWork {
    /// One task of the stream: `train.jsonl`, `test.jsonl`.
    Task(PrepareTask),
    /// Other examples (`prepare-corpus`, `prepare-out-of-distribution`, `prepare-pseudo-negatives`): `examples.jsonl`.
    Examples(PrepareExamples),
}

/// One task of the stream. It does not know its place in the stream: orders share it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PrepareTask {
    /// The task.
    pub task: String,
    /// The dataset, with the task's own files.
    pub source: SourceWork,
    /// The most examples of each split.
    pub limits: Limits,
    /// `stream.seed`, else the recipe's. Draws are derived from it and the task's name, not from the stage key: a
    /// smaller limit then gives a prefix of a larger one.
    pub seed: u64,
}

/// Examples of one or several sources, one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PrepareExamples {
    /// The sources.
    pub sources: Vec<ExamplesWork>,
    /// The backbone's seed for a corpus; `stream.seed`, else the recipe's, for the others.
    pub seed: u64,
}

/// Examples of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExamplesWork {
    /// The dataset, with the files of these tasks.
    pub source: SourceWork,
    /// The tasks; empty for all there are.
    pub tasks: Vec<String>,
    /// Which part of it.
    pub split: Split,
    /// At most so many examples of all tasks together, drawn by a seeded shuffle.
    pub limit: Option<usize>,
}
