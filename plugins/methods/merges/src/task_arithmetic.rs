//! Task arithmetic (Ilharco et al., arXiv 2212.04089): `W = W0 + λ Σ w_i D_i`.

use cadre_method_sdk::{Case, Model, Named, PerExpert, Played, Policy, Tensor};
use serde::Deserialize;

use crate::vote::{self, Consensus};

/// Settings of `task-arithmetic`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskArithmetic {
    weights: PerExpert,
    lambda: f64,
    normalize: bool,
}

impl TaskArithmetic {
    fn merged(&self, base: Tensor, deltas: &[Tensor]) -> Result<Tensor, String> {
        let weights = self.weights.of("weights", deltas.len())?;
        Ok(vote::add(base, deltas, &weights, self.lambda, self.normalize, Consensus::None))
    }
}

impl Policy for TaskArithmetic {
    fn merge(&self, base: Tensor, models: &[Model]) -> Result<Tensor, String> {
        self.merged(base, &crate::deltas(models))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            weights: case.setting("weights")?,
            lambda: case.setting("lambda")?,
            normalize: case.setting("normalize")?,
        };
        let merged = policy.merged(case.tensor("base")?, &case.list("deltas"))?;
        Ok(Played::new(Named::new().with("merged", merged)))
    }
}
