//! The face between the walk and the stage bodies: what a body is given, what it gives back.

use std::error::Error;
use std::path::PathBuf;

use cadre_store::{Artifact, Draft};
use serde_json::Value;

use crate::stages::{StageKind, StageSpec};
use crate::walk::event::{Event, EventKind, EventSink, StopFlag};

/// What a stage has to say of its artifact: kept in the manifest, read by later stages and the report.
pub type StageFacts = Value;

/// Why a stage failed; any error will do.
pub type StageError = Box<dyn Error + Send + Sync>;

/// How a stage ended that did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum StageOutcome {
    /// The draft is complete.
    Done(StageFacts),
    /// It was asked to stop and did; what it needs to go on is in its workspace.
    Stopped,
}

/// Does the work of stages. One for all; called from several threads.
pub trait StageExecutor: Sync {
    /// Does the work of `job` into its draft.
    ///
    /// # Errors
    /// Whatever stops the stage. What it has left in its workspace is kept.
    fn execute(&self, job: &StageJob<'_>) -> Result<StageOutcome, StageError>;
}

/// A verified input of a stage.
#[derive(Clone, Debug)]
pub struct StageInput {
    /// Name of the stage that made it.
    pub name: String,
    /// Its kind.
    pub kind: StageKind,
    /// The task that it is about, or `union`; none where it is about no single one.
    pub task: Option<String>,
    /// What it made.
    pub artifact: Artifact,
}

/// A stage to be done now.
pub struct StageJob<'a> {
    /// What to do.
    pub spec: &'a StageSpec,
    /// What to do it with, in the order of `spec.inputs`.
    pub inputs: Vec<StageInput>,
    /// Where the outcome goes.
    pub draft: &'a Draft,
    /// A folder for checkpoints; what an earlier, interrupted try left is still in it.
    pub workspace: PathBuf,
    /// Who listens.
    pub events: &'a dyn EventSink,
    /// Looked at between steps.
    pub stop: &'a StopFlag,
}

impl StageJob<'_> {
    /// The input that the stage `name` made.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&StageInput> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The input of a kind that is about this task.
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

    /// Says how far the stage is.
    pub fn progress(&self, done: u64, total: u64, unit: &str) {
        self.send(EventKind::Progress { done, total, unit: unit.to_owned() });
    }

    /// Notes a figure on the way.
    pub fn metric(&self, name: &str, step: u64, value: f64) {
        self.send(EventKind::Metric { name: name.to_owned(), step, value });
    }
}
