//! The settings of a training, its progress reports, and its result.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::NnError;

/// How long a training runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// Passes over the examples.
    Epochs(u32),
    /// Optimizer steps; the examples are repeated as often as needed.
    Steps(u64),
}

/// The learning rate after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays at the peak.
    Constant,
    /// Half a cosine, from the peak to zero at the end.
    Cosine,
}

/// Everything that a training depends on except its examples and its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainingSpec {
    /// Length of the training.
    pub length: Length,
    /// Examples per forward and backward pass, at least 1.
    pub batch: usize,
    /// Batches whose gradients are accumulated per optimizer step, at least 1.
    pub accumulate: usize,
    /// Rows that one worker computes together; 0 chooses by the number of tokens. This bounds memory. Results depend on
    /// it only through rounding, and never on the number of threads.
    pub micro_batch: usize,
    /// Peak learning rate, 0 or more.
    pub learning_rate: f64,
    /// Schedule after the warm-up.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from zero.
    pub warmup: u64,
    /// Maximum norm of the whole gradient; 0 disables clipping.
    pub gradient_clip: f64,
    /// AdamW's decoupled weight decay, 0 or more; norms are not decayed.
    pub weight_decay: f64,
    /// Seed of the shuffling, the dropout and the initial weights.
    pub seed: u64,
    /// Steps between checkpoints; 0 disables them.
    pub checkpoint_every: u64,
}

impl TrainingSpec {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`NnError::Setting`] for the first value that is out of range.
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

/// Progress report after an optimizer step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The step, counted from 1.
    pub step: u64,
    /// Total number of steps.
    pub steps: u64,
    /// Loss of the step's examples before its update, in nats per token.
    pub loss: f32,
    /// Sum of the objectives' loss terms before the update; 0 without objectives.
    pub added_loss: f32,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// L2 norm of the whole gradient, before clipping.
    pub gradient_norm: f32,
    /// Loss of the held-out examples after the step, in nats per token, if it was measured.
    pub validation_loss: Option<f32>,
    /// Tokens processed since the beginning of the training, prompts included.
    pub tokens: u64,
}

/// A callback's decision to continue or to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Continue.
    Go,
    /// Stop; a training first writes a checkpoint, if it has a folder for it.
    Stop,
}

/// Callbacks and checkpoint of a training.
pub struct TrainingControl<'a> {
    /// Folder of the checkpoint. If it holds a checkpoint of exactly this training, the training resumes from it and
    /// produces the same bytes as an uninterrupted one.
    pub checkpoint: Option<&'a Path>,
    /// Called after each step.
    pub on_step: &'a mut dyn FnMut(&StepReport) -> Flow,
}

/// The result of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingOutcome {
    /// Mean loss of the last tenth of the steps (at least one), in nats per token.
    pub final_loss: f32,
    /// Loss of every step: (step counted from 1, nats per token).
    pub losses: Vec<(u64, f32)>,
    /// Sum of the objectives' loss terms of every step, which `losses` does not include; empty without objectives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_losses: Vec<f32>,
    /// Learning rate of every step.
    pub learning_rates: Vec<f32>,
    /// L2 norm of the gradient of every step, before clipping.
    pub gradient_norms: Vec<f32>,
    /// Loss of the held-out examples: (step counted from 1, nats per token).
    pub validation_losses: Vec<(u64, f32)>,
    /// The step whose weights the training ended with.
    pub kept_step: u64,
    /// Whether the validation loss ended the training before its last planned step.
    pub stopped_early: bool,
    /// Tokens processed, prompts included.
    pub tokens: u64,
    /// Number of trained weights.
    pub parameters: u64,
    /// Whether the caller stopped the training. If so, only a checkpoint was written, no result.
    pub stopped: bool,
}
