//! The description of an expert's adapter: its kind, which projections it changes, and the settings of its kind.

use cadre_checkpoint::Target;
use serde::{Deserialize, Serialize};

use crate::error::NnError;

/// A kind of adapter. `kind.rs` maps each to what it computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdapterKind {
    /// Low-rank updates (Hu et al. 2021).
    #[default]
    Lora,
    /// A factor for each output, or input, of a projection (Liu et al. 2022, "IA3").
    Ia3,
    /// Low-rank updates of a weight's direction, and a trained length of each of its rows (Liu et al. 2024, "DoRA").
    Dora,
    /// A dense change of a weight. It is not trained: merges make it.
    Delta,
    /// Changes of a weight at places that a seed draws before training.
    SparseDelta,
}

impl AdapterKind {
    /// The name in files and recipes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lora => "lora",
            Self::Ia3 => "ia3",
            Self::Dora => "dora",
            Self::Delta => "delta",
            Self::SparseDelta => "sparse-delta",
        }
    }

    /// Whether the kind has matrices of low rank, and so `rank`, `alpha`, `dropout` and a scale.
    fn has_rank(self) -> bool {
        matches!(self, Self::Lora | Self::Dora)
    }
}

/// What the scale of a low-rank update divides `alpha` by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// The rank (LoRA).
    #[default]
    Rank,
    /// The square root of the rank (Kalajdzievski 2023, "rsLoRA").
    RootRank,
}

/// An expert's adapter: changes of projections, and added tokens. Settings that the kind does not have are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AdapterSpec {
    /// The kind. Not written for LoRA, so that a description of it reads as in the first format.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: AdapterKind,
    /// Rank of the updates, at least 1 (`lora`, `dora`).
    pub rank: usize,
    /// Numerator of the update's scale (`lora`, `dora`).
    pub alpha: f64,
    /// Denominator of the update's scale (`lora`, `dora`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub scaling: Scaling,
    /// Dropout probability on the input of an update during training, in [0, 1) (`lora`, `dora`).
    pub dropout: f64,
    /// Share of a weight's elements that change, above 0, up to 1 (`sparse-delta`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub density: f64,
    /// Projections that are changed, at least one.
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for AdapterSpec {
    /// LoRA of rank 8 with scale 1 on the query and value projections.
    fn default() -> Self {
        Self {
            kind: AdapterKind::Lora,
            rank: 8,
            alpha: 8.0,
            scaling: Scaling::Rank,
            dropout: 0.0,
            density: 0.0,
            targets: vec![Target::Q, Target::V],
            added_tokens: 0,
            added_start: Vec::new(),
            seed: 0,
        }
    }
}

impl AdapterSpec {
    /// Scale of a low-rank update.
    pub(crate) fn scale(&self) -> f32 {
        let rank = self.rank as f64;
        let below = match self.scaling {
            Scaling::Rank => rank,
            Scaling::RootRank => rank.sqrt(),
        };
        (self.alpha / below) as f32
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`NnError::Setting`] for the first value that is out of range.
    pub(crate) fn check(&self) -> Result<(), NnError> {
        let out = |field, value, range| Err(NnError::Setting { field, value, range });
        if self.kind.has_rank() && self.rank == 0 {
            return out("rank", 0.0, "at least 1");
        }
        if !self.alpha.is_finite() {
            return out("alpha", self.alpha, "a finite number");
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return out("dropout", self.dropout, "0 up to, not including, 1");
        }
        if self.kind == AdapterKind::SparseDelta && !(self.density > 0.0 && self.density <= 1.0) {
            return out("density", self.density, "above 0, up to 1");
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
