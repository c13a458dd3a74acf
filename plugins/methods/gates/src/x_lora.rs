//! X-LoRA (Buehler and Buehler, arXiv 2402.07148), two passes: the last hidden states of a pass without experts go through a small
//! network to scalings per token, site and expert; the second pass weights the experts with them.

use cadre_method_sdk::{
    Case, Gate, Gated, Named, Parameter, Plan, Played, Policy, Scope, Site, Tensor, choose, full, ones, zeros,
};
use serde::Deserialize;

/// Settings of `x-lora`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct XLora {
    depth: u32,
    width: u32,
    #[serde(default)]
    layerwise_sites: Option<u32>,
    softmax: bool,
    temperature: f64,
    #[serde(default)]
    top_k: Option<u32>,
    softmax_top_k: bool,
    global_weight: f64,
}

impl XLora {
    /// Scalings `[tokens, sites, experts]` from hidden states `[tokens, hidden]` and the network's weights and biases.
    fn scalings(&self, hidden: Tensor, layers: &[(Tensor, Tensor)], sites: u32, experts: u32) -> Tensor {
        let mut h = hidden;
        for (at, (weight, bias)) in layers.iter().enumerate() {
            h = h.matmul(*weight) + *bias;
            if at + 1 < layers.len() {
                h = h.relu();
            }
        }
        let tokens = hidden.size(0);
        let logits = match self.layerwise_sites {
            Some(_) => h.reshape(&[tokens, sites, experts]),
            None => h.reshape(&[tokens, 1, experts]).expand(&[tokens, sites, experts]),
        };
        match self.softmax {
            true => (logits / self.temperature).softmax(2),
            false => logits,
        }
    }

    /// What a site uses of its scalings `[tokens, experts]`.
    fn used(&self, scalings: Tensor) -> Tensor {
        let mut used = scalings;
        if let Some(top_k) = self.top_k {
            let (_, which) = used.top_k(top_k.min(used.size(1)), 1);
            let mask = zeros(&used.shape()).scatter_add(1, which, ones(&which.shape()));
            used = used * mask;
        }
        if self.softmax_top_k {
            let there = used.differs(0.0);
            let shares = choose(there, used, full(&[1], f64::NEG_INFINITY)).softmax(1);
            used = choose(there, shares, 0.0);
        }
        used
    }
}

impl Policy for XLora {
    fn parameters(&self, site: Site) -> Result<Vec<Parameter>, String> {
        let outputs = site.experts * self.layerwise_sites.unwrap_or(1);
        let mut parameters = Vec::new();
        let mut from = site.input;
        for layer in 0..self.depth {
            let to = if layer + 1 == self.depth { outputs } else { self.width };
            let weight = Parameter::new(&format!("w{layer}"), &[from, to]).linear_init(from);
            parameters.push(weight.scope(Scope::Model));
            parameters.push(Parameter::new(&format!("bias{layer}"), &[to]).scope(Scope::Model));
            from = to;
        }
        Ok(parameters)
    }

    fn plan(&self, call: &Plan) -> Result<Named, String> {
        let layers = (0..self.depth)
            .map(|at| {
                Ok((call.parameters.get(&format!("w{at}"))?, call.parameters.get(&format!("bias{at}"))?))
            })
            .collect::<Result<Vec<_>, String>>()?;
        // No gradient enters the first pass.
        let scalings = self.scalings(call.hidden.detach(), &layers, call.sites, call.experts);
        Ok(Named::new().with("scalings", scalings))
    }

    fn gate(&self, call: &Gate) -> Result<Gated, String> {
        Ok(Gated::weights(self.used(call.context.plan.get("scalings")?) * self.global_weight))
    }

    fn play_case(case: &Case) -> Result<Played, String> {
        let sites: u32 = case.setting("sites")?;
        let layerwise: bool = case.setting("layerwise")?;
        let policy = Self {
            depth: case.setting("depth")?,
            width: 1,
            layerwise_sites: layerwise.then_some(sites),
            softmax: case.setting("softmax")?,
            temperature: case.setting("temperature")?,
            top_k: case.setting("top_k")?,
            softmax_top_k: case.setting("softmax_topk")?,
            global_weight: case.setting("global_weight")?,
        };
        let experts = case.experts()?;
        let hidden = case.tensor("hidden")?;
        let mut parameters = Named::new();
        for at in 0..policy.depth {
            for name in [format!("w{at}"), format!("bias{at}")] {
                let tensor = case.tensor(&name)?;
                parameters.push(name, tensor);
            }
        }
        let count = experts.len() as u32;
        let context = case.context(hidden.size(0));
        let plan = Plan { hidden, sites, experts: count, parameters, context };
        let scalings = policy.plan(&plan)?.get("scalings")?;
        let own = scalings.at(1, case.setting("site")?);
        let mut call = case.gate(experts, Named::new())?;
        call.context.plan = Named::new().with("scalings", own);
        let gated = policy.gate(&call)?;
        let output = gated.output_of(&call);
        let outputs =
            Named::new().with("output", output).with("scalings", scalings).with("used", policy.used(own));
        Ok(Played::new(outputs).loss(case.loss(output, None)?))
    }
}
