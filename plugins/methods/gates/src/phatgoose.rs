//! PHATGOOSE (Muqeeth et al., arXiv 2402.05859). After an expert is trained, everything is frozen and one vector v per site is
//! trained for a few steps: `y = base + sigmoid(x · v) · expert(x)`. Later, with the vectors of all experts, the score of an
//! expert is `LN(x) · LN(v) / √d`; a softmax, the top k, and their weights divided by their sum.

use cadre_method_sdk::{
    Case, Directive, Expert, Gate, Gated, LowRank, Named, Owner, Parameter, Phase, Played, Policy, Shape,
    Site, Tensor, training,
};
use serde::Deserialize;

/// Epsilon of the normalisation of tokens and vectors.
const EPSILON: f64 = 1e-5;

/// Settings of `phatgoose`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Phatgoose {
    top_k: u32,
    epsilon: f64,
    gate_steps: f64,
}

/// Weights `[tokens, experts]` from vectors `[experts, in]`.
fn weights(x: Tensor, vectors: Tensor, top_k: u32, epsilon: f64) -> Tensor {
    let scores = x.layer_norm(EPSILON).matmul(vectors.layer_norm(EPSILON).t()) / f64::from(x.size(1)).sqrt();
    let kept = scores.softmax(1).keep_top(top_k, 1);
    kept / (kept.sum(1) + epsilon)
}

/// `sigmoid(x · v)`, `[tokens, 1]`; v `[in]`.
fn openness(x: Tensor, v: Tensor) -> Tensor {
    x.matmul(v.unsqueeze(1)).sigmoid()
}

impl Policy for Phatgoose {
    fn parameters(&self, site: Site) -> Result<Vec<Parameter>, String> {
        Ok(vec![Parameter::new("v", &[site.input]).owner(Owner::Expert)])
    }

    fn gate(&self, call: &Gate) -> Result<Gated, String> {
        Ok(match call.context.phase {
            Phase::Expert => Gated::output(call.base_out + call.trained_expert()?.apply(call.x)),
            Phase::Gate | Phase::Joint => {
                let gate = openness(call.x, call.parameters.get("v")?);
                let output = call.base_out + gate * call.trained_expert()?.apply(call.x);
                Gated::output(output).statistic("gate", gate)
            }
            Phase::Answer => {
                let top_k = self.top_k.min(call.experts.len() as u32);
                Gated::weights(weights(call.x, call.stacked("v")?, top_k, self.epsilon))
            }
        })
    }

    fn schedule(&self, tasks: &[String], _: &Shape, _: u64) -> Result<Vec<Vec<Directive>>, String> {
        let steps = || {
            vec![Directive::Train(training(1.0, 1.0)), Directive::TrainGate(training(self.gate_steps, 1.0))]
        };
        Ok(tasks.iter().map(|_| steps()).collect())
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        if case.setting::<String>("stage")? == "gate training" {
            let policy = Self { top_k: 1, epsilon: 0.0, gate_steps: 1.0 };
            let factors =
                LowRank { a: case.tensor("a")?, b: case.tensor("b")?, scale: case.setting("scale")? };
            let parameters = Named::new().with("v", case.tensor("v")?);
            let mut call = case.gate(vec![Expert::of_case("expert-0", factors)], parameters)?;
            call.context.phase = Phase::Gate;
            call.context.training = Some(0);
            let gated = policy.gate(&call)?;
            let output = gated.output_of(&call);
            let outputs = Named::new().with("output", output).with("gate", gated.statistics.get("gate")?);
            return Ok(Played::new(outputs).loss(case.loss(output, None)?));
        }
        let policy =
            Self { top_k: case.setting("top_k")?, epsilon: case.setting("epsilon")?, gate_steps: 1.0 };
        let vectors = case.tensor("v")?;
        let experts = (0u32..).zip(case.experts()?).map(|(at, expert)| expert.with("v", vectors.at(0, at)));
        let call = case.gate(experts.collect(), Named::new())?;
        let gated = policy.gate(&call)?;
        let output = gated.output_of(&call);
        let weights = gated.weights.ok_or("the gate returned no weights")?;
        let outputs = Named::new().with("output", output).with("weights", weights);
        Ok(Played::new(outputs).loss(case.loss(output, None)?))
    }
}
