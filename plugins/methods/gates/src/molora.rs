//! MoLORA (Zadouri et al., arXiv 2309.05444): a softmax router whose weights mix the experts' outputs.

use cadre_method_sdk::{Case, Gate, Gated, Named, Parameter, Played, Policy, Site};
use serde::Deserialize;

/// Settings of `molora`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Molora {
    #[serde(default)]
    top_k: Option<u32>,
}

impl Policy for Molora {
    fn parameters(&self, site: Site) -> Result<Vec<Parameter>, String> {
        Ok(vec![Parameter::new("router", &[site.input, site.experts]).linear_init(site.input)])
    }

    fn gate(&self, call: &Gate) -> Result<Gated, String> {
        let shares = call.x.matmul(call.parameters.get("router")?).softmax(1);
        let experts = call.experts.len() as u32;
        // The others become 0 and the rest is not divided by its sum.
        Ok(Gated::weights(match self.top_k.filter(|top_k| *top_k < experts) {
            Some(top_k) => shares.keep_top(top_k, 1),
            None => shares,
        }))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let policy = Self { top_k: case.setting("top_k")? };
        let call = case.gate(case.experts()?, Named::new().with("router", case.tensor("router")?))?;
        let gated = policy.gate(&call)?;
        let output = gated.output_of(&call);
        let outputs = Named::new().with("output", output).with("weights", gated.weights.ok_or("no weights")?);
        Ok(Played::new(outputs).loss(case.loss(output, None)?))
    }
}
