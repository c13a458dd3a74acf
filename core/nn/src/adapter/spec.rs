//! What an expert's adapter looks like: where it sits and how wide it is. It holds no weights.

use serde::{Deserialize, Serialize};

use crate::error::NnError;
use crate::shape::BackboneShape;

/// A linear slot of a decoder layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Query projection.
    Q,
    /// Key projection.
    K,
    /// Value projection.
    V,
    /// Output projection of attention.
    O,
    /// Gate of the feed-forward block.
    Gate,
    /// Up projection of the feed-forward block.
    Up,
    /// Down projection of the feed-forward block.
    Down,
}

/// A linear slot: its name in a checkpoint, and its sizes.
pub(crate) struct TargetEntry {
    pub(crate) target: Target,
    /// Module name below `model.layers.N.`, as Hugging Face's Llama has it.
    pub(crate) module: &'static str,
    /// (output width, input width).
    pub(crate) widths: fn(&BackboneShape) -> (usize, usize),
}

/// All linear slots of a layer, in the order of the forward pass.
pub(crate) const TARGETS: &[TargetEntry] = &[
    TargetEntry { target: Target::Q, module: "self_attn.q_proj", widths: |s| (s.query_width(), s.hidden) },
    TargetEntry { target: Target::K, module: "self_attn.k_proj", widths: |s| (s.kv_width(), s.hidden) },
    TargetEntry { target: Target::V, module: "self_attn.v_proj", widths: |s| (s.kv_width(), s.hidden) },
    TargetEntry { target: Target::O, module: "self_attn.o_proj", widths: |s| (s.hidden, s.query_width()) },
    TargetEntry { target: Target::Gate, module: "mlp.gate_proj", widths: |s| (s.feed_forward, s.hidden) },
    TargetEntry { target: Target::Up, module: "mlp.up_proj", widths: |s| (s.feed_forward, s.hidden) },
    TargetEntry { target: Target::Down, module: "mlp.down_proj", widths: |s| (s.hidden, s.feed_forward) },
];

/// An expert's adapter: low-rank updates (Hu et al. 2021, "LoRA") and added tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdapterSpec {
    /// Rank of the updates, at least 1.
    pub rank: usize,
    /// The update is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Share of the update's input that is dropped while it is trained: 0 up to, not including, 1.
    pub dropout: f64,
    /// Slots the updates sit on, at least one.
    pub targets: Vec<Target>,
    /// Tokens the expert brings: ids from the backbone's vocabulary on. Their embedding and head
    /// rows are trained and belong to the expert.
    pub added_tokens: usize,
    /// Seed of the start values.
    pub seed: u64,
}

impl AdapterSpec {
    /// The factor of the update.
    pub(crate) fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`NnError::Setting`] names the first number that is out of range.
    pub(crate) fn check(&self) -> Result<(), NnError> {
        let out = |field, value, range| Err(NnError::Setting { field, value, range });
        if self.rank == 0 {
            return out("rank", 0.0, "at least 1");
        }
        if !self.alpha.is_finite() {
            return out("alpha", self.alpha, "a finite number");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return out("dropout", self.dropout, "0 up to, not including, 1");
        }
        if self.targets.is_empty() {
            return out("targets", 0.0, "at least one of q, k, v, o, gate, up, down");
        }
        Ok(())
    }
}
