//! Contrastive decoding: the log-probabilities of a model, moved along the difference of the routed experts to the backbone.
//! In the form of novelty exploration and STEER, whose exact weights are not public.

use cadre_method_sdk::{Case, Named, Played, Policy, Stream, Tensor};
use serde::Deserialize;

use crate::arithmetic;

/// Settings of `contrast`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Contrast {
    start: Start,
    gamma: f64,
}

/// The model that is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The backbone.
    Base,
    /// The routed experts.
    Routed,
}

impl Policy for Contrast {
    fn streams(&self) -> Result<Vec<Stream>, String> {
        Ok(vec![Stream::new("base", "base"), Stream::new("tuned", "routed")])
    }

    fn decode(&self, logits: &Named) -> Result<Tensor, String> {
        let (base, tuned) = (logits.get("base")?, logits.get("tuned")?);
        let start = match self.start {
            Start::Base => base,
            Start::Routed => tuned,
        };
        Ok(arithmetic::contrast(start, tuned, base, self.gamma, None))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        arithmetic::play(case)
    }
}
