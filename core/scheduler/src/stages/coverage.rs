//! The table of the stages that read each recipe key. A test changes every key in turn and compares the stages whose
//! work changes with this table; it also fails if a key is missing here or in recipes.

use serde_json::Value;

use crate::stages::StageKind::{
    self, Backbone, Compose, Describe, Evaluate, Merge, OutOfDistribution, Prepare, Remember, Report, Train,
};

/// The reader of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyReader {
    /// These stages, whose keys depend on it directly, not only through their inputs.
    Stages(&'static [StageKind]),
    /// The planner: it determines the stages and their dependencies.
    Plan,
    /// It affects speed or memory, but no result and no stage key.
    Pace,
    /// No reader: the key belongs to a shared struct and is rejected in this table.
    Refused,
    /// The expansion of a sweep; a single run does not have it.
    Sweep,
}

/// A key and its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The dotted key; `*` matches any name.
    pub key: &'static str,
    /// Its reader.
    pub reader: KeyReader,
}

const fn stages(key: &'static str, kinds: &'static [StageKind]) -> KeyUse {
    KeyUse { key, reader: KeyReader::Stages(kinds) }
}

const fn plan(key: &'static str) -> KeyUse {
    KeyUse { key, reader: KeyReader::Plan }
}

const fn pace(key: &'static str) -> KeyUse {
    KeyUse { key, reader: KeyReader::Pace }
}

const fn sweep(key: &'static str) -> KeyUse {
    KeyUse { key, reader: KeyReader::Sweep }
}

const fn refused(key: &'static str) -> KeyUse {
    KeyUse { key, reader: KeyReader::Refused }
}

/// All stages that use the model.
const MODEL: &[StageKind] = &[Backbone, Remember, Compose, Train, Describe, Evaluate, OutOfDistribution];
/// All stages that build prompts.
const PROMPT: &[StageKind] = MODEL;
const ANSWER: &[StageKind] = &[Evaluate, OutOfDistribution];

