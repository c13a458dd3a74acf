//! The selector `random`: picks by chance, without replacement, from the order's seed. When a
//! training set is composed and no budget is given, it takes all that is remembered.

use cadre_policy_sdk::selector::{Candidate, Description, Observation, Order, Selector, Step, pick_existing};
use cadre_policy_sdk::{Chance, export_selector, settings};
use serde::Deserialize;

/// This policy has no settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {}

/// Uniform choice without replacement.
pub struct Random;

impl Selector for Random {
    fn describe() -> Description {
        Description {
            name: "random".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "picks examples by chance, without replacement".into(),
            reference: "RandSel in SSR, arXiv 2403.01244".into(),
        }
    }

    fn open(text: &str) -> Result<Self, String> {
        let Settings {} = settings(text)?;
        Ok(Self)
    }

    fn select(&self, order: &Order, candidates: &[Candidate], _: &[Observation]) -> Result<Step, String> {
        let budget = order.budget.map_or(candidates.len(), |budget| budget as usize);
        let mut places: Vec<usize> = (0..candidates.len()).collect();
        if budget < places.len() {
            Chance::new(order.seed).shuffle(&mut places);
            places.truncate(budget);
            // Picks stand in the candidates' order, so that one more or less moves none of the others.
            places.sort_unstable();
        }
        Ok(pick_existing(order, places.into_iter().map(|place| candidates[place].id)))
    }
}

export_selector!(Random);

#[cfg(test)]
mod tests;
