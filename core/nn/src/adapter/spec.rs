//! What an expert's adapter looks like: where it sits and how wide it is. It holds no weights.

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
    /// Share of the update's input that is dropped while it is trained: 0 up to, not including, 1.
    pub dropout: f64,
    /// Slots the updates sit on, at least one.
    pub targets: Vec<Target>,
    /// Tokens the expert brings: ids from the backbone's vocabulary on. Their embedding and head
    /// rows are trained and belong to the expert.
    pub added_tokens: usize,
    /// Where the rows of the added tokens start: for each of them ids of the backbone's vocabulary, whose mean row it
    /// starts at. Empty: all of them start at the mean row of the whole vocabulary, with noise that tells them apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_start: Vec<Vec<u32>>,
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
        let starts = self.added_start.len();
        if starts > 0 && (starts != self.added_tokens || self.added_start.iter().any(Vec::is_empty)) {
            return out("added-start", starts as f64, "ids for every added token, or none at all");
        }
        if self.targets.is_empty() {
            return out("targets", 0.0, "at least one of q, k, v, o, gate, up, down");
        }
        Ok(())
    }
}
