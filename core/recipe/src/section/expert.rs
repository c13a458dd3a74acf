//! `[expert]`: adapters and their training.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::training::Training;

/// The adapters that are trained on the stream. Without this section nothing is trained and the backbone answers
/// (zero-shot).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expert {
    /// What an adapter is trained on: `task` (one expert per task), `stream` (one adapter, trained on the tasks in
    /// turn) or `union` (one adapter on all tasks at once: multi-task learning).
    #[serde(default)]
    pub per: Per,
    /// Initialisation of a new expert: a fresh adapter (`backbone`), or the weights of the `previous` expert. With `per
    /// = "stream"` it is always `previous`, with `per = "union"` always `backbone`.
    #[serde(default)]
    pub start: Start,
    /// The adapter.
    #[serde(default)]
    pub adapter: Adapter,
    /// How experts are trained. If `import` has an expert for every task, only `max-prompt` and `max-response` are
    /// used, and neither `epochs` nor `steps` is required.
    #[serde(default)]
    pub training: Training,
    /// Experts that are imported instead of trained: adapters in PEFT's layout (LoRA, DoRA, IA3), trained on the same
    /// backbone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub import: Vec<ImportedExpert>,
}

/// An adapter in PEFT's layout that is imported as the expert of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ImportedExpert {
    /// The task of the stream that it answers.
    pub task: String,
    /// A folder with `adapter_config.json` and `adapter_model.safetensors`, or `hf://ORG/NAME[@REVISION]` on Hugging
    /// Face's Hub. `$NAME` and `~` are expanded.
    #[schemars(extend("format" = "path"))]
    pub adapter: PathBuf,
}

/// What an adapter is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// One expert per task; requires `[routing]`.
    #[default]
    Task,
    /// One adapter, trained on the tasks one after another.
    Stream,
    /// One adapter, trained on all tasks at once.
    Union,
}

/// Initialisation of a new expert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// A fresh adapter on the backbone.
    #[default]
    Backbone,
    /// The weights of the previous expert.
    Previous,
}

/// The weights that an expert trains. Keys that the kind does not have are not written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default, into = "WrittenAdapter")]
pub struct Adapter {
    /// The kind of adapter. It decides which of the other keys apply.
    pub kind: AdapterKind,
    /// Rank of the update (`lora`, `dora`).
    #[schemars(range(min = 1, max = 4096))]
    pub rank: u32,
    /// Numerator of the update's scale, `alpha / rank` (`lora`, `dora`).
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub alpha: f64,
    /// Denominator of the update's scale: the `rank`, or its root (`lora`, `dora`).
    pub scaling: Scaling,
    /// Dropout on the adapter's input during training (`lora`, `dora`).
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub dropout: f64,
    /// Share of a projection's weights that change (`sparse-delta`, which requires it).
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub density: Option<f64>,
    /// The projections that get an adapter. `ia3` requires it.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub targets: Vec<Target>,
}

impl Default for Adapter {
    /// SSR's adapter (arXiv 2403.01244): rank 8, alpha 32, dropout 0.1 on the query and value projections.
    fn default() -> Self {
        Self {
            kind: AdapterKind::Lora,
            rank: 8,
            alpha: 32.0,
            scaling: Scaling::Rank,
            dropout: 0.1,
            density: None,
            targets: vec![Target::Q, Target::V],
        }
    }
}

/// A kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterKind {
    /// Low-rank updates: LoRA (arXiv 2106.09685).
    Lora,
    /// A factor for each output of a projection, or for each input of `down`: IA3 (arXiv 2205.05638).
    Ia3,
    /// Low-rank updates of the direction of a weight's rows, with trained lengths: DoRA (arXiv 2402.09353).
    Dora,
    /// Changes of a weight at places that are drawn before training, from the recipe's seed.
    SparseDelta,
}

impl AdapterKind {
    /// The keys of `expert.adapter` that apply to some kinds only, and these kinds.
    pub(crate) const KEYS: &'static [(&'static str, &'static [Self])] = &[
        ("rank", &[Self::Lora, Self::Dora]),
        ("alpha", &[Self::Lora, Self::Dora]),
        ("scaling", &[Self::Lora, Self::Dora]),
        ("dropout", &[Self::Lora, Self::Dora]),
        ("density", &[Self::SparseDelta]),
    ];

    /// Whether a key of [`Self::KEYS`] applies to this kind.
    fn has(self, key: &str) -> bool {
        Self::KEYS.iter().any(|(known, kinds)| *known == key && kinds.contains(&self))
    }
}

/// The denominator of a low-rank update's scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// `alpha / rank`.
    #[default]
    Rank,
    /// `alpha / √rank`: rsLoRA (arXiv 2312.03732).
    RootRank,
}

/// [`Adapter`] with those keys that its kind has. The usual scaling is not written either, so that the keys of stages
/// stay as they were before there was another.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
struct WrittenAdapter {
    kind: AdapterKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    rank: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpha: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling: Option<Scaling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropout: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    density: Option<f64>,
    targets: Vec<Target>,
}

impl From<Adapter> for WrittenAdapter {
    fn from(adapter: Adapter) -> Self {
        let Adapter { kind, rank, alpha, scaling, dropout, density, targets } = adapter;
        Self {
            kind,
            rank: kind.has("rank").then_some(rank),
            alpha: kind.has("alpha").then_some(alpha),
            scaling: (kind.has("scaling") && scaling != Scaling::default()).then_some(scaling),
            dropout: kind.has("dropout").then_some(dropout),
            density: density.filter(|_| kind.has("density")),
            targets,
        }
    }
}

/// A projection of a decoder layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Queries of the attention.
    Q,
    /// Keys of the attention.
    K,
    /// Values of the attention.
    V,
    /// Output of the attention.
    O,
    /// Gate of the SwiGLU block.
    Gate,
    /// Up-projection of the SwiGLU block.
    Up,
    /// Down-projection of the SwiGLU block.
    Down,
}
