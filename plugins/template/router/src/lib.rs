//! The router `my-router`: asks every expert at once whether the query is its own; the surest answers.
//! It never looks at the query's text.

use cadre_policy_sdk::router::{
    Description, Evidence, ExpertCard, Finding, Probe, Router, Step,
};
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
            return Err(format!(
                "`threshold` is {}, expected a number in 0..=1",
                settings.threshold
            ));
        }
        Ok(Self { settings, experts })
    }

    fn route(&self, evidence: &Evidence) -> Result<Step, String> {
        // The first time nothing is known: ask. The next time the answers stand in the evidence.
        if evidence.observations.is_empty() && !self.experts.is_empty() {
            let claims = self.experts.iter().map(|card| Probe::Claim(card.index));
            return Ok(Step::Ask(claims.collect()));
        }
        let surest = evidence
            .observations
            .iter()
            .filter_map(|seen| match (&seen.probe, &seen.finding) {
                (Probe::Claim(expert), Finding::Claim(claim)) => Some((*expert, claim.accept)),
                _ => None,
            })
            .max_by(|a, b| a.1.total_cmp(&b.1));
        match surest {
            Some((expert, claim)) if claim >= self.settings.threshold => Ok(Step::Choose(expert)),
            _ => Ok(Step::Backbone),
        }
    }
}

export_router!(MyRouter);

#[cfg(test)]
mod tests;
