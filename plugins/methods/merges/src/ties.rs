//! TIES (Yadav et al., arXiv 2306.01708): trim by magnitude, elect a sign, add the entries that agree with it. Three rules are
//! in use under this name; they differ in how weights enter, in the divisor, and in what a sum of 0 elects.

use cadre_method_sdk::{Case, Model, Named, PerExpert, Played, Policy, Tensor, choose, sum_of};
use serde::Deserialize;

use crate::vote::{self, Consensus};

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// At least one entry stays; weights enter before the election; the divisor is the sum of the agreeing weights; a sum of 0
    /// elects plus.
    Mergekit,
    /// Unweighted; the divisor is the number of agreeing entries; a sum of 0 elects the majority sign of the tensor.
    Paper,
    /// The election is unweighted; weights enter after it; the divisor is the number of agreeing entries; a sum of 0 elects
    /// plus.
    Peft,
}

/// Settings of `ties`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ties {
    rule: Rule,
    density: PerExpert,
    weights: PerExpert,
    lambda: f64,
    normalize: bool,
}

/// The largest entries by magnitude, `floor(density · n)` of n; 0 for all others.
fn trim(delta: Tensor, density: f64, at_least: u64) -> Tensor {
    if density >= 1.0 {
        return delta;
    }
    let kept = ((density * delta.elements() as f64) as u64).max(at_least);
    delta * delta.abs().largest(kept).to_float()
}

/// The sum of `entries` where `agree`, divided by the number of those that agree.
fn mean_of_agreeing(entries: impl Iterator<Item = Tensor>, agree: &[Tensor]) -> Tensor {
    let count = sum_of(agree.iter().copied());
    sum_of(entries.zip(agree).map(|(entry, agrees)| entry * *agrees)) / count.maximum(1.0)
}

impl Ties {
    fn merged(&self, base: Tensor, deltas: &[Tensor]) -> Result<Tensor, String> {
        let density = self.density.of("density", deltas.len())?;
        let weights = self.weights.of("weights", deltas.len())?;
        let at_least = u64::from(self.rule == Rule::Mergekit);
        let trimmed: Vec<Tensor> =
            deltas.iter().zip(density).map(|(delta, density)| trim(*delta, density, at_least)).collect();
        let sum = || sum_of(trimmed.iter().copied());
        let mixed = match self.rule {
            Rule::Mergekit => {
                return Ok(vote::add(base, &trimmed, &weights, self.lambda, self.normalize, Consensus::Sign));
            }
            Rule::Peft => {
                let elected = choose(sum().ge(0.0), 1.0, -1.0);
                let agree: Vec<Tensor> =
                    trimmed.iter().map(|delta| delta.sign().equals(elected).to_float()).collect();
                let weighted = trimmed.iter().zip(weights).map(|(delta, weight)| *delta * weight);
                mean_of_agreeing(weighted, &agree)
            }
            Rule::Paper => {
                let signs = sum().sign();
                let elected = choose(signs.equals(0.0), signs.sum_all().sign(), signs);
                let plus = elected.gt(0.0);
                let agree: Vec<Tensor> = trimmed
                    .iter()
                    .map(|delta| choose(plus, delta.gt(0.0), delta.lt(0.0)).to_float())
                    .collect();
                mean_of_agreeing(trimmed.iter().copied(), &agree)
            }
        };
        Ok(base + mixed * self.lambda)
    }
}

impl Policy for Ties {
    fn merge(&self, base: Tensor, models: &[Model]) -> Result<Tensor, String> {
        self.merged(base, &crate::deltas(models))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            rule: case.setting("rule")?,
            density: case.setting("density")?,
            weights: case.setting("weights")?,
            lambda: case.setting("lambda")?,
            normalize: case.setting("normalize")?,
        };
        let merged = policy.merged(case.tensor("base")?, &case.list("deltas"))?;
        Ok(Played::new(Named::new().with("merged", merged)))
    }
}
