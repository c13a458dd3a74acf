//! The work of `prepare/…` stages.

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

/// One task of the stream. Must not depend on its place in the stream, so that orders share the stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PrepareTask {
    /// The task.
    pub task: String,
    /// The dataset, with the task's own files.
    pub source: SourceWork,
    /// Maximum number of examples per split.
    pub limits: Limits,
    /// `stream.seed`, or else the recipe's seed. Draws derive from it and the name of the task, not from the stage key,
    /// so that the examples of a smaller limit are a prefix of those of a larger one.
    pub seed: u64,
}

/// Examples of one or several sources, concatenated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PrepareExamples {
    /// The sources.
    pub sources: Vec<ExamplesWork>,
    /// The backbone's seed for a corpus; `stream.seed`, or else the recipe's seed, for the others.
    pub seed: u64,
}

/// Examples of one source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExamplesWork {
    /// The dataset, with the files of these tasks.
    pub source: SourceWork,
    /// The tasks; empty for all.
    pub tasks: Vec<String>,
    /// The split.
    pub split: Split,
    /// Maximum number of examples of all tasks together, drawn by a seeded shuffle.
    pub limit: Option<usize>,
}
