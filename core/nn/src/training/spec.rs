//! What a training is told, what it tells while it runs, and what it leaves. It trains nothing.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::NnError;

/// How long a training runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// Passes over the examples.
    Epochs(u32),
    /// Optimizer steps; the examples are passed over as often as needed.
    Steps(u64),
}

/// The learning rate over the steps, after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays at its height.
    Constant,
    /// Half a cosine, from its height to zero at the last step.
    Cosine,
}

/// Everything a training depends on but its examples and its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainingSpec {
    /// How long.
    pub length: Length,
    /// Examples of one forward and backward pass, at least 1.
    pub batch: usize,
    /// Batches whose gradients are added before one optimizer step, at least 1.
    pub accumulate: usize,
    /// Rows computed together by one worker; 0 chooses by the number of tokens. It bounds memory.
    /// Results depend on it by rounding only, and not at all on the number of threads.
    pub micro_batch: usize,
    /// Height of the learning rate.
    pub learning_rate: f64,
    /// Its course.
    pub schedule: Schedule,
    /// Steps over which it rises from zero.
    pub warmup: u64,
    /// Largest norm of the whole gradient; 0 does not clip.
    pub gradient_clip: f64,
    /// AdamW's decoupled weight decay; norms are not decayed.
    pub weight_decay: f64,
    /// Seed of the shuffling, the dropout and the start values of weights.
    pub seed: u64,
    /// Steps between two checkpoints; 0 writes none.
    pub checkpoint_every: u64,
}

impl TrainingSpec {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`NnError::Setting`] names the first number that is out of range.
    pub(crate) fn check(&self) -> Result<(), NnError> {
        let out = |field, value, range| Err(NnError::Setting { field, value, range });
        match self.length {
            Length::Epochs(0) => return out("epochs", 0.0, "at least 1"),
            Length::Steps(0) => return out("steps", 0.0, "at least 1"),
            _ => {}
        }
        if self.batch == 0 {
            return out("batch", 0.0, "at least 1");
        }
        if self.accumulate == 0 {
            return out("accumulate", 0.0, "at least 1");
        }
        if !(self.learning_rate.is_finite() && self.learning_rate >= 0.0) {
            return out("learning-rate", self.learning_rate, "0 or more");
        }
        if !(self.gradient_clip.is_finite() && self.gradient_clip >= 0.0) {
            return out("gradient-clip", self.gradient_clip, "0 (off) or more");
        }
        if !(self.weight_decay.is_finite() && self.weight_decay >= 0.0) {
            return out("weight-decay", self.weight_decay, "0 or more");
        }
        Ok(())
    }
}

/// What is told after each optimizer step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The step, counted from one.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
    /// Loss of the step's examples before its update, nats a token.
    pub loss: f32,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// L2 norm of the whole gradient, before it is clipped.
    pub gradient_norm: f32,
    /// Loss of the held-out examples after the step, nats per token, where it was measured.
    pub validation_loss: Option<f32>,
    /// Tokens seen since the training began, prompts included.
    pub tokens: u64,
}

/// What a listener answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Go,
    /// Write a checkpoint and return.
    Stop,
}

/// How the caller watches, stops and resumes a training.
pub struct TrainingControl<'a> {
    /// Folder of the checkpoint. If it holds one of this very training, the training goes on there
    /// and ends in the same bytes as one that was never stopped.
    pub checkpoint: Option<&'a Path>,
    /// Called after each step.
    pub on_step: &'a mut dyn FnMut(&StepReport) -> Flow,
}

/// What a training leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingOutcome {
    /// Mean loss of the last tenth of the steps (at least one), nats a token.
    pub final_loss: f32,
    /// Loss of every step: (step counted from one, nats a token).
    pub losses: Vec<(u64, f32)>,
    /// Learning rate of every step.
    pub learning_rates: Vec<f32>,
    /// L2 norm of the gradient of every step, before it is clipped.
    pub gradient_norms: Vec<f32>,
    /// Loss of the held-out examples: (step counted from one, nats per token).
    pub validation_losses: Vec<(u64, f32)>,
    /// The step whose weights were kept.
    pub kept_step: u64,
    /// Tokens seen, prompts included.
    pub tokens: u64,
    /// Number of trained weights.
    pub parameters: u64,
    /// Whether the caller stopped it; then no result was written, only a checkpoint.
    pub stopped: bool,
}
