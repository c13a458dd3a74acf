//! Training: its settings, the gradient over micro-batches, the optimizer, checkpoints.

mod adamw;
mod checkpoint;
mod dropout;
mod gradient;
mod micro;
mod parameters;
mod recompute;
mod schedule;
mod spec;
mod trainee;
mod training_loop;
mod validation;

pub(crate) use dropout::Dropout;
pub(crate) use gradient::Activations;
pub(crate) use parameters::Parameters;
pub(crate) use trainee::{ExpertTrainee, WholeTrainee};
pub(crate) use training_loop::Training;

#[cfg(test)]
pub(crate) use {gradient::gradient, micro::divide};

pub use spec::{Flow, Length, Schedule, StepReport, TrainingControl, TrainingOutcome, TrainingSpec};
pub use validation::{Keep, TrainingData, Validation, ValidationSpec};

#[cfg(test)]
mod tests;
