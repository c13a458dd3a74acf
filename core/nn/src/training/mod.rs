//! Training: what it is told, the step with its micro-batches, the optimizer, checkpoints.

mod adamw;
mod checkpoint;
mod dropout;
mod micro;
mod parameters;
mod recompute;
mod schedule;
mod spec;
mod step;
mod trainee;
mod walk;

pub(crate) use dropout::Dropout;
pub(crate) use parameters::Parameters;
pub(crate) use step::Activations;
pub(crate) use trainee::{ExpertTrainee, WholeTrainee};
pub(crate) use walk::Training;

#[cfg(test)]
pub(crate) use {micro::divide, step::gradient};

pub use spec::{Flow, Length, Schedule, StepReport, TrainingControl, TrainingOutcome, TrainingSpec};

#[cfg(test)]
mod tests;
