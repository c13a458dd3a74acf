//! Arrow routing (Ostapenko et al., arXiv 2405.11157). An expert's prototype is the input direction that it amplifies most: the
//! first left singular vector of A B, of free sign. A token's score for an expert is `|x · prototype|`; the top k scores are
//! divided by a temperature and become weights by a softmax.

use cadre_method_sdk::{
    Case, Expert, Gate, Gated, Named, Played, Policy, Site, Tensor, stack, sum_of, zeros,
};
use serde::Deserialize;

/// Settings of `arrow`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Arrow {
    top_k: u32,
    temperature: f64,
    combine: Combine,
}

/// What the weights are applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// The experts' outputs (PEFT).
    Outputs,
    /// Their matrices A and B, each by itself (the default of mttl).
    Parameters,
}

/// `[in]`, of unit length, its largest entry positive; through two thin factorisations, so that A B is never formed.
fn prototype(a: Tensor, b: Tensor) -> Tensor {
    let (qa, ra) = a.qr();
    let (_, rb) = b.t().qr();
    let (u, _, _) = ra.matmul(rb.t()).svd();
    let v = qa.matmul(u.slice(1, 0, 1)).flatten();
    let largest = v.abs().largest(1).to_float();
    v * (v * largest).sum_all().sign()
}

/// Weights `[tokens, experts]` from prototypes `[experts, in]`.
fn weights(x: Tensor, prototypes: Tensor, top_k: u32, temperature: f64) -> Tensor {
    let scores = x.matmul(prototypes.t()).abs();
    let (kept, which) = scores.top_k(top_k, 1);
    zeros(&scores.shape()).scatter_add(1, which, (kept / temperature).softmax(1))
}

impl Arrow {
    /// The site's output where the matrices are mixed; all experts have one rank and one scale.
    fn mixed(&self, call: &Gate, weights: Tensor) -> Result<Tensor, String> {
        let factors = call.experts.iter().map(Expert::low_rank).collect::<Result<Vec<_>, _>>()?;
        let scale = factors[0].scale;
        if factors.iter().any(|other| other.scale != scale || other.a.shape() != factors[0].a.shape()) {
            return Err("to combine parameters, all experts must have one rank and one scale".to_owned());
        }
        // x (Σ w_e A_e) (Σ w_f B_f), from the left: matrices of single tokens are never formed.
        let share = |index: u32| weights.slice(1, index, index + 1);
        let inner = sum_of((0u32..).zip(&factors).map(|(index, one)| share(index) * call.x.matmul(one.a)));
        let update = sum_of((0u32..).zip(&factors).map(|(index, one)| share(index) * inner.matmul(one.b)));
        Ok(call.base_out + update * scale)
    }
}

impl Policy for Arrow {
    fn finish(&self, _: Site, _: Tensor, expert: &Expert) -> Result<Named, String> {
        let factors = expert.low_rank()?;
        Ok(Named::new().with("prototype", prototype(factors.a, factors.b)))
    }

    fn gate(&self, call: &Gate) -> Result<Gated, String> {
        let top_k = self.top_k.min(call.experts.len() as u32);
        let weights = weights(call.x, call.stacked("prototype")?.detach(), top_k, self.temperature);
        match self.combine {
            Combine::Outputs => Ok(Gated::weights(weights)),
            Combine::Parameters => {
                Ok(Gated::output(self.mixed(call, weights)?).statistic("weights", weights))
            }
        }
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        if case.has("general") {
            // GenKnowSub: the mean of the general experts is taken from each task's expert.
            let cleaned = case.tensor("task")? - case.tensor("general")?.mean(0);
            return Ok(Played::new(Named::new().with("cleaned", cleaned)));
        }
        let policy = Self {
            top_k: case.setting("top_k")?,
            temperature: case.setting("temperature")?,
            combine: match case.setting::<String>("combine")?.as_str() {
                "parameters" => Combine::Parameters,
                _ => Combine::Outputs,
            },
        };
        let experts = case.experts()?;
        let given = case.has("prototypes");
        let prototypes = match given {
            true => {
                let all = case.tensor("prototypes")?;
                (0..experts.len() as u32).map(|at| all.at(0, at)).collect()
            }
            false => experts
                .iter()
                .map(|expert| expert.low_rank().map(|factors| prototype(factors.a, factors.b)))
                .collect::<Result<Vec<_>, _>>()?,
        };
        let with = |(expert, prototype): (Expert, &Tensor)| expert.with("prototype", *prototype);
        let call = case.gate(experts.into_iter().zip(&prototypes).map(with).collect(), Named::new())?;
        let gated = policy.gate(&call)?;
        let output = gated.output_of(&call);
        let weights = match gated.weights {
            Some(weights) => weights,
            None => gated.statistics.get("weights")?,
        };
        let mut outputs = Named::new().with("output", output).with("weights", weights);
        if !given {
            outputs = outputs.with("prototypes", stack(&prototypes, 0));
        }
        Ok(Played::new(outputs).loss(case.loss(output, None)?))
    }
}
