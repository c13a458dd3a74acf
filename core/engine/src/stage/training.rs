//! Shared by pretraining and expert training: the learner's settings from a work, progress, and losses.

use cadre_eval::ExpertValidation;
use cadre_nn::{Flow, Length, Schedule, StepReport, TrainingOutcome, TrainingSpec};
use cadre_scheduler::{StageFacts, StageJob, TrainingWork};
use cadre_store::Seed;
use serde::{Deserialize, Serialize};

use super::claim_scale::shortest;
use crate::error::EngineError;

/// File with the losses of a trained model.
pub(super) const LOSSES: &str = "losses.json";

/// Loss of every step.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Losses {
    pub(super) format_version: u32,
    /// (step from 1, nats per token).
    pub(super) losses: Vec<(u64, f32)>,
    /// Learning rate of each step. Absent in files of format-version 1, as is what follows.
    #[serde(default)]
    pub(super) learning_rates: Vec<f32>,
    /// L2 norm of the gradient of each step, before it is clipped.
    #[serde(default)]
    pub(super) gradient_norms: Vec<f32>,
    /// Loss of the held-out examples: (step counted from one, nats per token).
    #[serde(default)]
    pub(super) validation_losses: Vec<(u64, f32)>,
}

/// The learner's settings.
pub(super) fn training_spec(work: &TrainingWork, seed: Seed) -> TrainingSpec {
    TrainingSpec {
        length: match work.length {
            cadre_scheduler::Length::Epochs(epochs) => Length::Epochs(epochs),
            cadre_scheduler::Length::Steps(steps) => Length::Steps(u64::from(steps)),
        },
        batch: work.batch as usize,
        accumulate: work.accumulate as usize,
        micro_batch: work.pace.micro_batch as usize,
        learning_rate: work.learning_rate,
        schedule: match work.schedule {
            cadre_recipe::Schedule::Cosine => Schedule::Cosine,
            cadre_recipe::Schedule::Constant => Schedule::Constant,
        },
        warmup: u64::from(work.warmup),
        gradient_clip: work.gradient_clip,
        weight_decay: work.weight_decay,
        seed: seed.derive("training").0,
        checkpoint_every: u64::from(work.pace.checkpoint_every),
    }
}

/// What the held-out examples of a training showed, from the facts of its stage; `None` without a validation split.
pub(super) fn validation(facts: &StageFacts) -> Option<ExpertValidation> {
    // The loss is an f32.
    let loss = shortest(facts["validation-loss"].as_f64()? as f32);
    Some(ExpertValidation {
        kept_step: facts["kept-step"].as_u64()?,
        loss,
        stopped_early: facts["stopped-early"].as_bool(),
    })
}

/// Reports a step, and stops if a stop was requested.
pub(super) fn report_step(job: &StageJob<'_>, report: &StepReport) -> Flow {
    job.progress(report.step, report.steps, "steps");
    job.metric("loss", report.step, f64::from(report.loss));
    if let Some(loss) = report.validation_loss {
        job.metric("validation-loss", report.step, f64::from(loss));
    }
    if job.stop.is_requested() { Flow::Stop } else { Flow::Go }
}

/// Writes the losses of a finished training.
pub(super) fn keep_losses(job: &StageJob<'_>, outcome: &TrainingOutcome) -> Result<(), EngineError> {
    if outcome.stopped {
        return Err(EngineError::Interrupted);
    }
    let losses = Losses {
        format_version: 2,
        losses: outcome.losses.clone(),
        learning_rates: outcome.learning_rates.clone(),
        gradient_norms: outcome.gradient_norms.clone(),
        validation_losses: outcome.validation_losses.clone(),
    };
    let bytes =
        serde_json::to_vec(&losses).map_err(|source| EngineError::NoJson { what: "losses", source })?;
    Ok(job.draft.write(LOSSES, &bytes)?)
}
