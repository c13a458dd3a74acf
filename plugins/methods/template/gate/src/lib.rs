//! A gate: how the experts of a site share each token. Its hook is called once with symbolic tensors; every operation
//! becomes part of a program that Cadre runs for each batch, with gradients where they are needed. Shapes are known here,
//! values are not.

use cadre_method_sdk::serde::Deserialize;
use cadre_method_sdk::{Gate, Gated, Parameter, Policy, Site, export_methods};

/// The settings, as `policies.toml` declares them. Cadre has checked them and filled in defaults.
#[derive(Clone, Debug, Deserialize)]
#[serde(crate = "cadre_method_sdk::serde", rename_all = "kebab-case")]
pub struct MyGate {
    temperature: f64,
}

impl Policy for MyGate {
    /// What is trained at a site, here one matrix.
    fn parameters(&self, site: Site) -> Result<Vec<Parameter>, String> {
        Ok(vec![Parameter::new("router", &[site.input, site.experts]).linear_init(site.input)])
    }

    /// Weights `[tokens, experts]`: the site's output becomes `base_out + Σ weight_e · expert_e(x)`.
    fn gate(&self, call: &Gate) -> Result<Gated, String> {
        let scores = call.x.matmul(call.parameters.get("router")?);
        Ok(Gated::weights((scores / self.temperature).softmax(1)))
    }
}

export_methods! {
    "my-gate" => MyGate,
}
