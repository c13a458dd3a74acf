//! `[backbone]`: the frozen model that all experts share, read from a checkpoint or pretrained by Cadre.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::training::Training;

/// The frozen model that all experts share: either a checkpoint, or a small model that is pretrained once and cached in
/// the store.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Backbone {
    /// A Hugging Face folder with `config.json`, `*.safetensors` and `tokenizer.json`, or `hf://ORG/NAME[@REVISION]` on
    /// its Hub, which is downloaded into the local Hub cache if it is not there. `$NAME` and `~` are expanded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub checkpoint: Option<PathBuf>,
    /// A backbone to pretrain from scratch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrain: Option<Pretrain>,
}

/// A small backbone that is pretrained once and cached in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pretrain {
    /// The shape of the decoder.
    pub architecture: Architecture,
    /// Its tokenizer: `{ train-bpe = SIZE }` or `{ file = "tokenizer.json" }`.
    pub tokenizer: TokenizerSource,
    /// The pretraining corpus: the examples of all sources together.
    #[schemars(length(min = 1))]
    pub corpus: Vec<Source>,
    /// Length, batches and learning rate of pretraining.
    pub training: Training,
    /// The tokens that contribute to the loss.
    #[serde(default)]
    pub loss: PretrainLoss,
    /// The seed of the backbone. It does not follow the recipe's seed, so that studies over several seeds share one
    /// backbone.
    #[serde(default)]
    pub seed: u64,
}

/// The shape of a decoder of the Llama family: grouped-query attention, rotary embedding, RMSNorm, SwiGLU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Architecture {
    /// The architecture family.
    #[serde(default)]
    pub family: Family,
    /// Width of the residual stream; a multiple of twice the `heads`.
    #[schemars(range(min = 2, max = 65_536))]
    pub hidden: u32,
    /// Decoder layers.
    #[schemars(range(min = 1, max = 1024))]
    pub layers: u32,
    /// Query heads.
    #[schemars(range(min = 1, max = 1024))]
    pub heads: u32,
    /// Key and value heads; a divisor of `heads`.
    #[schemars(range(min = 1, max = 1024))]
    pub kv_heads: u32,
    /// Width of the SwiGLU block.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub feed_forward: u32,
    /// Maximum number of tokens of prompt and response together.
    #[schemars(range(min = 8, max = 1_048_576))]
    pub context: u32,
    /// Whether the output head shares its weights with the embedding.
    #[serde(default = "tied")]
    pub tied: bool,
    /// Base of the rotary embedding's frequencies.
    #[serde(default = "rope_theta")]
    #[schemars(extend("exclusiveMinimum" = 1.0))]
    pub rope_theta: f64,
}

fn tied() -> bool {
    true
}

fn rope_theta() -> f64 {
    10_000.0
}

/// A family of decoder architectures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Llama and architectures of the same shape.
    #[default]
    Llama,
}

/// The tokenizer of a backbone that is pretrained by Cadre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenizerSource {
    /// A byte-level BPE with this vocabulary size, trained on the corpus.
    TrainBpe(#[schemars(range(min = 260, max = 1_000_000))] u32),
    /// A Hugging Face `tokenizer.json`, or `hf://ORG/NAME[@REVISION]` for the tokenizer of a model on its Hub.
    File(#[schemars(extend("format" = "path"))] PathBuf),
}

/// The tokens that contribute to the pretraining loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PretrainLoss {
    /// Prompt and response.
    #[default]
    Everything,
    /// The response and the end token.
    Response,
}
