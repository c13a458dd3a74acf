//! The work of learning stages: backbone, rehearsal, training, descriptors.

use std::path::PathBuf;

use cadre_recipe::{Adapter, Architecture, Descriptor, IndicatorWords, Keep, PretrainLoss, Role, Schedule};
use serde::{Deserialize, Serialize};

use super::parts::{
    CheckpointPlace, FileUse, IndicatorWork, ModelWork, PluginWork, PolicyWork, PromptWork, TemplateWork,
};

/// Loads or pretrains the backbone.
#[expect(clippy::large_enum_variant, reason = "a plan holds a few dozen of them, none in a loop")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneWork {
    /// A Hugging Face folder, which is checked but not copied. Input: none.
    Checkpoint(CheckpointWork),
    /// A small backbone to pretrain. Input: `prepare-corpus`.
    Pretrain(PretrainWork),
}

/// A checkpoint to check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckpointWork {
    /// The folder. Not part of a key.
    pub path: PathBuf,
    /// Its configuration, weights and tokenizer files.
    pub files: Vec<FileUse>,
    /// Version of how the files of a checkpoint become a model. 2: an output head that differs from the embedding is
    /// used, although the configuration ties the two. Absent in older plans.
    #[serde(default)]
    pub reading: u32,
}

/// The [`CheckpointWork::reading`] of this build.
pub(crate) const CHECKPOINT_READING: u32 = 2;

/// A backbone to pretrain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PretrainWork {
    /// Its shape.
    pub architecture: Architecture,
    /// Its tokenizer.
    pub tokenizer: PretrainTokenizer,
    /// The stream's prompt template, so that pretraining uses the format of later queries.
    pub template: TemplateWork,
    /// Maximum number of tokens of a prompt.
    pub max_prompt: u32,
    /// Maximum number of tokens of a response.
    pub max_response: u32,
    /// Length, batches and learning rate.
    pub training: TrainingWork,
    /// The tokens that contribute to the loss.
    pub loss: PretrainLoss,
    /// The backbone's own seed.
    pub seed: u64,
    /// The device; `checkpoint` is `None`.
    pub model: ModelWork,
}

/// The tokenizer of a pretrained backbone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PretrainTokenizer {
    /// A byte-level BPE with this vocabulary size, trained on the corpus.
    TrainBpe(u32),
    /// A `tokenizer.json` and the related files beside it.
    File(TokenizerWork),
}

/// A tokenizer's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenizerWork {
    /// Its `tokenizer.json`. Not part of a key.
    pub path: PathBuf,
    /// That file, and those beside it that name special tokens, stop tokens and the chat template.
    pub files: Vec<FileUse>,
}

/// The length of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// Passes over the training set.
    Epochs(u32),
    /// Optimizer steps.
    Steps(u32),
}

/// Training settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingWork {
    /// The length.
    pub length: Length,
    /// Examples per batch.
    pub batch: u32,
    /// Batches accumulated per optimizer step.
    pub accumulate: u32,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Shape of the learning rate after warm-up.
    pub schedule: Schedule,
    /// Warm-up steps.
    pub warmup: u32,
    /// Maximum gradient norm; 0 disables clipping.
    pub gradient_clip: f64,
    /// AdamW's weight decay.
    pub weight_decay: f64,
    /// Settings that affect only speed and memory.
    pub pace: TrainingPace,
}

/// Micro-batches and checkpoints of training. Not part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingPace {
    /// Rows per forward pass; 0: chosen automatically.
    pub micro_batch: u32,
    /// Steps between checkpoints; 0: only when stopped.
    pub checkpoint_every: u32,
}

/// The number of examples to select.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// A share of the task's training set.
    Share(f64),
    /// A number of examples.
    Count(u32),
}

/// Selects the examples of a task to keep. Inputs: `backbone`, `prepare/<task>`; if the recipe grants experts to the
/// selector, `train/…` of the tasks up to this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RememberWork {
    /// The task.
    pub task: String,
    /// Its place in the stream, from 0.
    pub place: u32,
    /// The selector.
    pub selector: PluginWork,
    /// The budget.
    pub budget: Budget,
    /// The role of selected examples in training.
    pub role: Role,
    /// Whether the selector can probe experts, whose artifacts are then inputs.
    pub grant_experts: bool,
    /// The prompt settings, for probes and for counting tokens.
    pub prompt: PromptWork,
    /// Maximum number of tokens of a response.
    pub max_response: u32,
    /// The recipe's seed.
    pub seed: u64,
    /// The model that answers probes.
    pub model: ModelWork,
}

