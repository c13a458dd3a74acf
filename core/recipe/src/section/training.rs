//! Training settings: length, batches, learning rate. Experts and pretrained backbones share this table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Length, batches and learning rate of training with AdamW. Exactly one of `epochs` and `steps` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Training {
    /// Passes over the training set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub epochs: Option<u32>,
    /// Optimizer steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub steps: Option<u32>,
    /// Examples per batch.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch: u32,
    /// Batches whose gradients are accumulated per optimizer step.
    #[schemars(range(min = 1, max = 65_536))]
    pub accumulate: u32,
    /// Rows per forward pass. A batch is split into micro-batches to save memory; the gradient is the same. 0 chooses a
    /// size automatically.
    pub micro_batch: u32,
    /// Peak learning rate.
    #[schemars(range(max = 10.0), extend("exclusiveMinimum" = 0.0))]
    pub learning_rate: f64,
    /// Shape of the learning rate after warm-up.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from 0.
    pub warmup: u32,
    /// Maximum gradient norm; larger gradients are scaled down. 0 disables clipping.
    #[schemars(range(min = 0.0))]
    pub gradient_clip: f64,
    /// AdamW's weight decay.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: f64,
    /// Maximum number of tokens of a prompt; longer prompts are truncated.
    #[schemars(range(min = 1))]
    pub max_prompt: u32,
    /// Maximum number of tokens of a response; longer responses are truncated.
    #[schemars(range(min = 1))]
    pub max_response: u32,
    /// Steps between checkpoints, from which an interrupted run resumes; 0 writes one only at Ctrl-C.
    pub checkpoint_every: u32,
}

impl Default for Training {
    /// The settings of SSR (arXiv 2403.01244): batches of 32, cosine decay from 2e-4, no warm-up, gradient norm clipped
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

/// Shape of the learning rate after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Half a cosine, down to 0.
    Cosine,
    /// Constant.
    Constant,
}
