//! DARE (Yu et al., arXiv 2311.03099): entries of each delta are dropped by chance, the others rescaled; then they are added,
//! with or without the election of signs (`dare_ties` and `dare_linear` of mergekit).

use cadre_method_sdk::{Case, Model, Named, PerExpert, Played, Policy, Tensor, choose, uniform};
use serde::Deserialize;

use crate::vote::{self, Consensus};

/// How the entries that stay are rescaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rescale {
    /// Divided by the density: the expected sum is as before.
    Expected,
    /// So that the sum of magnitudes is as before.
    L1,
    /// Not at all.
    None,
}

/// Settings of `dare`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dare {
    density: PerExpert,
    weights: PerExpert,
    lambda: f64,
    normalize: bool,
    rescale: Rescale,
    consensus: Consensus,
}

impl Dare {
    /// Keeps the entries whose draw is below the density.
    fn drop(&self, delta: Tensor, draw: Tensor, density: f64) -> Tensor {
        let kept = delta * draw.lt(density).to_float();
        match self.rescale {
            Rescale::Expected => kept / density,
            Rescale::None => kept,
            Rescale::L1 => {
                let (before, after) = (delta.abs().sum_all(), kept.abs().sum_all());
                let empty = before.lt(1e-7).or(after.lt(1e-7));
                kept * choose(empty, 1.0, before / choose(empty, 1.0, after))
            }
        }
    }

    /// `draw` returns the draws for the delta at an index.
    fn merged(
        &self,
        base: Tensor,
        deltas: &[Tensor],
        draw: impl Fn(usize) -> Result<Tensor, String>,
    ) -> Result<Tensor, String> {
        let density = self.density.of("density", deltas.len())?;
        let weights = self.weights.of("weights", deltas.len())?;
        let mut sparse = Vec::with_capacity(deltas.len());
        for (index, (delta, density)) in deltas.iter().zip(density).enumerate() {
            sparse.push(match density >= 1.0 {
                true => *delta,
                false => self.drop(*delta, draw(index)?, density),
            });
        }
        Ok(vote::add(base, &sparse, &weights, self.lambda, self.normalize, self.consensus))
    }
}

impl Policy for Dare {
    fn merge(&self, base: Tensor, models: &[Model]) -> Result<Tensor, String> {
        let shape = base.shape();
        // The core's draws differ between tensors; the stream makes them differ between experts.
        self.merged(base, &crate::deltas(models), |index| Ok(uniform(&format!("drop/{index}"), &shape)))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            density: case.setting("density")?,
            weights: case.setting("weights")?,
            lambda: case.setting("scale")?,
            normalize: case.setting("normalize")?,
            rescale: case.setting("rescale")?,
            consensus: case.setting("consensus")?,
        };
        let draw = |index| case.tensor(&format!("uniform/{index}"));
        let merged = policy.merged(case.tensor("base")?, &case.list("deltas"), draw)?;
        Ok(Played::new(Named::new().with("merged", merged)))
    }
}
