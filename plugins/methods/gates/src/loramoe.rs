//! LoRAMoE (Dou et al., arXiv 2312.09979): a dense softmax router, and a localised balancing loss: the first half of the experts
//! belongs to sequences of type 1, the second to those of type 0.

use cadre_method_sdk::{
    Case, Gate, Gated, Named, Parameter, Phase, Played, Policy, Site, Tensor, arange, choose, constant, zeros,
};
use serde::Deserialize;

/// Settings of `loramoe`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LoraMoe {
    balance: f64,
    alpha: f64,
    form: Form,
}

/// How the spread of the shares is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Variance over the squared mean plus 1e-10 (released code).
    Code,
    /// Variance over the mean (paper).
    Paper,
}

/// The balancing loss of weights `[tokens, experts]`; `sequence` integers `[tokens]`, `types` `[sequences]` with 1 and 0.
fn balance(weights: Tensor, sequence: Tensor, types: Tensor, alpha: f64, form: Form) -> Tensor {
    let (tokens, experts) = (weights.size(0), weights.size(1));
    let count = types.size(0);
    let of_token = sequence.reshape(&[tokens, 1]).expand(&[tokens, experts]);
    let shares = zeros(&[count, experts]).scatter_add(0, of_token, weights);
    let first = arange(experts).lt(f64::from(experts / 2)).to_float().reshape(&[1, experts]);
    let own = types.reshape(&[count, 1]).equals(first);
    let scaled = (shares * choose(own, 1.0 + alpha, 1.0 - alpha)).flatten();
    let entries = scaled.elements() as f64;
    if entries == 1.0 {
        return scaled * 0.0;
    }
    let mean = scaled.mean_all();
    let variance = (scaled - mean).square().sum_all() / (entries - 1.0);
    match form {
        Form::Code => variance / (mean.square() + 1e-10),
        Form::Paper => variance / mean,
    }
}

impl Policy for LoraMoe {
    fn parameters(&self, site: Site) -> Result<Vec<Parameter>, String> {
        Ok(vec![Parameter::new("router", &[site.input, site.experts]).linear_init(site.input)])
    }

    fn gate(&self, call: &Gate) -> Result<Gated, String> {
        let weights = call.x.matmul(call.parameters.get("router")?).softmax(1);
        let trains = call.context.phase != Phase::Answer;
        let term = call.context.tags.find("type").filter(|_| trains).map(|types| {
            balance(weights, call.context.sequence, types, self.alpha, self.form) * self.balance
        });
        Ok(Gated::weights(weights).loss_term(term))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self {
            balance: case.setting("balance_weight")?,
            alpha: case.setting("alpha")?,
            form: match case.setting::<String>("form")?.as_str() {
                "paper" => Form::Paper,
                _ => Form::Code,
            },
        };
        let mut call = case.gate(case.experts()?, Named::new().with("router", case.tensor("router")?))?;
        let numbers = |values: Vec<f64>| constant(&[values.len() as u32], &values);
        call.context.sequence = numbers(case.setting("sequence")?).to_int();
        call.context.phase = Phase::Joint;
        call.context.tags = Named::new().with("type", numbers(case.setting("types")?));
        let gated = policy.gate(&call)?;
        let output = gated.output_of(&call);
        let (weights, aux) = (gated.weights.ok_or("no weights")?, gated.loss_term.ok_or("no loss term")?);
        let outputs = Named::new().with("output", output).with("weights", weights).with("aux", aux);
        Ok(Played::new(outputs).loss(case.loss(output, Some(aux))?))
    }
}
