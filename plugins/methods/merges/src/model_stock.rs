//! Model Stock (Jang et al., arXiv 2403.19522): `W = t · mean(W_i) + (1 - t) · W0` with `t = N cos / (1 + (N - 1) cos)`, where
//! cos is between deltas. With more than two experts the mean over all pairs is used, as in mergekit; the paper leaves it open.

use cadre_method_sdk::{Case, Model, Named, Played, Policy, Tensor, choose, sum_of};
use serde::Deserialize;

/// Settings of `model-stock`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelStock {
    filter_wise: bool,
}

/// t from deltas, over a dimension, which keeps size 1. Where no finite t exists it is 0: the base.
fn ratio(deltas: &[Tensor], dim: u32) -> Tensor {
    let count = deltas.len() as f64;
    let mut cosines = Vec::new();
    for (index, one) in deltas.iter().enumerate() {
        for other in &deltas[index + 1..] {
            let norms = one.norm(dim) * other.norm(dim);
            let cosine = (*one * *other).sum(dim) / norms.maximum(1e-6);
            cosines.push(cosine.maximum(-1.0).minimum(1.0));
        }
    }
    let pairs = cosines.len() as f64;
    let cos = sum_of(cosines) / pairs;
    let below = 1.0 + cos * (count - 1.0);
    let singular = below.abs().lt(1e-6);
    choose(singular, 0.0, cos * count / choose(singular, 1.0, below))
}

/// The merged tensor, and t; over a dimension or, with none, the whole tensor.
fn merged(base: Tensor, deltas: &[Tensor], dim: Option<u32>) -> Result<(Tensor, Tensor), String> {
    if deltas.len() < 2 {
        return Err("model-stock needs at least two experts: it compares their deltas".to_owned());
    }
    let t = match dim {
        Some(dim) => ratio(deltas, dim),
        None => ratio(&deltas.iter().map(|delta| delta.flatten()).collect::<Vec<_>>(), 0),
    };
    let mean = sum_of(deltas.iter().copied()) / deltas.len() as f64;
    let t_of_all = if dim.is_some() { t } else { t.broadcast_to(&base.shape()) };
    Ok((base + t_of_all * mean, t))
}

impl Policy for ModelStock {
    fn merge(&self, base: Tensor, models: &[Model]) -> Result<Tensor, String> {
        // Weights are `[in, out]`: the filter of one output is a column.
        let dim = self.filter_wise.then_some(0);
        Ok(merged(base, &crate::deltas(models), dim)?.0)
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let base = case.tensor("base")?;
        let deltas: Vec<Tensor> = case.list("models").into_iter().map(|model| model - base).collect();
        // The reference takes the last dimension as a filter.
        let dim = case.setting::<bool>("filter_wise")?.then_some(base.rank() - 1);
        let (merged, t) = merged(base, &deltas, dim)?;
        Ok(Played::new(Named::new().with("merged", merged).with("t", t.flatten())))
    }
}
