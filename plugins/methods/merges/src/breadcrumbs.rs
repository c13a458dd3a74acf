//! Model Breadcrumbs (Davari and Belilovsky, arXiv 2312.06795): the largest entries of each delta (outliers) and the smallest
//! are dropped, the band between them is added as in task arithmetic.

use cadre_method_sdk::{Case, Model, Named, PerExpert, Played, Policy, Tensor, ones, zeros};
use serde::Deserialize;

use crate::vote::{self, Consensus};

/// Of what the shares are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Per {
    /// The whole tensor (mergekit).
    Tensor,
    /// The weights of each output (the authors' code).
    Row,
}

/// Settings of `breadcrumbs`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Breadcrumbs {
    per: Per,
    density: PerExpert,
    gamma: PerExpert,
    weights: PerExpert,
    lambda: f64,
    normalize: bool,
    consensus: Consensus,
}

/// How many entries of `count` the band leaves out, smallest and largest.
fn outside(count: u64, density: f64, gamma: f64) -> (u64, u64) {
    let kept = (density * count as f64) as u64;
    let top = ((gamma * count as f64) as u64).min(count - kept);
    (count - kept - top, top)
}

impl Breadcrumbs {
    fn band(&self, delta: Tensor, density: f64, gamma: f64) -> Tensor {
        if density >= 1.0 {
            return delta;
        }
        let small = -delta.abs();
        let mask = match self.per {
            Per::Tensor => {
                let count = delta.elements();
                let (bottom, top) = outside(count, density, gamma);
                // Both masks are of the smallest entries, so that equal magnitudes are ordered by place alike.
                small.largest(count - top).and(small.largest(bottom).logical_not()).to_float()
            }
            Per::Row => {
                // Weights are `[in, out]`: those of one output are a column.
                let count = delta.size(0);
                let (bottom, top) = outside(u64::from(count), density, gamma);
                if bottom + top == u64::from(count) {
                    return delta * 0.0;
                }
                let (_, order) = small.sort(0, true);
                let band = order.slice(0, bottom as u32, count - top as u32);
                zeros(&delta.shape()).scatter_add(0, band, ones(&band.shape()))
            }
        };
        delta * mask
    }

    fn merged(&self, base: Tensor, deltas: &[Tensor]) -> Result<Tensor, String> {
        let density = self.density.of("density", deltas.len())?;
        let gamma = self.gamma.of("gamma", deltas.len())?;
        let weights = self.weights.of("weights", deltas.len())?;
        let shares = density.into_iter().zip(gamma);
        let sparse: Vec<Tensor> = deltas
            .iter()
            .zip(shares)
            .map(|(delta, (density, gamma))| self.band(*delta, density, gamma))
            .collect();
        Ok(vote::add(base, &sparse, &weights, self.lambda, self.normalize, self.consensus))
    }
}

impl Policy for Breadcrumbs {
    fn merge(&self, base: Tensor, models: &[Model]) -> Result<Tensor, String> {
        self.merged(base, &crate::deltas(models))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            per: Per::Tensor,
            density: case.setting("density")?,
            gamma: case.setting("gamma")?,
            weights: case.setting("weights")?,
            lambda: case.setting("scale")?,
            normalize: case.setting("normalize")?,
            consensus: case.setting("consensus")?,
        };
        let merged = policy.merged(case.tensor("base")?, &case.list("deltas"))?;
        Ok(Played::new(Named::new().with("merged", merged)))
    }
}

#[cfg(test)]
mod tests {
    use super::outside;

    #[test]
    fn the_band_is_counted_as_mergekit_does() {
        assert_eq!(outside(10, 0.5, 0.2), (3, 2));
        assert_eq!(outside(10, 0.5, 0.01), (5, 0));
        // No room for three outliers: fewer are dropped.
        assert_eq!(outside(10, 0.9, 0.3), (0, 1));
        assert_eq!(outside(3, 0.1, 0.2), (3, 0));
    }
}
