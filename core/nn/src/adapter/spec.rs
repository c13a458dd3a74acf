//! The description of an expert's adapter: which projections it updates and its rank.

use cadre_checkpoint::Target;
use serde::{Deserialize, Serialize};

use crate::error::NnError;

/// An expert's adapter: low-rank updates (Hu et al. 2021, "LoRA") and added tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdapterSpec {
    /// Rank of the updates, at least 1.
    pub rank: usize,
    /// The update is multiplied by `alpha / rank`.
    pub alpha: f64,
    /// Dropout probability on the input of an update during training, in [0, 1).
    pub dropout: f64,
    /// Projections that are updated, at least one.
    pub targets: Vec<Target>,
    /// Number of tokens that the expert adds, with ids following the backbone's vocabulary. Their embedding and head
    /// rows are trained and belong to the expert.
    pub added_tokens: usize,
    /// Initial rows of the added tokens: for each token, ids of the backbone's vocabulary; the token starts at their
    /// mean row. If empty, all tokens start at the mean row of the whole vocabulary, plus noise that separates them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_start: Vec<Vec<u32>>,
    /// Seed of the initial values.
    pub seed: u64,
}

impl AdapterSpec {
    /// Scale of the update: `alpha / rank`.
    pub(crate) fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`NnError::Setting`] for the first value that is out of range.
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
        let starts = self.added_start.len();
        if starts > 0 && (starts != self.added_tokens || self.added_start.iter().any(Vec::is_empty)) {
            return out("added-start", starts as f64, "one list of ids per added token, or no list");
        }
        if self.targets.is_empty() {
            return out("targets", 0.0, "at least one of q, k, v, o, gate, up, down");
        }
        Ok(())
    }
}
