//! Elastic weight consolidation (Kirkpatrick et al., arXiv 1612.00796) with a diagonal Fisher information: weights that
//! mattered to earlier tasks are held near their values by a quadratic penalty.

use cadre_method_sdk::{Case, Expert, Named, Played, Policy, Tensor, sum_of, zeros};
use cadre_method_sdk::{Directive, Shape, training};
use serde::Deserialize;

/// Settings of `ewc`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ewc {
    strength: f64,
    decay: f64,
}

/// `strength / 2 · Σ F (θ - θ*)²`.
fn penalty(theta: Tensor, anchor: Tensor, fisher: Tensor, strength: f64) -> Tensor {
    (fisher * (theta - anchor).square()).sum_all() * (0.5 * strength)
}

/// The square of an example's gradient, which the mean over examples makes the Fisher information.
fn square(gradient: Tensor) -> Tensor {
    gradient.square()
}

impl Ewc {
    /// The Fisher information of all tasks so far, given that of the newest.
    fn accumulated(&self, total: Tensor, newest: Tensor) -> Tensor {
        total * self.decay + newest
    }
}

impl Policy for Ewc {
    fn term(&self, trained: &Named, _: &[Expert], buffers: &Named) -> Result<Option<Tensor>, String> {
        let mut terms = Vec::new();
        for (name, theta) in trained.iter() {
            let of = |buffer: &str| buffers.get(&format!("{buffer}.{name}"));
            terms.push(penalty(theta, of("anchor")?, of("fisher")?, self.strength));
        }
        Ok(Some(sum_of(terms)))
    }

    fn observe(&self, weight: Tensor, gradient: Tensor, buffers: &Named) -> Result<Named, String> {
        let fisher = buffers.get("fisher")? + square(gradient);
        Ok(Named::new().with("fisher", fisher).with("anchor", weight))
    }

    fn schedule(&self, tasks: &[String], _: &Shape, _: u64) -> Result<Vec<Vec<Directive>>, String> {
        Ok(tasks.iter().map(|_| vec![Directive::Train(training(1.0, 1.0)), Directive::Observe]).collect())
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self { strength: case.setting("lambda")?, decay: case.setting("decay")? };
        let (samples, batches) = (case.list("sample_gradients"), case.list("batch_gradients"));
        // The first dimension counts samples, or batches.
        let sum = |squares: Tensor| {
            let shape = squares.shape();
            squares.sum(0).reshape(&shape[1..])
        };
        let per_sample: Vec<Tensor> =
            samples.iter().map(|all| sum(square(*all)) / f64::from(all.size(0))).collect();
        let steps: Vec<f64> = case.setting("steps_per_epoch")?;
        let per_batch: Vec<Tensor> =
            batches.iter().zip(steps).map(|(all, steps)| sum(square(*all)) / steps).collect();
        let theta = case.tensor("theta")?;
        let anchors = case.list("anchors");
        let (used, held): (Vec<Tensor>, Vec<Tensor>) = match case.setting("online")? {
            true => {
                let start = zeros(&theta.shape());
                let total = per_sample.iter().fold(start, |total, newest| policy.accumulated(total, *newest));
                (vec![total], anchors.last().copied().into_iter().collect())
            }
            false => (per_sample.clone(), anchors),
        };
        let terms =
            held.iter().zip(&used).map(|(anchor, fisher)| penalty(theta, *anchor, *fisher, policy.strength));
        let penalty = sum_of(terms);
        let outputs = Named::new()
            .with_list("fisher_samples", per_sample)
            .with_list("fisher_batches", per_batch)
            .with_list("used_fisher", used)
            .with("penalty", penalty);
        Ok(Played::new(outputs).loss(penalty))
    }
}
