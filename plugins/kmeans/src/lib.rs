//! The selector `kmeans`: examples that stand for the whole of a task. The embeddings of the input
//! fields are clustered; every cluster gives its share of the budget, nearest to its centroid first.

mod clustering;

use cadre_policy_sdk::selector::{
    Candidate, Description, Finding, Observation, Order, Probe, Selector, Step, pick_existing,
};
use cadre_policy_sdk::{export_selector, settings};
use serde::Deserialize;

use clustering::{Clusters, Search};

/// How a cluster's share is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Quota {
    /// Every share for itself, halves to even: the sum may miss the budget a little, as in SSR.
    Rounded,
    /// By largest remainder: the sum is the budget.
    Exact,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// How many clusters (fewer where there are fewer examples).
    clusters: u32,
    /// How often the search starts anew; the tightest clustering counts.
    n_init: u32,
    /// At most so many improvements a start.
    max_iterations: u32,
    quota: Quota,
}

impl Default for Settings {
    /// SSR's: 20 clusters, scikit-learn's `n_init="auto"` (one start of k-means++), 300 iterations.
    fn default() -> Self {
        Self { clusters: 20, n_init: 1, max_iterations: 300, quota: Quota::Rounded }
    }
}

/// Proportional choice by clusters.
pub struct KMeans {
    settings: Settings,
}

impl Selector for KMeans {
    fn describe() -> Description {
        Description {
            name: "kmeans".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "picks examples near the centroids of clusters of a task's inputs".into(),
            reference: "KMeansSel in SSR, arXiv 2403.01244".into(),
        }
    }

    fn open(text: &str) -> Result<Self, String> {
        let settings: Settings = settings(text)?;
        for (key, value) in [
            ("clusters", settings.clusters),
            ("n-init", settings.n_init),
            ("max-iterations", settings.max_iterations),
        ] {
            if value == 0 {
                return Err(format!("`{key}` is 0, expected at least 1"));
            }
        }
        Ok(Self { settings })
    }

    fn select(
        &self,
        order: &Order,
        candidates: &[Candidate],
        observations: &[Observation],
    ) -> Result<Step, String> {
        let budget = order.budget.map_or(candidates.len(), |budget| budget as usize);
        if budget >= candidates.len() {
            return Ok(pick_existing(order, candidates.iter().map(|one| one.id)));
        }
        if budget == 0 {
            return Ok(pick_existing(order, []));
        }
        if observations.is_empty() {
            let probes = candidates.iter().map(|one| Probe::Embedding(one.id));
            return Ok(Step::Ask(probes.collect()));
        }
        let embeddings = embeddings(candidates, observations)?;
        // What is composed may come from several tasks; each is clustered for itself.
        let mut tasks: Vec<u32> = candidates.iter().map(|one| one.task).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let groups: Vec<Vec<usize>> = tasks
            .iter()
            .map(|task| {
                let own = |place: &usize| candidates[*place].task == *task;
                (0..candidates.len()).filter(own).collect()
            })
            .collect();
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let budgets = self.shares(&sizes, budget);
        let mut picked = Vec::with_capacity(budget);
        for ((task, group), budget) in tasks.iter().zip(&groups).zip(budgets) {
            let seed = order.seed ^ u64::from(*task).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let points: Vec<&[f32]> = group.iter().map(|place| embeddings[*place]).collect();
            picked.extend(self.nearest(&points, budget, seed).map(|place| group[place]));
        }
        picked.sort_unstable();
        Ok(pick_existing(order, picked.into_iter().map(|place| candidates[place].id)))
    }
}

impl KMeans {
    /// Places of those that stand for all, in no order.
    fn nearest(&self, points: &[&[f32]], budget: usize, seed: u64) -> impl Iterator<Item = usize> + use<> {
        let search = Search {
            clusters: self.settings.clusters as usize,
            starts: self.settings.n_init,
            iterations: self.settings.max_iterations,
            seed,
        };
        let Clusters { members } = search.run(points);
        let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
        let shares = self.shares(&sizes, budget);
        members.into_iter().zip(shares).flat_map(|(members, share)| members.into_iter().take(share))
    }

    /// The budget shared in proportion to the sizes, nobody's share above its size.
    fn shares(&self, sizes: &[usize], budget: usize) -> Vec<usize> {
        let total: usize = sizes.iter().sum();
        if total == 0 {
            return vec![0; sizes.len()];
        }
        let ideal = |size: &usize| *size as f64 * budget as f64 / total as f64;
        match self.settings.quota {
            Quota::Rounded => {
                sizes.iter().map(|size| (ideal(size).round_ties_even() as usize).min(*size)).collect()
            }
            Quota::Exact => {
                let mut shares: Vec<usize> = sizes.iter().map(|size| ideal(size) as usize).collect();
                let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
                by_remainder.sort_by(|a, b| {
                    let remainder = |place: usize| ideal(&sizes[place]).fract();
                    remainder(*b).total_cmp(&remainder(*a))
                });
                let missing = budget.min(total) - shares.iter().sum::<usize>();
                for place in by_remainder.into_iter().take(missing) {
                    shares[place] += 1;
                }
                shares
            }
        }
    }
}

/// The embedding of every candidate, in the candidates' order.
fn embeddings<'a>(
    candidates: &[Candidate],
    observations: &'a [Observation],
) -> Result<Vec<&'a [f32]>, String> {
    let mut known = std::collections::HashMap::with_capacity(observations.len());
    for seen in observations {
        if let (Probe::Embedding(id), Finding::Embedding(values)) = (&seen.probe, &seen.finding) {
            if values.iter().any(|value| !value.is_finite()) {
                return Err(format!("the embedding of candidate {id} is not finite"));
            }
            known.insert(*id, values.as_slice());
        }
    }
    let found: Option<Vec<&[f32]>> =
        candidates.iter().map(|candidate| known.get(&candidate.id).copied()).collect();
    let found = found.ok_or("not all embeddings that were asked for were found")?;
    match found.iter().find(|values| values.len() != found[0].len()) {
        Some(_) => Err("the embeddings differ in length".into()),
        None => Ok(found),
    }
}

export_selector!(KMeans);

#[cfg(test)]
mod tests;
