//! Chain of LoRA (Xia et al., arXiv 2401.04151): train an adapter, merge it into the weight, start a new one, and repeat.

use cadre_method_sdk::{Case, Named, Played, Policy, Tensor, cat};
use cadre_method_sdk::{Directive, Shape, training};
use serde::Deserialize;

/// Settings of `cola`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cola {
    links: u32,
}

/// A weight with its adapter; orientation `[in, out]`, `[in, rank]`, `[rank, out]`.
#[derive(Clone, Copy)]
struct Link {
    w: Tensor,
    a: Tensor,
    b: Tensor,
}

impl Link {
    /// `W + scale · A B`, with a new adapter whose B is 0: the function does not change at this moment.
    fn merged(self, scale: f64, fresh: Tensor) -> Self {
        Self { w: self.w + self.a.matmul(self.b) * scale, a: fresh, b: self.b * 0.0 }
    }

    fn output(self, x: Tensor, scale: f64) -> Tensor {
        x.matmul(self.w) + x.matmul(self.a).matmul(self.b) * scale
    }

    fn named(self, outputs: Named, name: &str) -> Named {
        let at = |part: &str| format!("{name}/{part}");
        outputs.with(at("w"), self.w).with(at("a"), self.a).with(at("b"), self.b)
    }
}

impl Policy for Cola {
    fn schedule(&self, tasks: &[String], _: &Shape, _: u64) -> Result<Vec<Vec<Directive>>, String> {
        let share = 1.0 / f64::from(self.links);
        let chain = || {
            let mut steps = Vec::new();
            for link in 0..self.links {
                if link > 0 {
                    steps.push(Directive::MergeAndRestart);
                }
                steps.push(Directive::Train(training(share, 1.0)));
            }
            steps
        };
        Ok(tasks.iter().map(|_| chain()).collect())
    }

    /// Gradient descent on the mean squared error of a linear map, with merges after given steps.
    fn play_case(case: &Case) -> Result<Played, String> {
        let scale: f64 = case.setting("scale")?;
        let rate: f64 = case.setting("rate")?;
        let steps: u32 = case.setting("steps")?;
        let merges: Vec<u32> = case.setting("merge_after")?;
        let mut fresh = case.list("fresh_a").into_iter();
        let start = Link { w: case.tensor("w")?, a: case.tensor("a")?, b: case.tensor("b")? };
        let first = fresh.clone().next().unwrap_or(start.a);
        let one = Link { b: case.tensor("trained_b")?, ..start }.merged(scale, first);
        let (x, target) = (case.tensor("x")?, case.tensor("target")?);
        let mut link = start;
        let mut losses = Vec::new();
        for step in 1..=steps {
            let error = link.output(x, scale) - target;
            losses.push(error.square().mean_all());
            let gradient = error * (2.0 / error.elements() as f64);
            let by_a = x.t().matmul(gradient).matmul(link.b.t()) * scale;
            let by_b = x.matmul(link.a).t().matmul(gradient) * scale;
            link = Link { a: link.a - by_a * rate, b: link.b - by_b * rate, ..link };
            if merges.contains(&step) {
                let fresh = fresh.next().ok_or("the case has too few new adapters")?;
                link = link.merged(scale, fresh);
            }
        }
        let outputs = link.named(one.named(Named::new(), "one_merge"), "trained");
        let outputs =
            outputs.with("trained/losses", cat(&losses, 0)).with("trained/output", link.output(x, scale));
        Ok(Played::new(outputs))
    }
}
