//! Converts architectures and targets of recipes to the types of `cadre-checkpoint`.

use cadre_checkpoint::{BackboneShape, Target as Slot, Variation};
use cadre_recipe::{Architecture, Target};

/// RMSNorm epsilon, as in the configurations of small Llamas.
const NORM_EPSILON: f64 = 1e-6;

/// The shape of a pretrained backbone with `vocabulary` rows in its embedding.
#[must_use]
pub fn pretrained_shape(architecture: &Architecture, vocabulary: usize) -> BackboneShape {
    BackboneShape {
        vocabulary,
        hidden: architecture.hidden as usize,
        layers: architecture.layers as usize,
        heads: architecture.heads as usize,
        kv_heads: architecture.kv_heads as usize,
        feed_forward: architecture.feed_forward as usize,
        context: architecture.context as usize,
        tied: architecture.tied,
        rope_theta: architecture.rope_theta,
        norm_epsilon: NORM_EPSILON,
        variation: Variation::default(),
    }
}

/// The decoder projection of a recipe's target.
#[must_use]
pub fn slot(target: Target) -> Slot {
    match target {
        Target::Q => Slot::Q,
        Target::K => Slot::K,
        Target::V => Slot::V,
        Target::O => Slot::O,
        Target::Gate => Slot::Gate,
        Target::Up => Slot::Up,
        Target::Down => Slot::Down,
    }
}
