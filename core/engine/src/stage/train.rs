//! `train/…`: an expert from a composed training set. Goes on from its checkpoint after a kill and ends in the
//! same bytes; never changes the backbone.

use cadre_data::{Example, Target, TokenExample, TrainingRow, read_training_rows};
use cadre_nn::{AdapterSpec, TrainingControl};
use cadre_recipe::{Adapter, AdapterKind};
use cadre_scheduler::{StageFacts, StageJob, StageKind, TrainWork, slot};
use cadre_store::Seed;
use serde_json::json;

use super::compose::TRAINING;
use super::encoding::Encoding;
use super::inputs::only;
use super::training::{keep_losses, tell, training_spec};
use crate::error::EngineError;
use crate::executor::Executor;

pub(super) fn train(
    work: &TrainWork,
    executor: &Executor,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let model = executor.model(&work.model, only(job, StageKind::Backbone)?)?;
    let rows = read_training_rows(&only(job, StageKind::Compose)?.path(TRAINING))?;
    let shape = model.learner.shape();
    let encoding = Encoding::new(
        &model.tokenizer,
        shape.vocabulary,
        shape.context,
        &work.prompt,
        work.indicator.as_ref(),
        work.max_response as usize,
    )?;
    let examples = encode(&encoding, &rows)?;
    let adapter = adapter_spec(&work.adapter, encoding.added_tokens, job.spec.seed());
    let previous = if work.from_previous { Some(only(job, StageKind::Train)?.folder()) } else { None };
    let spec = training_spec(&work.training, job.spec.seed());
    let checkpoint = job.workspace.join("training");
    let mut on_step = |report: &cadre_nn::StepReport| tell(job, report);
    let mut control = TrainingControl { checkpoint: Some(&checkpoint), on_step: &mut on_step };
    let out = job.draft.folder();
    let outcome = model.learner.train_expert(&adapter, previous, &examples, &spec, &mut control, out)?;
    keep_losses(job, &outcome)?;
    let negatives = rows.iter().filter(|row| matches!(row.target, Target::Reject { .. })).count();
    Ok(json!({
        "parameters": outcome.parameters,
        "training-examples": rows.len(),
        "negatives": negatives,
        "training-tokens": outcome.tokens,
        "final-loss": outcome.final_loss,
    }))
}

/// The adapter of a recipe in the words of the learner. Every key is taken apart here: one that is added to recipes, or a
/// kind that the learner does not train, does not compile until it is read.
fn adapter_spec(adapter: &Adapter, added_tokens: usize, seed: Seed) -> AdapterSpec {
    let Adapter { kind, rank, alpha, dropout, targets } = adapter;
    match kind {
        AdapterKind::Lora => AdapterSpec {
            rank: *rank as usize,
            alpha: *alpha,
            dropout: *dropout,
            targets: targets.iter().map(|slot| self::slot(*slot)).collect(),
            added_tokens,
            seed: seed.derive("adapter").0,
        },
    }
}

fn encode(encoding: &Encoding, rows: &[TrainingRow]) -> Result<Vec<TokenExample>, EngineError> {
    let targets: Vec<(&Example, Target)> = rows.iter().map(|row| (&row.example, row.target)).collect();
    let encoded = encoding.encoder.encode_all(&targets)?;
    Ok(encoded.into_iter().zip(rows).map(|(example, row)| example.with_weight(row.weight)).collect())
}
