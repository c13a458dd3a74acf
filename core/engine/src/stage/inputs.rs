//! A stage's inputs by kind, and the examples in them. Missing inputs are errors that name the input.

use cadre_data::{Example, read_examples};
use cadre_scheduler::{StageInput, StageJob, StageKind};
use cadre_store::Artifact;

use crate::error::EngineError;

/// Training examples.
pub(super) const TRAIN: &str = "train.jsonl";
/// Test examples.
pub(super) const TEST: &str = "test.jsonl";
/// Examples of no task of the stream.
pub(super) const EXAMPLES: &str = "examples.jsonl";

/// The artifact of the stage `name`.
pub(super) fn named<'a>(job: &'a StageJob<'_>, name: &str) -> Result<&'a Artifact, EngineError> {
    let found = job.input(name).map(|input| &input.artifact);
    found.ok_or_else(|| EngineError::InputMissing { stage: job.spec.name.clone(), what: name.to_owned() })
}

/// The first artifact of a kind.
pub(super) fn first_input<'a>(job: &'a StageJob<'_>, kind: StageKind) -> Result<&'a Artifact, EngineError> {
    let found = job.inputs_of(kind).next().map(|input| &input.artifact);
    found.ok_or_else(|| EngineError::InputMissing {
        stage: job.spec.name.clone(),
        what: kind.name().to_owned(),
    })
}

/// All inputs of a kind, in plan order.
pub(super) fn all<'a>(job: &'a StageJob<'_>, kind: StageKind) -> Vec<&'a StageInput> {
    job.inputs_of(kind).collect()
}

/// The part of a stage's name after the kind: the task of `train/sort`.
pub(crate) fn task_of(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, task)| task)
}

/// The examples in a file of a `prepare` artifact.
pub(super) fn examples(artifact: &Artifact, file: &str) -> Result<Vec<Example>, EngineError> {
    Ok(read_examples(&artifact.path(file))?)
}

/// The prepared examples of a task of the stream.
pub(super) fn task_examples(job: &StageJob<'_>, task: &str, file: &str) -> Result<Vec<Example>, EngineError> {
    let found = job.input_for(StageKind::Prepare, task).map(|input| &input.artifact);
    let missing = || EngineError::InputMissing {
        stage: job.spec.name.clone(),
        what: format!("the examples of {task}"),
    };
    examples(found.ok_or_else(missing)?, file)
}
