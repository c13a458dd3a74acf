//! `train/…`: trains an expert on a composed training set. Resumes from its checkpoint after a kill with bit-identical
//! results; must never change the backbone.

use cadre_data::{Example, Target, TokenExample, Tokenizer, TrainingRow, read_training_rows};
use cadre_nn::{
    AdapterSpec, Keep, TrainingControl, TrainingData, TrainingOutcome, Validation, ValidationSpec,
};
use cadre_recipe::{Adapter, AdapterKind, Scaling};
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
        "stopped-early": outcome.stopped_early,
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
    let Adapter { kind, rank, alpha, scaling, dropout, density, targets } = adapter;
    let plain = AdapterSpec {
        kind: cadre_nn::AdapterKind::Lora,
        rank: 0,
        alpha: 0.0,
        scaling: cadre_nn::Scaling::Rank,
        dropout: 0.0,
        density: 0.0,
        targets: targets.iter().map(|slot| self::slot(*slot)).collect(),
        added_tokens,
        added_start: Vec::new(),
        seed: seed.derive("adapter").0,
    };
    let low_rank = AdapterSpec {
        rank: *rank as usize,
        alpha: *alpha,
        scaling: match scaling {
            Scaling::Rank => cadre_nn::Scaling::Rank,
            Scaling::RootRank => cadre_nn::Scaling::RootRank,
        },
        dropout: *dropout,
        ..plain.clone()
    };
    match kind {
        AdapterKind::Lora => low_rank,
        AdapterKind::Dora => AdapterSpec { kind: cadre_nn::AdapterKind::Dora, ..low_rank },
        AdapterKind::Ia3 => AdapterSpec { kind: cadre_nn::AdapterKind::Ia3, ..plain },
        AdapterKind::SparseDelta => AdapterSpec {
            kind: cadre_nn::AdapterKind::SparseDelta,
            density: density.unwrap_or_default(),
            ..plain
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_recipe_reaches_the_learner_with_its_settings() {
        let spec = |text: &str| adapter_spec(&serde_json::from_str(text).unwrap(), 2, Seed(1));
        let lora = spec(r#"{ "kind": "lora", "rank": 4, "alpha": 8, "dropout": 0.2 }"#);
        assert_eq!((lora.kind, lora.rank, lora.alpha), (cadre_nn::AdapterKind::Lora, 4, 8.0));
        assert_eq!(lora.scaling, cadre_nn::Scaling::Rank);
        let dora =
            spec(r#"{ "kind": "dora", "rank": 4, "alpha": 8, "dropout": 0.2, "scaling": "root-rank" }"#);
        let expected = AdapterSpec {
            kind: cadre_nn::AdapterKind::Dora,
            scaling: cadre_nn::Scaling::RootRank,
            ..lora.clone()
        };
        assert_eq!(dora, expected);
        let ia3 = spec(r#"{ "kind": "ia3", "targets": ["k"] }"#);
        assert_eq!((ia3.kind, ia3.rank, ia3.dropout), (cadre_nn::AdapterKind::Ia3, 0, 0.0));
        assert_eq!((ia3.targets.len(), ia3.added_tokens, ia3.seed), (1, 2, lora.seed));
        let sparse = spec(r#"{ "kind": "sparse-delta", "density": 0.05 }"#);
        assert_eq!((sparse.kind, sparse.density), (cadre_nn::AdapterKind::SparseDelta, 0.05));
    }
}
