//! The plan of a sweep: the merged plans of all points, in which equal stages occur once.

use std::collections::HashMap;

use cadre_store::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::planning::plan::{PLAN_FORMAT, Plan};
use crate::stages::StageSpec;

/// Version of `sweep-plan.json`.
pub const SWEEP_PLAN_FORMAT: u32 = 1;

/// The plan of a sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SweepPlan {
    /// Version of this layout; 1.
    pub format_version: u32,
    /// Name of the sweep: its recipe, or its first recipe and the number of others.
    pub name: String,
    /// Key of the sweep: a digest of the names and run keys of its points.
    pub key: Digest,
    /// The setting that the others are compared with.
    pub baseline: Option<String>,
    /// The keys that are varied, over all recipes.
    pub keys: Vec<String>,
    /// The points, in the order of the sweep.
    pub points: Vec<PlannedPoint>,
    /// The distinct stages of all points, each after its inputs.
    pub stages: Vec<StageSpec>,
}

/// A point of a sweep and its stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedPoint {
    /// Its name.
    pub name: String,
    /// The name of its setting.
    pub setting: String,
    /// The name of its recipe.
    pub recipe: String,
    /// The varied values, by key.
    pub values: Map<String, Value>,
    /// Its seed.
    pub seed: u64,
    /// The name of its order, if there are several.
    pub order: Option<String>,
    /// Key of its run: the same as that of the recipe run alone.
    pub run_key: Digest,
    /// Its tasks, in order.
    pub tasks: Vec<String>,
    /// Indices of its stages, in the order of its own plan.
    pub stages: Vec<usize>,
    /// Its expanded recipe as TOML; empty until it is saved.
    pub toml: String,
}

/// A point before its stages are merged with those of other points.
pub(crate) struct Unjoined {
    pub(crate) point: PlannedPoint,
    pub(crate) plan: Plan,
}

impl SweepPlan {
    /// Merges the plans of points. Of equal stages the first is kept, with its pace.
    pub(crate) fn join(name: String, baseline: Option<String>, points: Vec<Unjoined>) -> Self {
        let mut stages: Vec<StageSpec> = Vec::new();
        let mut known: HashMap<Digest, usize> = HashMap::new();
        let mut keys: Vec<String> = Vec::new();
        let mut joined = Vec::with_capacity(points.len());
        for Unjoined { mut point, plan } in points {
            let mut places: Vec<usize> = Vec::with_capacity(plan.stages.len());
            for mut stage in plan.stages {
                let place = *known.entry(stage.key).or_insert_with(|| {
                    stage.inputs.iter_mut().for_each(|input| *input = places[*input]);
                    stages.push(stage);
                    stages.len() - 1
                });
                places.push(place);
            }
            point.stages = places;
            for key in point.values.keys() {
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
            joined.push(point);
        }
        let runs: Vec<Value> =
            joined.iter().map(|point| json!([point.name, point.run_key.to_string()])).collect();
        Self {
            format_version: SWEEP_PLAN_FORMAT,
            name,
            key: Digest::of_value("cadre sweep", &Value::from(runs)),
            baseline,
            keys,
            points: joined,
            stages,
        }
    }

    /// All stages as one plan, without a report of its own.
    #[must_use]
    pub fn joint(&self) -> Plan {
        Plan {
            format_version: PLAN_FORMAT,
            name: self.name.clone(),
            run_key: self.key,
            tasks: Vec::new(),
            stages: self.stages.clone(),
        }
    }

    /// The run that each stage is attributed to, whichever worker executes it: that of the first point with the stage.
    #[must_use]
    pub fn makers(&self) -> Vec<Digest> {
        let mut makers = vec![self.key; self.stages.len()];
        for point in self.points.iter().rev() {
            point.stages.iter().for_each(|place| makers[*place] = point.run_key);
        }
        makers
    }

    /// The plan of a point, as its recipe alone would have it.
    #[must_use]
    pub fn plan_of(&self, point: &PlannedPoint) -> Plan {
        let own: HashMap<usize, usize> =
            point.stages.iter().enumerate().map(|(own, joint)| (*joint, own)).collect();
        let stage = |place: &usize| {
            let mut stage = self.stages[*place].clone();
            stage.inputs.iter_mut().for_each(|input| *input = own.get(input).copied().unwrap_or_default());
            stage
        };
        Plan {
            format_version: PLAN_FORMAT,
            name: point.recipe.clone(),
            run_key: point.run_key,
            tasks: point.tasks.clone(),
            stages: point.stages.iter().map(stage).collect(),
        }
    }

    /// Stages over all points, each counted for every point that has it.
    #[must_use]
    pub fn without_sharing(&self) -> usize {
        self.points.iter().map(|point| point.stages.len()).sum()
    }

    /// How many stages are part of more than one point.
    #[must_use]
    pub fn shared(&self) -> usize {
        let mut counts = vec![0u32; self.stages.len()];
        self.points.iter().flat_map(|point| &point.stages).for_each(|place| counts[*place] += 1);
        counts.iter().filter(|count| **count > 1).count()
    }
}

#[cfg(test)]
pub(crate) mod tests;
