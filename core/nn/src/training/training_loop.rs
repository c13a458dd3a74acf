//! The training loop: batches, gradients, clipping, updates, checkpoints, and progress reports.

use burn::tensor::Device;
use cadre_data::{Batches, TokenExample};
use cadre_store::Seed;

use super::adamw;
use super::checkpoint::{self, Progress};
use super::dropout::Dropout;
use super::gradient::{Activations, StepGradient, gradient};
use super::micro::{Micro, divide, loss_weight};
use super::parameters::Parameters;
use super::schedule::learning_rate;
use super::spec::{Flow, Length, StepReport, TrainingControl, TrainingOutcome, TrainingSpec};
use super::trainee::Trainee;
use crate::error::NnError;
use crate::workers::Workers;

/// A training, except for its length.
pub(crate) struct Training<'a> {
    pub(crate) trainee: &'a dyn Trainee,
    pub(crate) spec: &'a TrainingSpec,
    pub(crate) dropout: f64,
    /// Everything else that the result depends on; part of the checkpoint's identity.
    pub(crate) about: serde_json::Value,
    pub(crate) context: usize,
    pub(crate) known_ids: usize,
    pub(crate) workers: &'a Workers,
    pub(crate) device: &'a Device,
    /// What forward passes keep for backward passes. The result does not depend on it.
    pub(crate) activations: Activations,
}

impl Training<'_> {
    /// Trains `parameters` on `examples`. Skips examples that have no token with a loss.
    ///
    /// # Errors
    /// Invalid examples or settings, a file that cannot be written, or a loss or gradient that is not finite; that
    /// error gives the step.
    pub(crate) fn run(
        &self,
        parameters: &mut Parameters,
        examples: &[TokenExample],
        control: &mut TrainingControl<'_>,
    ) -> Result<TrainingOutcome, NnError> {
        let spec = self.spec;
        spec.check()?;
        let usable = self.checked(examples)?;
        let lengths = usable.iter().map(|&number| examples[number].ids.len()).collect();
        let batches = Batches::new(lengths, spec.batch, spec.accumulate, Seed(spec.seed).derive("order"))?;
        let steps = match spec.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => u64::from(epochs) * batches.steps_per_epoch(),
        };
        let identity = checkpoint::identity(spec, &self.about, parameters, examples);
        let found = control.checkpoint.and_then(|folder| checkpoint::read(folder, &identity, parameters));
        let mut progress = found.unwrap_or_else(|| Progress::start(identity));
        let mut stopped = false;
        let rest = steps.saturating_sub(progress.step);
        for rows in batches.starting_at(progress.step).take(usize::try_from(rest).unwrap_or(usize::MAX)) {
            let batches: Vec<Vec<&TokenExample>> = rows
                .batches
                .iter()
                .map(|batch| batch.iter().map(|&row| &examples[usable[row]]).collect())
                .collect();
            let report = self.step(parameters, &batches, &mut progress, steps)?;
            let flow = (control.on_step)(&report);
            stopped = flow == Flow::Stop && progress.step < steps;
            let due = spec.checkpoint_every > 0 && progress.step.is_multiple_of(spec.checkpoint_every);
            if let Some(folder) = control.checkpoint
                && (due || stopped)
            {
                checkpoint::write(folder, &progress, parameters)?;
            }
            if stopped {
                break;
            }
        }
        Ok(outcome(&progress, parameters.count(), stopped))
    }

    /// One optimizer step.
    fn step(
        &self,
        parameters: &mut Parameters,
        batches: &[Vec<&TokenExample>],
        progress: &mut Progress,
        steps: u64,
    ) -> Result<StepReport, NnError> {
        let spec = self.spec;
        let all = || batches.iter().flatten();
        let normaliser: f64 = all().map(|example| loss_weight(example)).sum();
        let micros: Vec<Micro> = batches
            .iter()
            .enumerate()
            .flat_map(|(number, batch)| {
                let label = format!("dropout/{}/{number}", progress.step);
                let seed = Seed(spec.seed).derive(&label).0;
                let dropout =
                    (self.dropout > 0.0).then_some(Dropout { seed, share: self.dropout, first_token: 0 });
                divide(batch, spec.micro_batch, normaliser, dropout)
            })
            .collect();
        let tensors = parameters.upload(self.device);
        let StepGradient { loss, gradients } =
            gradient(self.trainee, &tensors, &micros, self.workers, self.activations)?;
        drop(tensors);
        let (loss, step) = (loss as f32, progress.step + 1);
        if !loss.is_finite() {
            return Err(NnError::Diverged { step, loss });
        }
        let learning_rate = learning_rate(spec, progress.step, steps);
        self.workers.wide(|| {
            let norm = adamw::norm(&gradients);
            if !norm.is_finite() {
                return Err(NnError::GradientDiverged { step, norm });
            }
            let factor = adamw::clip_factor(norm, spec.gradient_clip);
            adamw::update(parameters, &gradients, factor, step, learning_rate, spec.weight_decay);
            Ok(())
        })?;
        progress.step = step;
        progress.tokens += all().map(|example| example.ids.len() as u64).sum::<u64>();
        progress.losses.push(loss);
        Ok(StepReport { step, steps, loss, learning_rate, tokens: progress.tokens })
    }

    /// Indices of the examples that have a token with a loss. Checks all examples.
    fn checked(&self, examples: &[TokenExample]) -> Result<Vec<usize>, NnError> {
        let mut usable = Vec::with_capacity(examples.len());
        for (row, example) in examples.iter().enumerate() {
            let tokens = example.ids.len();
            if example.mask.len() != tokens {
                return Err(NnError::Mask { example: row, ids: tokens, mask: example.mask.len() });
            }
            if tokens > self.context {
                return Err(NnError::RowTooLong { row, tokens, context: self.context });
            }
            if let Some(&id) = example.ids.iter().find(|&&id| id as usize >= self.known_ids) {
                return Err(NnError::TokenId { row, id, known: self.known_ids });
            }
            if !(example.weight.is_finite() && example.weight >= 0.0) {
                let value = f64::from(example.weight);
                return Err(NnError::Setting { field: "example weight", value, range: "0 or more" });
            }
            let value = f64::from(example.indicator_weight);
            if !(value.is_finite() && value > 0.0) {
                return Err(NnError::Setting { field: "indicator weight", value, range: "above 0" });
            }
            if example.losses().next().is_some() {
                usable.push(row);
            }
        }
        if usable.is_empty() { Err(NnError::NothingToLearn) } else { Ok(usable) }
    }
}

fn outcome(progress: &Progress, parameters: u64, stopped: bool) -> TrainingOutcome {
    let losses: Vec<(u64, f32)> = progress.losses.iter().zip(1..).map(|(loss, step)| (step, *loss)).collect();
    let last = &progress.losses[progress.losses.len() - progress.losses.len().div_ceil(10)..];
    let final_loss = last.iter().map(|loss| f64::from(*loss)).sum::<f64>() / last.len().max(1) as f64;
    TrainingOutcome { final_loss: final_loss as f32, losses, tokens: progress.tokens, parameters, stopped }
}
