//! What the stages read that make something to answer with: backbone, rehearsal, training, descriptors.

use std::path::PathBuf;

use cadre_recipe::{Adapter, Architecture, Descriptor, IndicatorWords, Keep, PretrainLoss, Role, Schedule};
use serde::{Deserialize, Serialize};

use super::parts::{
    CheckpointPlace, FileUse, IndicatorWork, ModelWork, PluginWork, PromptWork, TemplateWork,
};

/// Loads or pretrains the backbone.
#[expect(clippy::large_enum_variant, reason = "a plan holds a few dozen of them, none in a loop")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackboneWork {
    /// A Hugging Face folder: it is checked, not copied. Input: none.
    Checkpoint(CheckpointWork),
    /// A small one, pretrained here. Input: `prepare-corpus`.
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
    /// Version of how the files of a checkpoint become a model. 2: an output head that differs from the embedding is used,
    /// although the configuration ties the two. Plans of before have none.
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
    /// How prompts are made: the stream's template, so that the backbone knows the form in which it will be asked.
    pub template: TemplateWork,
    /// The most tokens of a prompt.
    pub max_prompt: u32,
    /// The most tokens of a response.
    pub max_response: u32,
    /// How it is trained.
    pub training: TrainingWork,
    /// Which tokens count.
    pub loss: PretrainLoss,
    /// The backbone's own seed.
    pub seed: u64,
    /// The device; `checkpoint` is none.
    pub model: ModelWork,
}

/// Where a pretrained backbone's tokenizer comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PretrainTokenizer {
    /// A byte-level BPE of so many tokens, trained on the corpus.
    TrainBpe(u32),
    /// A `tokenizer.json`, with what lies beside it.
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

/// How long something is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Length {
    /// Passes over the training set.
    Epochs(u32),
    /// Steps of the optimizer.
    Steps(u32),
}

/// How something is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingWork {
    /// How long.
    pub length: Length,
    /// Examples a gradient, before accumulation.
    pub batch: u32,
    /// Batches added up before the optimizer steps.
    pub accumulate: u32,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// How it goes on after the warm-up.
    pub schedule: Schedule,
    /// Steps over which it rises.
    pub warmup: u32,
    /// The largest norm of a gradient; 0: no bound.
    pub gradient_clip: f64,
    /// AdamW's weight decay.
    pub weight_decay: f64,
    /// What changes nothing but speed and memory.
    pub pace: TrainingPace,
}

/// In which pieces training runs. Not part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainingPace {
    /// Rows in one forward pass; 0: chosen by the learner.
    pub micro_batch: u32,
    /// Steps between checkpoints; 0: only when stopped.
    pub checkpoint_every: u32,
}

/// How much of a task is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// A share of the task's training set.
    Share(f64),
    /// So many examples.
    Count(u32),
}

/// Chooses what to keep of a task. Inputs: `backbone`, `prepare/<task>`; where the recipe grants experts to the
/// selector, `train/…` of the tasks up to this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RememberWork {
    /// The task.
    pub task: String,
    /// Its place in the stream, from 0.
    pub place: u32,
    /// Who chooses.
    pub selector: PluginWork,
    /// How much.
    pub budget: Budget,
    /// What the recipe does with what is chosen.
    pub role: Role,
    /// Whether the selector may ask experts; their artifacts are inputs then.
    pub grant_experts: bool,
    /// How prompts are made, for probes and for counting tokens.
    pub prompt: PromptWork,
    /// The most tokens of a response.
    pub max_response: u32,
    /// The recipe's seed.
    pub seed: u64,
    /// The model that answers probes.
    pub model: ModelWork,
}

/// Puts the training set of a task (or of the union) together: rows with role and weight. Inputs: `prepare/<task>` (for
/// the union: of all tasks); where earlier tasks are rehearsed, `backbone` and their `remember/…`, and `train/…` where
/// granted; `prepare-pseudo-negatives` where there are some.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComposeWork {
    /// The tasks that are learned: one, or all of them for the union.
    pub tasks: Vec<String>,
    /// How earlier tasks are mixed in; none where there are none.
    pub rehearse: Option<RehearseWork>,
    /// How outside negatives are mixed in.
    pub pseudo_negatives: Option<PseudoNegativesWork>,
    /// Whether rows are marked as to be accepted or rejected: the recipe has indicators.
    pub marked: bool,
    /// Whether a negative's response is learned after the reject indicator; none where no row can be a negative.
    pub negatives_keep_response: Option<bool>,
    /// The recipe's seed; none where nothing is drawn.
    pub seed: Option<u64>,
    /// Examples of each task that are held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<u32>,
}

/// How earlier tasks are mixed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RehearseWork {
    /// Place of the new task in the stream, from 0: so many tasks were learned before.
    pub place: u32,
    /// The earlier tasks, oldest first.
    pub earlier: Vec<String>,
    /// Who chooses.
    pub selector: PluginWork,
    /// What is chosen is to be learned so.
    pub role: Role,
    /// Whether the selector may ask experts; their artifacts are inputs then.
    pub grant_experts: bool,
    /// How prompts are made, for probes and for counting tokens.
    pub prompt: PromptWork,
    /// The most tokens of a response.
    pub max_response: u32,
    /// The model that answers probes.
    pub model: ModelWork,
}

/// Outside negatives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PseudoNegativesWork {
    /// How many this task takes, drawn by a seed; all where none.
    pub count: Option<usize>,
}

/// Trains an adapter. Inputs: `backbone`, `compose/<task>`; `train/<task before>` where it starts from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainWork {
    /// The adapter.
    pub adapter: Adapter,
    /// How it is trained.
    pub training: TrainingWork,
    /// How prompts are made.
    pub prompt: PromptWork,
    /// The most tokens of a response.
    pub max_response: u32,
    /// The indicator tokens, where experts claim.
    pub indicator: Option<IndicatorWork>,
    /// How they are learned, where experts claim.
    pub indicator_learning: Option<IndicatorLearning>,
    /// Whether it goes on from the adapter before it, which is an input then.
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

/// How indicator tokens are learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IndicatorLearning {
    /// Factor of their positions in the loss.
    pub loss_weight: f64,
    /// The words at whose rows new tokens start; none: the mean row of the vocabulary.
    pub start_from: Option<IndicatorWords>,
}

/// Takes an adapter that was made elsewhere over as an expert. Input: `backbone`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportWork {
    /// Its folder. Not part of a key.
    pub path: PathBuf,
    /// Its configuration and weights.
    pub files: Vec<FileUse>,
    /// The checkpoint under it, where the backbone is one.
    pub checkpoint: Option<CheckpointPlace>,
    /// The indicator tokens, where experts claim.
    pub indicator: Option<IndicatorWork>,
}

/// Notes descriptors of the expert of a task. Inputs: `backbone`, `prepare/<task>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DescribeWork {
    /// What is noted.
    pub descriptors: Vec<Descriptor>,
    /// How prompts are made.
    pub prompt: PromptWork,
    /// The model.
    pub model: ModelWork,
}
