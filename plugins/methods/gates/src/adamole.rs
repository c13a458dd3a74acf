//! AdaMoLE (Liu and Luo, arXiv 2405.00361): a learned threshold decides how many experts a token gets.

use cadre_method_sdk::{Case, Gate, Gated, Named, Parameter, Phase, Played, Policy, Site, choose};
use serde::Deserialize;

/// Settings of `adamole`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AdaMole {
    #[serde(default)]
    tau_max: Option<f64>,
    balance: f64,
}

impl Policy for AdaMole {
    fn parameters(&self, site: Site) -> Result<Vec<Parameter>, String> {
        Ok(vec![
            Parameter::new("router", &[site.input, site.experts]).linear_init(site.input),
            Parameter::new("threshold", &[site.input, 1]).linear_init(site.input),
            Parameter::new("threshold-bias", &[1]),
        ])
    }

    fn gate(&self, call: &Gate) -> Result<Gated, String> {
        let parameter = |name: &str| call.parameters.get(name);
        let experts = call.experts.len() as f64;
        let shares = call.x.matmul(parameter("router")?).softmax(1);
        let score = call.x.matmul(parameter("threshold")?) + parameter("threshold-bias")?;
        let tau = score.sigmoid() * self.tau_max.unwrap_or(1.0 / experts);
        let over = shares - tau;
        let chosen = over.ge(0.0);
        let kept = over * chosen.to_float();
        let total = kept.sum(1);
        let weights = kept / choose(total.equals(0.0), 1.0, total);
        // The share of tokens that choose an expert has no gradient.
        let load = || (chosen.to_float().mean(0) * over.mean(0)).sum_all() * experts;
        let trains = call.context.phase != Phase::Answer;
        Ok(Gated::weights(weights)
            .loss_term(trains.then(|| load() * self.balance))
            .statistic("tau", tau)
            .statistic("chosen", chosen.to_float()))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self { tau_max: case.setting("tau_max")?, balance: case.setting("aux_weight")? };
        let parameters = Named::new()
            .with("router", case.tensor("router")?)
            .with("threshold", case.tensor("threshold")?)
            .with("threshold-bias", case.tensor("threshold_bias")?);
        let mut call = case.gate(case.experts()?, parameters)?;
        call.context.phase = Phase::Joint;
        let gated = policy.gate(&call)?;
        let output = gated.output_of(&call);
        let (weights, aux) = (gated.weights.ok_or("no weights")?, gated.loss_term.ok_or("no loss term")?);
        let outputs = Named::new()
            .with("output", output)
            .with("weights", weights)
            .with("tau", gated.statistics.get("tau")?)
            .with("chosen", gated.statistics.get("chosen")?)
            .with("aux", aux);
        Ok(Played::new(outputs).loss(case.loss(output, Some(aux))?))
    }
}
