//! The selector `my-selector`: remembers the examples that lie farthest from the middle of their task.
//! It never makes examples up.

use cadre_policy_sdk::selector::{
    Candidate, Description, Finding, Observation, Order, Probe, Purpose, Selector, Step, pick_existing,
};
use cadre_policy_sdk::{export_selector, settings};
use serde::Deserialize;

/// What a recipe may say in `selector = { plugin = "my-selector", … }`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Take those nearest to the middle instead.
    nearest: bool,
}

/// Holds the settings; a selector keeps nothing else.
pub struct MySelector {
    settings: Settings,
}

impl Selector for MySelector {
    fn describe() -> Description {
        Description {
            name: "my-selector".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "remembers the most unusual examples".into(),
            reference: String::new(),
        }
    }

    fn open(text: &str) -> Result<Self, String> {
        Ok(Self { settings: settings(text)? })
    }

    fn select(
        &self,
        order: &Order,
        candidates: &[Candidate],
        observations: &[Observation],
    ) -> Result<Step, String> {
        let budget = order.budget.map_or(candidates.len(), |budget| budget as usize);
        // What was remembered is rehearsed whole; so is whatever fits.
        if order.purpose == Purpose::Compose || budget >= candidates.len() {
            let ids = candidates.iter().map(|one| one.id);
            return Ok(pick_existing(order, ids.take(budget)));
        }
        // The first time nothing is known: ask. The next time the answers stand in the observations.
        if observations.is_empty() {
            let embeddings = candidates.iter().map(|one| Probe::Embedding(one.id));
            return Ok(Step::Ask(embeddings.collect()));
        }
        let points: Vec<(u64, &[f32])> = observations
            .iter()
            .filter_map(|seen| match (&seen.probe, &seen.finding) {
                (Probe::Embedding(id), Finding::Embedding(values)) => Some((*id, values.as_slice())),
                _ => None,
            })
            .collect();
        let mut middle = vec![0.0_f32; points.first().map_or(0, |point| point.1.len())];
        for (_, values) in &points {
            for (sum, value) in middle.iter_mut().zip(*values) {
                *sum += value / points.len() as f32;
            }
        }
        let mut distances: Vec<(u64, f32)> = points
            .iter()
            .map(|(id, values)| {
                let squares = values.iter().zip(&middle).map(|(a, b)| (a - b) * (a - b));
                (*id, squares.sum())
            })
            .collect();
        distances.sort_by(|a, b| match self.settings.nearest {
            true => a.1.total_cmp(&b.1),
            false => b.1.total_cmp(&a.1),
        });
        Ok(pick_existing(order, distances.into_iter().map(|one| one.0).take(budget)))
    }
}

export_selector!(MySelector);

#[cfg(test)]
mod tests;
