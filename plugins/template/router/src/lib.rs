//! The router `my-router`: asks every expert at once whether the query is its own; the surest answers.
//! It never looks at the query's text.

use cadre_policy_sdk::router::{Description, Evidence, ExpertCard, Probe, Router, Step};
use cadre_policy_sdk::{export_router, settings};
use serde::Deserialize;

/// What a recipe may say in `router = { plugin = "my-router", … }`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Least claim at which an expert takes a query, in 0..=1.
    threshold: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threshold: 0.5 }
    }
}

/// Holds the settings and what is known of the experts; a router keeps nothing else.
pub struct MyRouter {
    settings: Settings,
    experts: Vec<ExpertCard>,
}

impl Router for MyRouter {
    fn describe() -> Description {
        Description {
            name: "my-router".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "asks all experts at once and takes the surest".into(),
            reference: String::new(),
        }
    }

    fn open(text: &str, experts: Vec<ExpertCard>) -> Result<Self, String> {
        let settings: Settings = settings(text)?;
        if !(0.0..=1.0).contains(&settings.threshold) {
            return Err(format!("`threshold` is {}, expected a number in 0..=1", settings.threshold));
        }
        Ok(Self { settings, experts })
    }

    fn route(&self, evidence: &Evidence) -> Result<Step, String> {
        // The first time nothing is known: ask. The next time the answers stand in the evidence.
        if evidence.claims().len() == 0 && !self.experts.is_empty() {
            let claims = self.experts.iter().map(|card| Probe::Claim(card.index));
            return Ok(Step::Ask(claims.collect()));
        }
        let surest = evidence.claims().max_by(|a, b| a.accept.total_cmp(&b.accept));
        match surest {
            Some(claim) if claim.accept >= self.settings.threshold => Ok(Step::Choose(claim.expert)),
            _ => Ok(Step::Backbone),
        }
    }
}

export_router!(MyRouter);

#[cfg(test)]
mod tests;
