//! `backbone`: the frozen model of all experts. A checkpoint is opened and checked in place; a small backbone is
//! pretrained, with its own tokenizer if the recipe requires one.

use cadre_checkpoint::{BackboneShape, CheckpointError};
use cadre_data::{Encoder, EncodingLimits, Example, Target, TokenExample, Tokenizer};
use cadre_nn::{BackendKind, DeviceSpec, Learner, Precision, TrainingControl};
use cadre_recipe::PretrainLoss;
use cadre_scheduler::{
    BackboneWork, CORPUS, CheckpointWork, Plan, PrepareWork, PretrainTokenizer, PretrainWork, StageFacts,
    StageJob, StageKind, StageWork, pretrained_shape, tokenizer_files,
};
use cadre_store::{ArtifactStore, Lookup};
use serde_json::json;

use super::encoding::template;
use super::inputs::{EXAMPLES, examples, first_input};
use super::prepare::draw_examples;
use super::training::{keep_losses, report_step, training_spec};
use crate::error::EngineError;
use crate::planned_files::{CHECKPOINT, checkpoint_files, listing, read_listed};
use crate::resources::{Resources, tokenizer_of};

pub(super) fn backbone(
    work: &BackboneWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    match work {
        BackboneWork::Checkpoint(work) => checkpoint(work, executor, job),
        BackboneWork::Pretrain(work) => pretrain(work, executor, job),
    }
}

/// Opens the checkpoint once, so that its problems are reported before anything is trained.
fn checkpoint(
    work: &CheckpointWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    // Independent of the run's backend: reads and checks every weight with minimal memory.
    let plainest = DeviceSpec {
        backend: BackendKind::Cpu,
        precision: Precision::Bf16,
        threads: 0,
        gradient_checkpointing: false,
    };
    let list = || checkpoint_files(&work.path);
    let parameters = read_listed(&work.files, &executor.digests, list, || {
        let learner = Learner::open(&work.path, &plainest)?;
        tokenizer_of(&work.path, &learner)?;
        Ok(learner.shape().parameters())
    })?;
    job.draft.write(CHECKPOINT, &listing(&work.files)?)?;
    Ok(json!({ "parameters": parameters }))
}

fn pretrain(
    work: &PretrainWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let corpus = examples(first_input(job, StageKind::Prepare)?, EXAMPLES)?;
    let tokenizer = match &work.tokenizer {
        PretrainTokenizer::File(from) => {
            let list = || Ok(tokenizer_files(&from.path));
            read_listed(&from.files, &executor.digests, list, || {
                backbone_tokenizer(&work.tokenizer, &corpus)
            })?
        }
        PretrainTokenizer::TrainBpe(_) => backbone_tokenizer(&work.tokenizer, &corpus)?,
    };
    let shape = pretrained_shape(&work.architecture, tokenizer.vocabulary() as usize);
    let encoded = encode(work, &tokenizer, &corpus, shape.context)?;
    let spec = training_spec(&work.training, job.spec.seed());
    let checkpoint = job.workspace.join("training");
    let mut on_step = |report: &cadre_nn::StepReport| report_step(job, report);
    let mut control = TrainingControl { checkpoint: Some(&checkpoint), on_step: &mut on_step };
    let outcome = Learner::pretrain(
        &shape,
        &encoded,
        &spec,
        &mut control,
        job.draft.folder(),
        &executor.device(&work.model)?,
    )?;
    keep_losses(job, &outcome)?;
    tokenizer.save(job.draft.folder())?;
    Ok(json!({
        "parameters": outcome.parameters,
        "vocabulary": shape.vocabulary,
        "training-examples": encoded.len(),
        "training-tokens": outcome.tokens,
        "final-loss": outcome.final_loss,
    }))
}

/// The tokenizer of a backbone that is pretrained on this corpus.
fn backbone_tokenizer(work: &PretrainTokenizer, corpus: &[Example]) -> Result<Tokenizer, EngineError> {
    Ok(match work {
        PretrainTokenizer::File(file) => Tokenizer::from_file(&file.path)?,
        PretrainTokenizer::TrainBpe(size) => {
            let mut texts = corpus.iter().flat_map(|example| {
                let last = [example.instruction.as_str(), example.input.as_str(), example.output.as_str()];
                example.turns.iter().map(|turn| turn.content.as_str()).chain(last)
            });
            Tokenizer::train_bpe(&mut texts, *size)?
        }
    })
}

/// The tokenizer of a plan's backbone, which may not exist yet: the existing one, or else one trained from the corpus
/// as in the run. Calls `before_training` before training.
pub(crate) fn planned_tokenizer(
    plan: &Plan,
    store: Option<&ArtifactStore>,
    before_training: &dyn Fn(),
) -> Result<Option<Tokenizer>, EngineError> {
    let backbone = plan.stages.iter().find_map(|stage| match &stage.work {
        StageWork::Backbone(work) => Some((stage, work)),
        _ => None,
    });
    let (stage, work) = match backbone {
        None => return Ok(None),
        Some((_, BackboneWork::Checkpoint(work))) => return Ok(Some(Tokenizer::from_file(&work.path)?)),
        Some((stage, BackboneWork::Pretrain(work))) => (stage, work),
    };
    if let Some(store) = store
        && let Lookup::Whole(artifact) = store.get(&stage.key)?
    {
        return Ok(Some(Tokenizer::from_file(artifact.folder())?));
    }
    let corpus = match (&work.tokenizer, plan.stage(CORPUS).map(|stage| &stage.work)) {
        (PretrainTokenizer::TrainBpe(_), Some(StageWork::Prepare(PrepareWork::Examples(corpus)))) => {
            before_training();
            draw_examples(corpus)?
        }
        _ => Vec::new(),
    };
    backbone_tokenizer(&work.tokenizer, &corpus).map(Some)
}

/// Sizes of a backbone that are known before it exists.
pub(crate) struct BackboneSizes {
    /// Width of the residual stream, which is also that of an embedding.
    pub(crate) hidden: usize,
    /// Context length in tokens.
    pub(crate) context: usize,
    /// Rows of the embedding; `None` means as many as its tokenizer has.
    pub(crate) vocabulary: Option<usize>,
}

/// The sizes of a backbone, from its configuration.
pub(crate) fn backbone_sizes(work: &BackboneWork) -> Result<BackboneSizes, CheckpointError> {
    Ok(match work {
        BackboneWork::Checkpoint(work) => {
            let shape = BackboneShape::of_folder(&work.path)?;
            BackboneSizes { hidden: shape.hidden, context: shape.context, vocabulary: Some(shape.vocabulary) }
        }
        BackboneWork::Pretrain(work) => BackboneSizes {
            hidden: work.architecture.hidden as usize,
            context: work.architecture.context as usize,
            vocabulary: None,
        },
    })
}

fn encode(
    work: &PretrainWork,
    tokenizer: &Tokenizer,
    corpus: &[Example],
    context: usize,
) -> Result<Vec<TokenExample>, EngineError> {
    let limits =
        EncodingLimits { max_prompt: work.max_prompt as usize, max_response: work.max_response as usize };
    let encoder = Encoder::new(tokenizer.clone(), template(&work.template, tokenizer)?, None, limits);
    let rows: Vec<(&Example, Target)> = corpus.iter().map(|example| (example, Target::Plain)).collect();
    let encoded = encoder.encode_all(&rows)?;
    Ok(encoded
        .into_iter()
        .map(|example| {
            let example = example.truncated(context);
            match work.loss {
                PretrainLoss::Everything => example.with_loss_everywhere(),
                PretrainLoss::Response => example,
            }
        })
        .collect())
}
