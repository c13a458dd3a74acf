//! The linear projections of a decoder layer, to which adapters can be attached.

use serde::{Deserialize, Serialize};

use crate::shape::BackboneShape;

/// A linear projection of a decoder layer.
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
    /// Gate projection of the feed-forward block.
    Gate,
    /// Up projection of the feed-forward block.
    Up,
    /// Down projection of the feed-forward block.
    Down,
}

/// A projection's name in a checkpoint and its sizes.
#[derive(Debug)]
pub struct TargetEntry {
    /// The projection.
    pub target: Target,
    /// Module name below `model.layers.N.`, as in Hugging Face's Llama.
    pub module: &'static str,
    /// (output width, input width) in a decoder of the given shape.
    pub widths: fn(&BackboneShape) -> (usize, usize),
}

/// All linear projections of a layer, in the order of the forward pass.
pub const TARGETS: &[TargetEntry] = &[
    TargetEntry { target: Target::Q, module: "self_attn.q_proj", widths: |s| (s.query_width(), s.hidden) },
    TargetEntry { target: Target::K, module: "self_attn.k_proj", widths: |s| (s.kv_width(), s.hidden) },
    TargetEntry { target: Target::V, module: "self_attn.v_proj", widths: |s| (s.kv_width(), s.hidden) },
    TargetEntry { target: Target::O, module: "self_attn.o_proj", widths: |s| (s.hidden, s.query_width()) },
    TargetEntry { target: Target::Gate, module: "mlp.gate_proj", widths: |s| (s.feed_forward, s.hidden) },
    TargetEntry { target: Target::Up, module: "mlp.up_proj", widths: |s| (s.feed_forward, s.hidden) },
    TargetEntry { target: Target::Down, module: "mlp.down_proj", widths: |s| (s.hidden, s.feed_forward) },
];
