//! `train/…`: trains an expert on a composed training set. Resumes from its checkpoint after a kill with bit-identical
//! results; must never change the backbone.

use cadre_data::{Example, Target, TokenExample, Tokenizer, TrainingRow, read_training_rows};
use cadre_nn::{
    AdapterSpec, Keep, TrainingControl, TrainingData, TrainingOutcome, Validation, ValidationSpec,
};
use cadre_recipe::{Adapter, AdapterKind};
use cadre_scheduler::{IndicatorLearning, StageFacts, StageJob, StageKind, TrainWork, ValidationWork, slot};
use cadre_store::Seed;
use serde_json::json;

use super::compose::{TRAINING, VALIDATION};
use super::encoding::Encoding;
use super::inputs::first_input;
use super::training::{keep_losses, report_step, training_spec};
use crate::error::EngineError;
use crate::resources::Resources;

pub(super) fn train(
    work: &TrainWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let model = executor.model(&work.model, first_input(job, StageKind::Backbone)?)?;
    let composed = first_input(job, StageKind::Compose)?;
    let rows = read_training_rows(&composed.path(TRAINING))?;
    let held_out = match work.validation {
        Some(_) => read_training_rows(&composed.path(VALIDATION))?,
        None => Vec::new(),
    };
    let shape = model.learner.shape();
    let encoding = Encoding::new(
        &model.tokenizer,
        shape.vocabulary,
        shape.context,
        &work.prompt,
        work.indicator.as_ref(),
        work.max_response as usize,
    )?;
    let indicator_weight = work.indicator_learning.as_ref().map_or(1.0, |learning| learning.loss_weight);
    let examples = encode(&encoding, &rows, indicator_weight as f32)?;
    let held_out = encode(&encoding, &held_out, indicator_weight as f32)?;
    let validation = work.validation.as_ref();
    let data = TrainingData {
        examples: &examples,
        validation: validation.map(|work| Validation { examples: &held_out, spec: validation_spec(work) }),
    };
    let adapter = AdapterSpec {
        added_start: added_start(work.indicator_learning.as_ref(), &model.tokenizer)?,
        ..adapter_spec(&work.adapter, encoding.added_tokens, job.spec.seed())
    };
    let previous = if work.from_previous { Some(first_input(job, StageKind::Train)?.folder()) } else { None };
    let spec = training_spec(&work.training, job.spec.seed());
    let checkpoint = job.workspace.join("training");
    let mut on_step = |report: &cadre_nn::StepReport| report_step(job, report);
    let mut control = TrainingControl { checkpoint: Some(&checkpoint), on_step: &mut on_step };
    let out = job.draft.folder();
    let outcome = model.learner.train_expert(&adapter, previous, data, &spec, &mut control, out)?;
    keep_losses(job, &outcome)?;
    let negatives = rows.iter().filter(|row| matches!(row.target, Target::Reject { .. })).count();
    Ok(json!({
        "parameters": outcome.parameters,
        "training-examples": rows.len(),
        "negatives": negatives,
        "training-tokens": outcome.tokens,
        "final-loss": outcome.final_loss,
        "validation-loss": validation_loss(&outcome),
        "steps": outcome.losses.len(),
        "kept-step": outcome.kept_step,
    }))
}

/// The validation loss of the weights that were kept.
fn validation_loss(outcome: &TrainingOutcome) -> Option<f32> {
    let kept = outcome.validation_losses.iter().find(|(step, _)| *step == outcome.kept_step);
    kept.map(|(_, loss)| *loss)
}

fn validation_spec(work: &ValidationWork) -> ValidationSpec {
    let ValidationWork { every, keep, patience } = *work;
    let keep = match keep {
        cadre_recipe::Keep::Best => Keep::Best,
        cadre_recipe::Keep::Last => Keep::Last,
    };
    ValidationSpec { every: u64::from(every), keep, patience }
}

/// Converts a recipe's adapter to the learner's type. Every key is destructured: one that is added to recipes, or a
/// kind that the learner cannot train, does not compile until it is handled here.
fn adapter_spec(adapter: &Adapter, added_tokens: usize, seed: Seed) -> AdapterSpec {
    let Adapter { kind, rank, alpha, dropout, targets } = adapter;
    match kind {
        AdapterKind::Lora => AdapterSpec {
            rank: *rank as usize,
            alpha: *alpha,
            dropout: *dropout,
            targets: targets.iter().map(|slot| self::slot(*slot)).collect(),
            added_tokens,
            added_start: Vec::new(),
            seed: seed.derive("adapter").0,
            ..AdapterSpec::default()
        },
    }
}

fn encode(
    encoding: &Encoding,
    rows: &[TrainingRow],
    indicator_weight: f32,
) -> Result<Vec<TokenExample>, EngineError> {
    let targets: Vec<(&Example, Target)> = rows.iter().map(|row| (&row.example, row.target)).collect();
    let encoded = encoding.encoder.encode_all(&targets)?;
    let weighed = |(example, row): (TokenExample, &TrainingRow)| {
        example.with_weight(row.weight).with_indicator_weight(indicator_weight)
    };
    Ok(encoded.into_iter().zip(rows).map(weighed).collect())
}

/// The token ids whose rows initialise the accepting and the rejecting token; empty if the recipe names no words.
fn added_start(
    learning: Option<&IndicatorLearning>,
    tokenizer: &Tokenizer,
) -> Result<Vec<Vec<u32>>, EngineError> {
    let Some(words) = learning.and_then(|learning| learning.start_from.as_ref()) else {
        return Ok(Vec::new());
    };
    Ok(vec![tokenizer.encode(&words.accept)?, tokenizer.encode(&words.reject)?])
}
