//! The router `nearest`: retrieval. A query goes to the expert whose training prompts lie nearest to
//! it, by the cosine between the query's embedding and the experts' `prompt-centroid`.

use cadre_policy_sdk::router::{Description, Evidence, ExpertCard, Probe, Router, Step};
use cadre_policy_sdk::{export_router, settings};
use serde::Deserialize;

const DESCRIPTOR: &str = "prompt-centroid";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Settings {
    /// Below this cosine the backbone answers; absent, an expert always does.
    min_similarity: Option<f32>,
}

/// Retrieval by the centroids of the experts' prompts.
pub struct Nearest {
    settings: Settings,
    /// Of length 1 (or 0), by expert.
    centroids: Vec<Vec<f32>>,
}

impl Router for Nearest {
    fn describe() -> Description {
        Description {
            name: "nearest".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "chooses the expert whose training prompts lie nearest to the query".into(),
            reference: String::new(),
        }
    }

    fn open(text: &str, experts: Vec<ExpertCard>) -> Result<Self, String> {
        let settings: Settings = settings(text)?;
        if let Some(least) = settings.min_similarity
            && !(-1.0..=1.0).contains(&least)
        {
            return Err(format!("`min-similarity` is {least}, expected a number in -1..=1"));
        }
        let mut centroids: Vec<Vec<f32>> = Vec::with_capacity(experts.len());
        for expert in experts {
            let found =
                expert.descriptors.into_iter().find(|descriptor| descriptor.name == DESCRIPTOR).ok_or_else(
                    || {
                        format!(
                            "expert {} (`{}`) has no descriptor `{DESCRIPTOR}`: \
                         set `descriptors = [\"{DESCRIPTOR}\"]` in [routing]",
                            expert.index, expert.task
                        )
                    },
                )?;
            let centroid = of_length_one(found.values);
            if let Some(first) = centroids.first()
                && first.len() != centroid.len()
            {
                return Err(format!(
                    "the `{DESCRIPTOR}` of expert {} has {} numbers, that of expert 0 has {}",
                    expert.index,
                    centroid.len(),
                    first.len()
                ));
            }
            centroids.push(centroid);
        }
        Ok(Self { settings, centroids })
    }

    fn route(&self, evidence: &Evidence) -> Result<Step, String> {
        let Some(first) = self.centroids.first() else {
            return Ok(Step::Backbone);
        };
        let Some(embedding) = evidence.embedding() else {
            return Ok(Step::Ask(vec![Probe::Embedding]));
        };
        if embedding.len() != first.len() {
            return Err(format!(
                "the query's embedding has {} numbers, the experts' `{DESCRIPTOR}` has {}",
                embedding.len(),
                first.len()
            ));
        }
        let norm = dot(embedding, embedding).sqrt();
        if !norm.is_finite() {
            return Err(format!("the embedding of query {} is not finite", evidence.id()));
        }
        let similarity = |centroid: &[f32]| match norm {
            0.0 => 0.0,
            norm => dot(embedding, centroid) / norm,
        };
        // Of equals the newest: it has seen the most.
        let (expert, best) =
            self.centroids.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (expert, centroid)| {
                match similarity(centroid) {
                    near if near >= best.1 => (expert, near),
                    _ => best,
                }
            });
        match self.settings.min_similarity {
            Some(least) if best < least => Ok(Step::Backbone),
            _ => Ok(Step::Choose(expert as u32)),
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn of_length_one(mut values: Vec<f32>) -> Vec<f32> {
    let norm = dot(&values, &values).sqrt();
    if norm > 0.0 {
        values.iter_mut().for_each(|value| *value /= norm);
    }
    values
}

export_router!(Nearest);

#[cfg(test)]
mod tests;
