//! The interface between the scheduler and stage bodies.

use std::error::Error;
use std::path::PathBuf;

use cadre_store::{Artifact, Draft};
use serde_json::Value;

use crate::stages::{StageKind, StageSpec};
use crate::walk::event::{Event, EventKind, EventSink, StopFlag};

/// Facts about an artifact: stored in its manifest, read by later stages and the report. The fact `training-tokens` of
/// training stages is also used to measure speed.
pub type StageFacts = Value;

/// Why a stage failed.
pub type StageError = Box<dyn Error + Send + Sync>;

/// The outcome of a stage that did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum StageOutcome {
    /// The draft is complete.
    Done(StageFacts),
    /// It stopped on request; its workspace contains what it needs to resume.
    Stopped,
}

/// Executes stages. One executor serves all stages and is called from several threads.
pub trait StageExecutor: Sync {
    /// Executes `job` and writes its artifact to the draft.
    ///
    /// # Errors
    /// Any error of the stage. Its workspace is kept.
    fn execute(&self, job: &StageJob<'_>) -> Result<StageOutcome, StageError>;
}

/// A verified input of a stage.
#[derive(Clone, Debug)]
pub struct StageInput {
    /// Name of the stage that produced it.
    pub name: String,
    /// Its kind.
    pub kind: StageKind,
    /// Its task, or `union`; `None` if it does not belong to a single task.
    pub task: Option<String>,
    /// The artifact.
    pub artifact: Artifact,
}

/// A stage to execute.
pub struct StageJob<'a> {
    /// The stage.
    pub spec: &'a StageSpec,
    /// Its inputs, in the order of `spec.inputs`.
    pub inputs: Vec<StageInput>,
    /// The artifact under construction.
    pub draft: &'a Draft,
    /// A folder for checkpoints, including those of an earlier, interrupted attempt.
    pub workspace: PathBuf,
    /// The receiver of events.
    pub events: &'a dyn EventSink,
    /// Checked between steps.
    pub stop: &'a StopFlag,
}

impl StageJob<'_> {
    /// The input produced by the stage `name`.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&StageInput> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The input of a kind for this task.
    #[must_use]
    pub fn input_for(&self, kind: StageKind, task: &str) -> Option<&StageInput> {
        self.inputs_of(kind).find(|input| input.task.as_deref() == Some(task))
    }

    /// The inputs of a kind, in the order of the plan.
    pub fn inputs_of(&self, kind: StageKind) -> impl Iterator<Item = &StageInput> {
        self.inputs.iter().filter(move |input| input.kind == kind)
    }

    /// Sends an event of this stage.
    pub fn send(&self, kind: EventKind) {
        self.events.send(&Event { stage: self.spec.name.clone(), key: self.spec.key, kind });
    }

    /// Reports progress.
    pub fn progress(&self, done: u64, total: u64, unit: &str) {
        self.send(EventKind::Progress { done, total, unit: unit.to_owned() });
    }

    /// Reports a metric.
    pub fn metric(&self, name: &str, step: u64, value: f64) {
        self.send(EventKind::Metric { name: name.to_owned(), step, value });
    }
}
