//! One optimizer step, as a sequence of moments: before the loss, loss and gradient of the examples, loss terms over
//! parameters, changes of the gradient, clipping, update, and changes after it.

use burn::tensor::{Device, Tensor};
use cadre_data::TokenExample;
use cadre_store::Seed;

use super::adamw;
use super::checkpoint::Progress;
use super::dropout::Dropout;
use super::gradient::{Activations, StepGradient, add, gradient};
use super::micro::{Micro, divide, loss_weight};
use super::objective::{ActiveObjectives, AddedTerms, StepContext};
use super::parameters::Parameters;
use super::schedule::learning_rate;
use super::spec::{StepReport, TrainingSpec};
use super::trainee::Trainee;
use crate::error::NnError;
use crate::workers::Workers;

/// What all steps of a training have in common.
pub(super) struct StepPlan<'a> {
    pub(super) spec: &'a TrainingSpec,
    pub(super) trainee: &'a dyn Trainee,
    pub(super) objectives: ActiveObjectives<'a>,
    pub(super) dropout: f64,
    pub(super) steps: u64,
    pub(super) device: &'a Device,
    pub(super) workers: &'a Workers,
    pub(super) activations: Activations,
}

/// A step in progress. Its moments are methods, to be called in the order of [`StepPlan::run`].
struct Step<'a> {
    plan: &'a StepPlan<'a>,
    at: StepContext<'a>,
    micros: Vec<Micro>,
    /// Tokens of the examples, prompts included.
    tokens: u64,
    /// The trained weights before the update; empty once no moment needs them.
    tensors: Vec<Tensor<2>>,
    /// Sum of the loss terms.
    added_loss: f32,
    /// One vector per trained weight, before clipping.
    gradients: Vec<Vec<f32>>,
    norm: f64,
    /// What clipping multiplies the gradient by.
    factor: f32,
}

impl StepPlan<'_> {
    /// Does one optimizer step.
    ///
    /// # Errors
    /// A loss or gradient that is not finite, an objective that failed, or a failure of the backend.
    pub(super) fn run(
        &self,
        parameters: &mut Parameters,
        batches: &[Vec<&TokenExample>],
        progress: &mut Progress,
    ) -> Result<StepReport, NnError> {
        let mut step = Step::before_loss(self, parameters, batches, progress.step);
        step.losses()?;
        step.terms(parameters)?;
        step.gradient(parameters)?;
        step.clip()?;
        step.update(parameters);
        step.after_step(parameters)?;
        Ok(step.finish(progress))
    }
}

impl<'a> Step<'a> {
    /// Divides the batches into micro-batches and uploads the weights. `done` is the number of finished steps.
    fn before_loss(
        plan: &'a StepPlan<'a>,
        parameters: &Parameters,
        batches: &[Vec<&TokenExample>],
        done: u64,
    ) -> Self {
        let spec = plan.spec;
        let all = || batches.iter().flatten();
        let normaliser: f64 = all().map(|example| loss_weight(example)).sum();
        let micros = batches
            .iter()
            .enumerate()
            .flat_map(|(number, batch)| {
                let seed = Seed(spec.seed).derive(&format!("dropout/{done}/{number}")).0;
                let dropout =
                    (plan.dropout > 0.0).then_some(Dropout { seed, share: plan.dropout, first_token: 0 });
                divide(batch, spec.micro_batch, normaliser, dropout)
            })
            .collect();
        let at = StepContext {
            step: done + 1,
            steps: plan.steps,
            learning_rate: learning_rate(spec, done, plan.steps),
            loss: 0.0,
            device: plan.device,
        };
        Self {
            plan,
            at,
            micros,
            tokens: all().map(|example| example.ids.len() as u64).sum(),
            tensors: parameters.upload(plan.device),
            added_loss: 0.0,
            gradients: Vec::new(),
            norm: 0.0,
            factor: 1.0,
        }
    }

    /// Forward and backward passes of the micro-batches.
    fn losses(&mut self) -> Result<(), NnError> {
        let StepPlan { trainee, workers, activations, objectives, .. } = self.plan;
        let StepGradient { loss, gradients } =
            gradient(*trainee, &self.tensors, &self.micros, workers, *activations)?;
        self.gradients = gradients;
        self.at.loss = loss as f32;
        if !self.at.loss.is_finite() {
            return Err(NnError::Diverged { step: self.at.step, loss: self.at.loss });
        }
        if objectives.is_empty() {
            self.tensors.clear();
        }
        Ok(())
    }

    /// Loss terms over parameters, once per step: their gradients are added to that of the examples.
    fn terms(&mut self, parameters: &Parameters) -> Result<(), NnError> {
        let StepPlan { objectives, workers, .. } = self.plan;
        if !objectives.any(|moments| moments.term) {
            return Ok(());
        }
        let AddedTerms { loss, gradients } =
            objectives.terms(&self.at, parameters, &self.tensors, workers)?;
        self.added_loss = loss as f32;
        if !self.added_loss.is_finite() {
            return Err(NnError::Diverged { step: self.at.step, loss: self.at.loss + self.added_loss });
        }
        for of_term in gradients {
            for (sum, more) in self.gradients.iter_mut().zip(of_term) {
                if let Some(more) = more {
                    add(sum, &more);
                }
            }
        }
        Ok(())
    }

    /// Changes of the gradient.
    fn gradient(&mut self, parameters: &Parameters) -> Result<(), NnError> {
        let StepPlan { objectives, workers, .. } = self.plan;
        if objectives.any(|moments| moments.gradient) {
            objectives.gradient(&self.at, parameters, &self.tensors, &mut self.gradients, workers)?;
        }
        Ok(())
    }

    /// The norm of the whole gradient, and the factor that limits it.
    fn clip(&mut self) -> Result<(), NnError> {
        self.norm = self.plan.workers.wide(|| adamw::norm(&self.gradients));
        if !self.norm.is_finite() {
            return Err(NnError::GradientDiverged { step: self.at.step, norm: self.norm });
        }
        self.factor = adamw::clip_factor(self.norm, self.plan.spec.gradient_clip);
        Ok(())
    }

    /// The optimizer's update.
    fn update(&self, parameters: &mut Parameters) {
        let StepContext { step, learning_rate, .. } = self.at;
        let decay = self.plan.spec.weight_decay;
        self.plan.workers.wide(|| {
            adamw::update(parameters, &self.gradients, self.factor, step, learning_rate, decay);
        });
    }

    /// Changes of weights and buffers after the update.
    fn after_step(&self, parameters: &mut Parameters) -> Result<(), NnError> {
        let StepPlan { objectives, workers, .. } = self.plan;
        if !objectives.any(|moments| moments.after_step) {
            return Ok(());
        }
        workers.alone(|| {
            objectives.after_step(&self.at, parameters, &self.tensors, &self.gradients, self.factor)
        })?
    }

    /// Notes the step as finished.
    fn finish(self, progress: &mut Progress) -> StepReport {
        let StepContext { step, steps, learning_rate, loss, .. } = self.at;
        progress.step = step;
        progress.tokens += self.tokens;
        progress.losses.push(loss);
        progress.gradient_norms.push(self.norm as f32);
        if self.plan.objectives.any(|moments| moments.term) {
            progress.added_losses.push(self.added_loss);
        }
        StepReport {
            step,
            steps,
            loss,
            added_loss: self.added_loss,
            learning_rate,
            gradient_norm: self.norm as f32,
            validation_loss: None,
            tokens: progress.tokens,
        }
    }
}
