//! Averaging of weights (Wortsman et al., arXiv 2203.05482): `W = Σ w_i W_i / Σ w_i` over full weights.

use cadre_method_sdk::{Case, Model, Named, PerExpert, Played, Policy, Tensor, sum_of};
use serde::Deserialize;

/// Settings of `averaging`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Averaging {
    weights: PerExpert,
    normalize: bool,
}

impl Averaging {
    fn average(&self, weights: &[Tensor]) -> Result<Tensor, String> {
        let shares = self.weights.of("weights", weights.len())?;
        let total = sum_of(weights.iter().zip(&shares).map(|(weight, share)| *weight * *share));
        let divisor: f64 = shares.iter().sum();
        match self.normalize {
            true if divisor == 0.0 => Err("the sum of `weights` is 0; it cannot be normalised".to_owned()),
            true => Ok(total / divisor),
            false => Ok(total),
        }
    }
}

impl Policy for Averaging {
    fn merge(&self, base: Tensor, models: &[Model]) -> Result<Tensor, String> {
        let weights: Vec<Tensor> = models.iter().map(|model| base + model.delta).collect();
        self.average(&weights)
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self { weights: case.setting("weights")?, normalize: case.setting("normalize")? };
        Ok(Played::new(Named::new().with("merged", policy.average(&case.list("models"))?)))
    }
}
