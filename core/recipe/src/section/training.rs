//! How something is trained: length, batches, learning rate. The same table serves experts and backbones. It never
//! trains.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long, in which batches and at which rate a model is trained with AdamW. Exactly one of `epochs` and `steps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Training {
    /// Passes over the training set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub epochs: Option<u32>,
    /// Steps of the optimizer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub steps: Option<u32>,
    /// Examples a gradient, before accumulation.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch: u32,
    /// Batches added up before the optimizer steps.
    #[schemars(range(min = 1, max = 65_536))]
    pub accumulate: u32,
    /// Rows in one forward pass; a batch is cut into such pieces to save memory, with the same gradient. 0 lets Cadre
    /// choose.
    pub micro_batch: u32,
    /// The highest learning rate.
    #[schemars(range(max = 10.0), extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// How the learning rate goes on after the warm-up.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from nothing.
    pub warmup: u32,
    /// The largest norm of a gradient; larger ones are scaled down. 0 turns clipping off.
    #[schemars(range(min = 0.0))]
    pub gradient_clip: f64,
    /// AdamW's weight decay.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// The most tokens of a prompt; longer ones are cut.
    #[schemars(range(min = 1))]
    pub max_prompt: u32,
    /// The most tokens of a response; longer ones are cut.
    #[schemars(range(min = 1))]
    pub max_response: u32,
    /// Steps between two checkpoints, from which a killed run goes on; 0 writes none but at Ctrl-C.
    pub checkpoint_every: u32,
}

impl Default for Training {
    /// The settings of SSR (arXiv 2403.01244): batches of 32, 2e-4 falling by a cosine, no warm-up, gradients clipped
    /// at 1.
    fn default() -> Self {
        Self {
            epochs: None,
            steps: None,
            batch: 32,
            accumulate: 1,
            micro_batch: 0,
            learning_rate: 2e-4,
            schedule: Schedule::Cosine,
            warmup: 0,
            gradient_clip: 1.0,
            weight_decay: 0.0,
            max_prompt: 1024,
            max_response: 512,
            checkpoint_every: 200,
        }
    }
}

/// How the learning rate goes on after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Down to nothing along half a cosine.
    Cosine,
    /// Unchanged.
    Constant,
}
