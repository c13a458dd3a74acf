//! The training loop: batches, steps, validation, checkpoints, and progress reports.

use burn::tensor::Device;
use cadre_data::{Batches, TokenExample};
use cadre_store::Seed;

use super::checkpoint::{self, Progress};
use super::gradient::Activations;
use super::objective::Objectives;
use super::parameters::{Parameters, Role};
use super::schedule::learning_rate;
use super::spec::{Flow, Length, TrainingControl, TrainingOutcome, TrainingSpec};
use super::step::StepPlan;
use super::trainee::{PartTrainee, Trainee};
use super::validation::{self, Keep, TrainingData, Validation};
use crate::error::NnError;
use crate::workers::Workers;

/// A training, except for its length.
pub(crate) struct Training<'a> {
    pub(crate) trainee: &'a dyn Trainee,
    pub(crate) spec: &'a TrainingSpec,
    pub(crate) objectives: Objectives<'a>,
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
    /// Trains `parameters` on the examples. Skips examples that have no token with a loss.
    ///
    /// # Errors
    /// Invalid examples or settings, a file that cannot be written, or a loss or gradient that is not finite; that
    /// error gives the step.
    pub(crate) fn run(
        &self,
        parameters: &mut Parameters,
        data: TrainingData<'_>,
        control: &mut TrainingControl<'_>,
    ) -> Result<TrainingOutcome, NnError> {
        let spec = self.spec;
        spec.check()?;
        let examples = data.examples;
        let usable = usable_examples(examples, self.context, self.known_ids)?;
        let held_out = self.held_out(data.validation)?;
        let lengths = usable.iter().map(|&number| examples[number].ids.len()).collect();
        let batches = Batches::new(lengths, spec.batch, spec.accumulate, Seed(spec.seed).derive("order"))?;
        let steps = match spec.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => u64::from(epochs) * batches.steps_per_epoch(),
        };
        self.objectives.prepare(parameters)?;
        let identity = checkpoint::identity(spec, &self.about, parameters, data, &self.objectives);
        let found = control.checkpoint.and_then(|folder| checkpoint::read(folder, &identity, parameters));
        let mut progress = found.unwrap_or_else(|| Progress::start(identity));
        let mut stopped = false;
        let done = |progress: &Progress| {
            data.validation.is_some_and(|validation| validation.spec.stops(&progress.validation_losses))
        };
        let part = PartTrainee { whole: self.trainee, frozen: parameters.upload_frozen(self.device) };
        let any_frozen = parameters.0.iter().any(|parameter| parameter.role == Role::Frozen);
        let trainee = if any_frozen { &part } else { self.trainee };
        let plan = StepPlan {
            spec,
            trainee,
            objectives: self.objectives.activate(self.device)?,
            dropout: self.dropout,
            steps,
            device: self.device,
            workers: self.workers,
            activations: self.activations,
        };
        let rest = if done(&progress) { 0 } else { steps.saturating_sub(progress.step) };
        for rows in batches.starting_at(progress.step).take(usize::try_from(rest).unwrap_or(usize::MAX)) {
            let batches: Vec<Vec<&TokenExample>> = rows
                .batches
                .iter()
                .map(|batch| batch.iter().map(|&row| &examples[usable[row]]).collect())
                .collect();
            let mut report = plan.run(parameters, &batches, &mut progress)?;
            if let Some(validation) = data.validation.filter(|it| it.spec.is_due(progress.step, steps)) {
                let loss = self.validate(trainee, &validation, &held_out, parameters, &mut progress)?;
                report.validation_loss = Some(loss);
            }
            let ended = done(&progress) || progress.step == steps;
            stopped = (control.on_step)(&report) == Flow::Stop && !ended;
            let due = spec.checkpoint_every > 0 && progress.step.is_multiple_of(spec.checkpoint_every);
            if let Some(folder) = control.checkpoint
                && (due || stopped)
            {
                checkpoint::write(folder, &progress, parameters)?;
            }
            if stopped || ended {
                break;
            }
        }
        if !stopped {
            parameters.take_best();
        }
        Ok(self.outcome(&progress, parameters, steps, data.validation, stopped))
    }

    /// Held-out examples with a loss, checked as the others are.
    fn held_out<'v>(&self, validation: Option<Validation<'v>>) -> Result<Vec<&'v TokenExample>, NnError> {
        let Some(validation) = validation else { return Ok(Vec::new()) };
        if validation.spec.every == 0 {
            return Err(NnError::Setting { field: "validation every", value: 0.0, range: "at least 1" });
        }
        let kept = usable_examples(validation.examples, self.context, self.known_ids)?;
        Ok(kept.into_iter().map(|number| &validation.examples[number]).collect())
    }

    /// Measures the loss of the held-out examples, and notes the weights if it is the lowest so far.
    fn validate(
        &self,
        trainee: &dyn Trainee,
        validation: &Validation<'_>,
        examples: &[&TokenExample],
        parameters: &mut Parameters,
        progress: &mut Progress,
    ) -> Result<f32, NnError> {
        let rows = self.spec.micro_batch;
        let loss = validation::loss(trainee, parameters, examples, rows, self.device, self.workers)?;
        if !loss.is_finite() {
            return Err(NnError::Diverged { step: progress.step, loss });
        }
        let lowest = validation::best(&progress.validation_losses).is_none_or(|(_, best)| loss < best);
        if lowest && validation.spec.keep == Keep::Best {
            parameters.note_best();
        }
        progress.validation_losses.push((progress.step, loss));
        Ok(loss)
    }

    fn outcome(
        &self,
        progress: &Progress,
        parameters: &Parameters,
        steps: u64,
        validation: Option<Validation<'_>>,
        stopped: bool,
    ) -> TrainingOutcome {
        let losses: Vec<(u64, f32)> =
            progress.losses.iter().zip(1..).map(|(loss, step)| (step, *loss)).collect();
        let last = &progress.losses[progress.losses.len() - progress.losses.len().div_ceil(10)..];
        let final_loss = last.iter().map(|loss| f64::from(*loss)).sum::<f64>() / last.len().max(1) as f64;
        let best = validation
            .filter(|validation| validation.spec.keep == Keep::Best)
            .and_then(|_| validation::best(&progress.validation_losses));
        TrainingOutcome {
            final_loss: final_loss as f32,
            losses,
            added_losses: progress.added_losses.clone(),
            learning_rates: (0..progress.step)
                .map(|step| learning_rate(self.spec, step, steps) as f32)
                .collect(),
            gradient_norms: progress.gradient_norms.clone(),
            validation_losses: progress.validation_losses.clone(),
            kept_step: best.map_or(progress.step, |(step, _)| step),
            stopped_early: !stopped && progress.step < steps,
            tokens: progress.tokens,
            parameters: parameters.count(),
            stopped,
        }
    }
}

/// Indices of the examples that have a token with a loss. Checks all examples: `context` is the maximum number of tokens,
/// ids are below `known_ids`.
///
/// # Errors
/// Invalid examples, or none that has a token with a loss.
pub(crate) fn usable_examples(
    examples: &[TokenExample],
    context: usize,
    known_ids: usize,
) -> Result<Vec<usize>, NnError> {
    let mut usable = Vec::with_capacity(examples.len());
    for (row, example) in examples.iter().enumerate() {
        let tokens = example.ids.len();
        if example.mask.len() != tokens {
            return Err(NnError::Mask { example: row, ids: tokens, mask: example.mask.len() });
        }
        if tokens > context {
            return Err(NnError::RowTooLong { row, tokens, context });
        }
        if let Some(&id) = example.ids.iter().find(|&&id| id as usize >= known_ids) {
            return Err(NnError::TokenId { row, id, known: known_ids });
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
