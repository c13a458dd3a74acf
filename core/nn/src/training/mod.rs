//! Training: its settings, the gradient over micro-batches, objectives, the optimizer, checkpoints.

mod adamw;
mod checkpoint;
mod dropout;
mod gradient;
mod micro;
mod named;
mod objective;
mod observe;
mod parameters;
mod recompute;
mod schedule;
mod spec;
mod step;
mod trainee;
mod training_loop;
mod validation;

pub(crate) use dropout::Dropout;
pub(crate) use gradient::Activations;
pub(crate) use objective::Objectives;
pub(crate) use observe::Observed;
pub(crate) use parameters::Parameters;
pub(crate) use trainee::{ExpertTrainee, WholeTrainee};
pub(crate) use training_loop::{Training, usable_examples};

#[cfg(test)]
pub(crate) use {gradient::gradient, micro::divide};

pub use named::{NamedTensor, TensorName};
pub use objective::TrainingInputs;
pub use observe::Statistic;
pub use spec::{Flow, Length, Schedule, StepReport, TrainingControl, TrainingOutcome, TrainingSpec};
pub use validation::{Keep, TrainingData, Validation, ValidationSpec};

#[cfg(test)]
mod tests;