/// Assembles the training set of a task (or of the union): rows with role and weight. Inputs: `prepare/<task>` (for
/// the union: of all tasks); if earlier tasks are rehearsed, `backbone` and their `remember/…`, and `train/…` if
/// granted; `prepare-pseudo-negatives`, if any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComposeWork {
    /// The tasks to learn: one, or all tasks for the union.
    pub tasks: Vec<String>,
    /// Rehearsal of earlier tasks; `None` without earlier tasks.
    pub rehearse: Option<RehearseWork>,
    /// Pseudo-negatives.
    pub pseudo_negatives: Option<PseudoNegativesWork>,
    /// Whether rows are labelled as accepted or rejected, that is, the recipe has indicators.
    pub marked: bool,
    /// Whether a negative's response is learned after the reject indicator; `None` if no row can be a negative.
    pub negatives_keep_response: Option<bool>,
    /// The recipe's seed; `None` if nothing is random.
    pub seed: Option<u64>,
    /// Examples of each task that are held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<u32>,
}

/// Rehearsal of earlier tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RehearseWork {
    /// Index of the new task in the stream, from 0, which is the number of tasks learned before.
    pub place: u32,
    /// The earlier tasks, oldest first.
    pub earlier: Vec<String>,
    /// The selector.
    pub selector: PluginWork,
    /// The role of selected examples in training.
    pub role: Role,
    /// Whether the selector can probe experts, whose artifacts are then inputs.
    pub grant_experts: bool,
    /// The prompt settings, for probes and for counting tokens.
    pub prompt: PromptWork,
    /// Maximum number of tokens of a response.
    pub max_response: u32,
    /// The model that answers probes.
    pub model: ModelWork,
}

/// Pseudo-negatives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PseudoNegativesWork {
    /// Number of examples that this task draws; `None` for all.
    pub count: Option<usize>,
}

/// Trains an adapter. Inputs: `backbone`, `compose/<task>`; `train/<previous task>` if it starts from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainWork {
    /// The adapter.
    pub adapter: Adapter,
    /// Length, batches and learning rate.
    pub training: TrainingWork,
    /// The prompt settings.
    pub prompt: PromptWork,
    /// Maximum number of tokens of a response.
    pub max_response: u32,
    /// The indicator tokens, if the recipe has indicators.
    pub indicator: Option<IndicatorWork>,
    /// Their training, if the recipe has indicators.
    pub indicator_learning: Option<IndicatorLearning>,
    /// Whether it continues from the previous adapter, which is then an input.
    pub from_previous: bool,
    /// The recipe's seed.
    pub seed: u64,
    /// The model.
    pub model: ModelWork,
    /// What the loss on held-out examples decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationWork>,
}

/// When the loss on held-out examples is measured, and what it decides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ValidationWork {
    /// Optimizer steps between two measurements.
    pub every: u32,
    /// Which weights are kept.
    pub keep: Keep,
    /// Training stops after this many measurements without a lower loss.
    pub patience: Option<u32>,
}

/// Training of indicator tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IndicatorLearning {
    /// Weight of their positions in the loss.
    pub loss_weight: f64,
    /// The words whose rows initialise new tokens; `None`: the mean row of the vocabulary.
    pub start_from: Option<IndicatorWords>,
}

/// Imports an adapter as an expert. Input: `backbone`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportWork {
    /// Its folder. Not part of a key.
    pub path: PathBuf,
    /// Its configuration and weights.
    pub files: Vec<FileUse>,
    /// The checkpoint; `None` if the backbone is pretrained.
    pub checkpoint: Option<CheckpointPlace>,
    /// The indicator tokens, if the recipe has indicators.
    pub indicator: Option<IndicatorWork>,
}

/// Computes descriptors of the expert of a task. Inputs: `backbone`, `prepare/<task>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DescribeWork {
    /// The descriptors.
    pub descriptors: Vec<Descriptor>,
    /// The prompt settings.
    pub prompt: PromptWork,
    /// The model.
    pub model: ModelWork,
}

/// Merges experts into the weights of the backbone. Inputs: `backbone`; the adapters to merge (`train/…`, oldest first).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MergeWork {
    /// The merge. A setting that is a list has one number per expert.
    pub merge: PolicyWork,
    /// Seed of draws.
    pub seed: u64,
    /// The checkpoint; `None` if the backbone is pretrained.
    pub checkpoint: Option<CheckpointPlace>,
}
