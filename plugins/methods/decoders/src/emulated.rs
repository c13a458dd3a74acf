//! Emulated fine-tuning (Mitchell et al., arXiv 2310.12962): what tuning changed in the log-probabilities of one model is
//! added, scaled, to those of another. With one backbone both are the same: the strength scales what the experts changed.

use cadre_method_sdk::{Case, Named, Played, Policy, Stream, Tensor};
use serde::Deserialize;

use crate::arithmetic;

/// Settings of `emulated`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Emulated {
    strength: f64,
}

impl Policy for Emulated {
    fn streams(&self) -> Result<Vec<Stream>, String> {
        Ok(vec![Stream::new("base", "base"), Stream::new("tuned", "routed")])
    }

    fn decode(&self, logits: &Named) -> Result<Tensor, String> {
        let (base, tuned) = (logits.get("base")?, logits.get("tuned")?);
        Ok(arithmetic::emulated(base, tuned, base, self.strength))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        arithmetic::play(case)
    }
}