/// Every key of a recipe, in the order of the key reference.
pub const KEY_USES: &[KeyUse] = &[
    stages("name", &[Report]),
    stages("reference", &[Report]),
    stages("summary", &[Report]),
    stages("seed", &[Prepare, Remember, Compose, Train, Evaluate, OutOfDistribution, Report]),
    stages("device.backend", MODEL),
    stages("device.precision", MODEL),
    pace("device.threads"),
    pace("device.gradient-checkpointing"),
    stages("backbone.checkpoint", &[Backbone]),
    stages("backbone.pretrain.architecture.family", &[Backbone]),
    stages("backbone.pretrain.architecture.hidden", &[Backbone]),
    stages("backbone.pretrain.architecture.layers", &[Backbone]),
    stages("backbone.pretrain.architecture.heads", &[Backbone]),
    stages("backbone.pretrain.architecture.kv-heads", &[Backbone]),
    stages("backbone.pretrain.architecture.feed-forward", &[Backbone]),
    stages("backbone.pretrain.architecture.context", &[Backbone]),
    stages("backbone.pretrain.architecture.tied", &[Backbone]),
    stages("backbone.pretrain.architecture.rope-theta", &[Backbone]),
    stages("backbone.pretrain.tokenizer.train-bpe", &[Backbone]),
    stages("backbone.pretrain.tokenizer.file", &[Backbone]),
    stages("backbone.pretrain.corpus.format", &[Prepare]),
    stages("backbone.pretrain.corpus.path", &[Prepare]),
    stages("backbone.pretrain.corpus.tasks", &[Prepare]),
    stages("backbone.pretrain.corpus.split", &[Prepare]),
    stages("backbone.pretrain.corpus.limit", &[Prepare]),
    refused("backbone.pretrain.corpus.count"),
    stages("backbone.pretrain.corpus.fields.instruction", &[Prepare]),
    stages("backbone.pretrain.corpus.fields.input", &[Prepare]),
    stages("backbone.pretrain.corpus.fields.output", &[Prepare]),
    stages("backbone.pretrain.corpus.fields.messages", &[Prepare]),
    stages("backbone.pretrain.training.epochs", &[Backbone]),
    stages("backbone.pretrain.training.steps", &[Backbone]),
    stages("backbone.pretrain.training.batch", &[Backbone]),
    stages("backbone.pretrain.training.accumulate", &[Backbone]),
    pace("backbone.pretrain.training.micro-batch"),
    stages("backbone.pretrain.training.learning-rate", &[Backbone]),
    stages("backbone.pretrain.training.schedule", &[Backbone]),
    stages("backbone.pretrain.training.warmup", &[Backbone]),
    stages("backbone.pretrain.training.gradient-clip", &[Backbone]),
    stages("backbone.pretrain.training.weight-decay", &[Backbone]),
    stages("backbone.pretrain.training.max-prompt", &[Backbone]),
    stages("backbone.pretrain.training.max-response", &[Backbone]),
    pace("backbone.pretrain.training.checkpoint-every"),
    stages("backbone.pretrain.loss", &[Backbone]),
    stages("backbone.pretrain.seed", &[Prepare, Backbone]),
    stages("stream.format", &[Prepare]),
    stages("stream.path", &[Prepare]),
    plan("stream.order"),
    stages("stream.limits.train", &[Prepare]),
    stages("stream.limits.test", &[Prepare]),
    stages("stream.template", PROMPT),
    stages("stream.template.file", PROMPT),
    stages("stream.fields.instruction", &[Prepare]),
    stages("stream.fields.input", &[Prepare]),
    stages("stream.fields.output", &[Prepare]),
    stages("stream.fields.messages", &[Prepare]),
    stages("stream.seed", &[Prepare]),
    plan("expert.per"),
    plan("expert.start"),
    plan("expert.import.task"),
    stages("expert.import.adapter", &[Train]),
    stages("expert.adapter.kind", &[Train]),
    stages("expert.adapter.rank", &[Train]),
    stages("expert.adapter.alpha", &[Train]),
    stages("expert.adapter.scaling", &[Train]),
    stages("expert.adapter.dropout", &[Train]),
    stages("expert.adapter.density", &[Train]),
    stages("expert.adapter.targets", &[Train]),
    stages("expert.training.epochs", &[Train]),
    stages("expert.training.steps", &[Train]),
    stages("expert.training.batch", &[Train]),
    stages("expert.training.accumulate", &[Train]),
    pace("expert.training.micro-batch"),
    stages("expert.training.learning-rate", &[Train]),
    stages("expert.training.schedule", &[Train]),
    stages("expert.training.warmup", &[Train]),
    stages("expert.training.gradient-clip", &[Train]),
    stages("expert.training.weight-decay", &[Train]),
    stages("expert.training.max-prompt", &[Remember, Compose, Train, Describe, Evaluate, OutOfDistribution]),
    stages("expert.training.max-response", &[Remember, Compose, Train]),
    pace("expert.training.checkpoint-every"),
    stages("indicator.accept", &[Train, Evaluate, OutOfDistribution]),
    stages("indicator.reject", &[Train, Evaluate, OutOfDistribution]),
    stages("indicator.kind", &[Train, Evaluate, OutOfDistribution]),
    stages("indicator.loss-weight", &[Train]),
    stages("indicator.start-from.accept", &[Train]),
    stages("indicator.start-from.reject", &[Train]),
    stages("rehearsal.selector.plugin", &[Remember, Compose]),
    stages("rehearsal.selector.share", &[Remember]),
    stages("rehearsal.selector.count", &[Remember]),
    stages("rehearsal.selector.*", &[Remember, Compose]),
    stages("rehearsal.role", &[Remember, Compose]),
    stages("rehearsal.negatives-keep-response", &[Compose]),
    stages("rehearsal.pseudo-negatives.format", &[Prepare]),
    stages("rehearsal.pseudo-negatives.path", &[Prepare]),
    stages("rehearsal.pseudo-negatives.tasks", &[Prepare]),
    stages("rehearsal.pseudo-negatives.split", &[Prepare]),
    stages("rehearsal.pseudo-negatives.limit", &[Prepare]),
    stages("rehearsal.pseudo-negatives.count", &[Compose]),
    stages("rehearsal.pseudo-negatives.fields.instruction", &[Prepare]),
    stages("rehearsal.pseudo-negatives.fields.input", &[Prepare]),
    stages("rehearsal.pseudo-negatives.fields.output", &[Prepare]),
    stages("rehearsal.pseudo-negatives.fields.messages", &[Prepare]),
    stages("rehearsal.grant", &[Remember, Compose]),
    stages("routing.router.plugin", ANSWER),
    refused("routing.router.share"),
    refused("routing.router.count"),
    stages("routing.router.*", ANSWER),
    stages("routing.merge.plugin", &[Merge]),
    stages("routing.merge.*", &[Merge]),
    stages("routing.fallback", ANSWER),
    stages("routing.grant", ANSWER),
    stages("routing.descriptors", &[Describe]),
    stages("routing.max-rounds", ANSWER),
    plan("evaluation.when"),
    stages("evaluation.on", &[Evaluate]),
    stages("evaluation.metrics", &[Evaluate]),
    stages("evaluation.metrics.*", &[Evaluate]),
    stages("evaluation.decoding.max-new-tokens", ANSWER),
    stages("evaluation.decoding.strategy", ANSWER),
    stages("evaluation.decoding.strategy.sample.temperature", ANSWER),
    stages("evaluation.decoding.strategy.sample.top-p", ANSWER),
    stages("evaluation.decoding.strategy.sample.repetition-penalty", ANSWER),
    pace("evaluation.decoding.batch"),
    stages("evaluation.out-of-distribution.format", &[Prepare]),
    stages("evaluation.out-of-distribution.path", &[Prepare]),
    stages("evaluation.out-of-distribution.tasks", &[Prepare]),
    stages("evaluation.out-of-distribution.split", &[Prepare]),
    stages("evaluation.out-of-distribution.limit", &[Prepare]),
    refused("evaluation.out-of-distribution.count"),
    stages("evaluation.out-of-distribution.fields.instruction", &[Prepare]),
    stages("evaluation.out-of-distribution.fields.input", &[Prepare]),
    stages("evaluation.out-of-distribution.fields.output", &[Prepare]),
    stages("evaluation.out-of-distribution.fields.messages", &[Prepare]),
    stages("evaluation.predictions", ANSWER),
    stages("evaluation.validation.count", &[Compose]),
    stages("evaluation.validation.every", &[Train]),
    stages("evaluation.validation.keep", &[Train]),
    stages("evaluation.validation.patience", &[Train]),
    sweep("sweep.grid.*"),
    sweep("sweep.zip.*"),
    sweep("sweep.random.count"),
    sweep("sweep.random.seed"),
    sweep("sweep.random.keys.*"),
    sweep("sweep.baseline"),
    sweep("sweep.seeds"),
    sweep("sweep.orders.*"),
];

/// A recipe as JSON without keys that do not affect results; the run key is a digest of it.
pub(crate) fn without_pace(mut recipe: Value) -> Value {
    for used in KEY_USES {
        if used.reader == KeyReader::Pace {
            remove(&mut recipe, used.key);
        }
    }
    remove(&mut recipe, "sweep");
    // The device index: `cuda:1` computes the same as `cuda`.
    if let Some(backend) = recipe.pointer_mut("/device/backend")
        && let Some(name) = backend.as_str().and_then(|text| text.split(':').next())
    {
        *backend = Value::from(name);
    }
    recipe
}

fn remove(value: &mut Value, key: &str) {
    let Some(fields) = value.as_object_mut() else { return };
    match key.split_once('.') {
        None => {
            fields.shift_remove(key);
        }
        Some((first, rest)) => {
            if let Some(inner) = fields.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
