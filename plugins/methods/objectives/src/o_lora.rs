//! O-LoRA (Wang et al., arXiv 2310.14152): the adapter of a new task is kept orthogonal to all earlier ones in the input space.

use cadre_method_sdk::{Case, Expert, Named, Played, Policy, Tensor, zeros};
use serde::Deserialize;

/// Settings of `o-lora`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OLora {
    norm: Norm,
    orthogonality: f64,
    size: f64,
}

/// How the overlap with an earlier adapter is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// The sum of absolute values (released code).
    Abs,
    /// The sum of squares (paper).
    Square,
}

impl OLora {
    /// `λ1 · Σ_i |A_iᵀ A| + λ2 · (‖A‖ + ‖B‖)`; A `[in, rank]`.
    fn penalty(&self, earlier: &[Tensor], a: Tensor, b: Tensor) -> Tensor {
        let mut total = zeros(&[1]);
        for old in earlier {
            let overlap = old.t().matmul(a);
            let overlap = match self.norm {
                Norm::Abs => overlap.abs(),
                Norm::Square => overlap.square(),
            };
            total = total + overlap.sum_all() * self.orthogonality;
        }
        if self.size != 0.0 {
            total = total + (a.norm_all() + b.norm_all()) * self.size;
        }
        total
    }
}

impl Policy for OLora {
    fn term(&self, trained: &Named, earlier: &[Expert], _: &Named) -> Result<Option<Tensor>, String> {
        if earlier.is_empty() && self.size == 0.0 {
            return Ok(None);
        }
        let old: Vec<Tensor> =
            earlier.iter().map(|expert| Ok(expert.low_rank()?.a)).collect::<Result<_, String>>()?;
        Ok(Some(self.penalty(&old, trained.get("a")?, trained.get("b")?)))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let norm: String = case.setting("norm")?;
        let policy = Self {
            norm: if norm == "square" { Norm::Square } else { Norm::Abs },
            orthogonality: case.setting("lambda1")?,
            size: case.setting("lambda2")?,
        };
        let penalty = policy.penalty(&case.list("old_a"), case.tensor("new_a")?, case.tensor("new_b")?);
        Ok(Played::new(Named::new().with("penalty", penalty)).loss(penalty))
    }
}
