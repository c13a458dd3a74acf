//! Names (as in Hugging Face's files) and shapes of the tensors of a decoder.

use crate::shape::BackboneShape;
use crate::slot::{TARGETS, Target};
use crate::variation::Variation;

/// One weight of a layer. Files and tests list weights in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Weight of the norm before attention, `[hidden]`.
    AttentionNorm,
    /// Weight of the projection with this index in [`TARGETS`], `[out, in]`.
    Weight(usize),
    /// Bias of the projection with this index in [`TARGETS`], `[out]`.
    Bias(usize),
    /// Weight of the norm of query heads, `[head width]`.
    QueryNorm,
    /// Weight of the norm of key heads, `[head width]`.
    KeyNorm,
    /// Weight of the norm after attention, `[hidden]`.
    NormBehindAttention,
    /// Weight of the norm before the feed-forward block, `[hidden]`.
    FeedNorm,
    /// Weight of the norm after the feed-forward block, `[hidden]`.
    NormBehindFeed,
}

impl Part {
    /// All parts of a layer.
    pub fn all(shape: &BackboneShape) -> Vec<Self> {
        let Variation { qkv_bias, output_bias, feed_forward_bias, head_norms, post_norms, .. } =
            &shape.variation;
        let mut parts = vec![Self::AttentionNorm];
        for (slot, entry) in TARGETS.iter().enumerate() {
            if entry.target == Target::Gate {
                if *head_norms {
                    parts.extend([Self::QueryNorm, Self::KeyNorm]);
                }
                if *post_norms {
                    parts.push(Self::NormBehindAttention);
                }
                parts.push(Self::FeedNorm);
            }
            parts.push(Self::Weight(slot));
            let biased = match entry.target {
                Target::Q | Target::K | Target::V => *qkv_bias,
                Target::O => *output_bias,
                Target::Gate | Target::Up | Target::Down => *feed_forward_bias,
            };
            if biased {
                parts.push(Self::Bias(slot));
            }
        }
        if *post_norms {
            parts.push(Self::NormBehindFeed);
        }
        parts
    }

    /// The name within the layer, and the shape.
    fn named(self, shape: &BackboneShape) -> (String, Vec<usize>) {
        let norm = |name: &str, width| (format!("{name}.weight"), vec![width]);
        let widths = |slot: usize| (TARGETS[slot].widths)(shape);
        match self {
            Self::AttentionNorm => norm("input_layernorm", shape.hidden),
            Self::Weight(slot) => {
                let (out, into) = widths(slot);
                (format!("{}.weight", TARGETS[slot].module), vec![out, into])
            }
            Self::Bias(slot) => (format!("{}.bias", TARGETS[slot].module), vec![widths(slot).0]),
            Self::QueryNorm => norm("self_attn.q_norm", shape.head_width()),
            Self::KeyNorm => norm("self_attn.k_norm", shape.head_width()),
            Self::NormBehindAttention => norm("post_attention_layernorm", shape.hidden),
            // Without a norm after attention, this name stands for the norm before the feed-forward block.
            Self::FeedNorm if !shape.variation.post_norms => norm("post_attention_layernorm", shape.hidden),
            Self::FeedNorm => norm("pre_feedforward_layernorm", shape.hidden),
            Self::NormBehindFeed => norm("post_feedforward_layernorm", shape.hidden),
        }
    }
}

/// Names and shapes of all weights of a decoder: the embedding, the parts of each layer ([`Part::all`]), the final
/// norm, and the head if it is not tied.
pub fn weight_names(shape: &BackboneShape) -> Vec<(String, Vec<usize>)> {
    let mut names = vec![("model.embed_tokens.weight".to_owned(), vec![shape.vocabulary, shape.hidden])];
    let parts = Part::all(shape);
    for layer in 0..shape.layers {
        names.extend(parts.iter().map(|part| {
            let (name, sizes) = part.named(shape);
            (format!("model.layers.{layer}.{name}"), sizes)
        }));
    }
    names.push(("model.norm.weight".to_owned(), vec![shape.hidden]));
    if !shape.tied {
        names.push(("lm_head.weight".to_owned(), vec![shape.vocabulary, shape.hidden]));
    }
    names
}
