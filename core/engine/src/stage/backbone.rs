//! `backbone`: the frozen model under all experts. A checkpoint is opened and checked where it lies; a small one is
//! pretrained, with a tokenizer of its own if the recipe wants one.

use cadre_data::{Encoder, EncodingLimits, Example, Target, TokenExample, Tokenizer};
use cadre_nn::{BackboneShape, BackendKind, DeviceSpec, Learner, Precision, TrainingControl};
use cadre_recipe::PretrainLoss;
use cadre_scheduler::{
    BackboneWork, CheckpointWork, PretrainTokenizer, PretrainWork, StageFacts, StageJob, StageKind,
};
use serde_json::json;

use super::encoding::template;
use super::inputs::{EXAMPLES, examples, only};
use super::training::{keep_losses, tell, training_spec};
use crate::error::EngineError;
use crate::executor::device;

/// RMSNorm's epsilon in the configurations of small Llamas.
const NORM_EPSILON: f64 = 1e-6;

pub(super) fn backbone(work: &BackboneWork, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    match work {
        BackboneWork::Checkpoint(work) => checkpoint(work, job),
        BackboneWork::Pretrain(work) => pretrain(work, job),
    }
}

/// Opens the checkpoint once, so that what is wrong with it is said before anything is trained on it.
fn checkpoint(work: &CheckpointWork, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    let plainest = DeviceSpec { backend: BackendKind::Cpu, precision: Precision::F32, threads: 0 };
    let learner = Learner::open(&work.path, &plainest)?;
    Tokenizer::from_file(&work.path)?;
    let files: Vec<_> =
        work.files.iter().map(|file| json!({ "name": file.name, "digest": file.digest })).collect();
    let facts = json!({ "parameters": learner.shape().parameters() });
    let listed = json!({ "format-version": 1, "files": files });
    job.draft.write("checkpoint.json", listed.to_string().as_bytes())?;
    Ok(facts)
}

fn pretrain(work: &PretrainWork, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    let corpus = examples(only(job, StageKind::Prepare)?, EXAMPLES)?;
    let tokenizer = match &work.tokenizer {
        PretrainTokenizer::File(file) => Tokenizer::from_file(&file.path)?,
        PretrainTokenizer::TrainBpe(size) => {
            let mut texts = corpus.iter().flat_map(|example| {
                [example.instruction.as_str(), example.input.as_str(), example.output.as_str()]
            });
            Tokenizer::train_bpe(&mut texts, *size)?
        }
    };
    let architecture = &work.architecture;
    let shape = BackboneShape {
        vocabulary: tokenizer.vocabulary() as usize,
        hidden: architecture.hidden as usize,
        layers: architecture.layers as usize,
        heads: architecture.heads as usize,
        kv_heads: architecture.kv_heads as usize,
        feed_forward: architecture.feed_forward as usize,
        context: architecture.context as usize,
        tied: architecture.tied,
        rope_theta: architecture.rope_theta,
        norm_epsilon: NORM_EPSILON,
    };
    let encoded = encode(work, &tokenizer, &corpus, shape.context)?;
    let spec = training_spec(&work.training, job.spec.seed());
    let checkpoint = job.workspace.join("training");
    let mut on_step = |report: &cadre_nn::StepReport| tell(job, report);
    let mut control = TrainingControl { checkpoint: Some(&checkpoint), on_step: &mut on_step };
    let outcome =
        Learner::pretrain(&shape, &encoded, &spec, &mut control, job.draft.folder(), &device(&work.model))?;
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
