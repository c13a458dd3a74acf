//! The loss on held-out examples while a training runs: which weights are kept, and when training stops early.

use burn::tensor::Device;
use cadre_data::TokenExample;
use serde::{Deserialize, Serialize};
use std::sync::Mutex;

use super::micro::{Micro, divide, loss_weight};
use super::parameters::Parameters;
use super::trainee::Trainee;
use crate::error::NnError;
use crate::weights::download;
use crate::workers::Workers;

/// The examples of a training.
#[derive(Clone, Copy)]
pub struct TrainingData<'a> {
    /// The examples to learn from.
    pub examples: &'a [TokenExample],
    /// Held-out examples, if their loss is measured.
    pub validation: Option<Validation<'a>>,
}

/// Held-out examples, and what their loss decides.
#[derive(Clone, Copy)]
pub struct Validation<'a> {
    /// The examples. Never trained on.
    pub examples: &'a [TokenExample],
    /// When their loss is measured, and what follows from it.
    pub spec: ValidationSpec,
}

/// When the validation loss is measured, and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ValidationSpec {
    /// Optimizer steps between two measurements, at least 1. The last step is measured too.
    pub every: u64,
    /// Which weights the training ends with.
    pub keep: Keep,
    /// Training stops after this many measurements in a row without a lower loss; `None`: never.
    pub patience: Option<u32>,
}

/// Which weights a training with validation ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those of the measurement with the lowest loss, the earliest of equals.
    Best,
    /// Those of the last step.
    Last,
}

impl<'a> From<&'a [TokenExample]> for TrainingData<'a> {
    fn from(examples: &'a [TokenExample]) -> Self {
        Self { examples, validation: None }
    }
}

impl<'a> From<&'a Vec<TokenExample>> for TrainingData<'a> {
    fn from(examples: &'a Vec<TokenExample>) -> Self {
        examples.as_slice().into()
    }
}

/// The measurement with the lowest loss: (step counted from one, nats per token).
pub(crate) fn best(measured: &[(u64, f32)]) -> Option<(u64, f32)> {
    measured.iter().copied().reduce(|best, next| if next.1 < best.1 { next } else { best })
}

impl ValidationSpec {
    /// Whether the loss is measured after this step of `steps`.
    pub(crate) fn is_due(&self, step: u64, steps: u64) -> bool {
        step.is_multiple_of(self.every) || step == steps
    }

    /// Whether training stops after these measurements.
    pub(crate) fn stops(&self, measured: &[(u64, f32)]) -> bool {
        let Some(patience) = self.patience else { return false };
        let best = best(measured).map_or(0, |(step, _)| step);
        measured.iter().filter(|(step, _)| *step > best).count() >= patience as usize
    }
}

/// Mean loss of examples, nats per token: `Σ weight · nll / Σ tokens with a loss`, as the loss of a step, without dropout.
///
/// # Errors
/// When the backend fails.
pub(crate) fn loss(
    trainee: &dyn Trainee,
    parameters: &Parameters,
    examples: &[&TokenExample],
    rows: usize,
    device: &Device,
    workers: &Workers,
) -> Result<f32, NnError> {
    let normaliser: f64 = examples.iter().map(|example| loss_weight(example)).sum();
    let micros: Vec<Micro> = divide(examples, rows, normaliser, None);
    let tensors = parameters.upload(device);
    let losses = Mutex::new(vec![0.0; micros.len()]);
    workers.each(micros.len(), &|number| {
        let micro = &micros[number];
        let loss = download(trainee.model(&tensors, micro.rows)?.loss(micro))?;
        let mut losses = losses.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        losses[number] = f64::from(loss[0]);
        Ok(())
    })?;
    // In the order of the micro-batches, whichever is done first.
    let losses = losses.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(losses.iter().sum::<f64>() as f32)
}

#[cfg(test)]
mod tests {
    use super::{Keep, ValidationSpec, best};

    #[test]
    fn patience_counts_measurements_since_the_best() {
        let spec = |patience| ValidationSpec { every: 5, keep: Keep::Best, patience };
        let losses =
            |losses: &[f32]| -> Vec<(u64, f32)> { (1..).zip(losses).map(|(n, l)| (5 * n, *l)).collect() };
        assert!(!spec(Some(2)).stops(&losses(&[3.0, 2.0, 2.5])));
        assert!(spec(Some(2)).stops(&losses(&[3.0, 2.0, 2.5, 2.0])), "an equal loss is no better one");
        assert!(!spec(None).stops(&losses(&[1.0, 2.0, 3.0, 4.0])));
        assert_eq!(best(&losses(&[3.0, 2.0, 2.0])), Some((10, 2.0)));
        assert!(spec(None).is_due(10, 12) && spec(None).is_due(12, 12) && !spec(None).is_due(11, 12));
    }
}
