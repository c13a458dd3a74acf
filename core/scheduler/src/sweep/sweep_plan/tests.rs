//! Plans joined and taken apart again.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::{PlannedPoint, SweepPlan, Unjoined};
use crate::fixture::{Fixture, set};

/// A recipe of the laboratory at several thresholds and seeds, joined.
pub(crate) fn sweep(fixture: &Fixture, thresholds: &[f64], seeds: &[u64]) -> SweepPlan {
    joined(fixture, &fixture.recipe(), thresholds, seeds)
}

/// A recipe without a router at several seeds, joined.
pub(crate) fn sweep_of(fixture: &Fixture, recipe: &Value, seeds: &[u64]) -> SweepPlan {
    joined(fixture, recipe, &[0.0], seeds)
}

fn joined(fixture: &Fixture, base: &Value, thresholds: &[f64], seeds: &[u64]) -> SweepPlan {
    let mut points = Vec::new();
    for threshold in thresholds {
        for seed in seeds {
            let mut recipe = base.clone();
            if recipe.get("routing").is_some() {
                set(&mut recipe, "routing.router.threshold", json!(threshold));
            }
            set(&mut recipe, "seed", json!(seed));
            let plan = fixture.plan(&recipe);
            let values: Map<String, Value> =
                [("routing.router.threshold".to_owned(), json!(threshold))].into_iter().collect();
            let point = PlannedPoint {
                name: format!("see[threshold={threshold}]@seed={seed}"),
                setting: format!("see[threshold={threshold}]"),
                recipe: plan.name.clone(),
                values,
                seed: *seed,
                order: None,
                run_key: plan.run_key,
                tasks: plan.tasks.clone(),
                stages: Vec::new(),
                toml: String::new(),
            };
            points.push(Unjoined { point, plan });
        }
    }
    SweepPlan::join("see".to_owned(), None, points)
}

#[test]
fn equal_stages_are_one_and_inputs_stand_before_what_reads_them() {
    let fixture = Fixture::new();
    let plan = sweep(&fixture, &[0.1, 0.5, 0.9], &[0, 1]);
    let keys: HashSet<_> = plan.stages.iter().map(|stage| stage.key).collect();
    assert_eq!(keys.len(), plan.stages.len(), "each key once");
    for (place, stage) in plan.stages.iter().enumerate() {
        assert!(stage.inputs.iter().all(|input| *input < place), "{}", stage.name);
    }
    let count = |kind: &str| plan.stages.iter().filter(|stage| stage.kind.name() == kind).count();
    let tasks = plan.points[0].tasks.len();
    assert_eq!(count("backbone"), 1, "a backbone has a seed of its own");
    assert_eq!(count("train"), 2 * tasks, "a threshold trains nothing");
    assert_eq!(count("evaluate"), 6 * tasks);
    assert_eq!(plan.without_sharing(), plan.points.iter().map(|point| point.stages.len()).sum::<usize>());
    assert!(plan.shared() > 0 && plan.shared() < plan.stages.len());
    assert_eq!(plan.keys, ["routing.router.threshold"]);
}

#[test]
fn a_point_taken_out_is_the_plan_of_its_recipe() {
    let fixture = Fixture::new();
    let plan = sweep(&fixture, &[0.1, 0.9], &[0, 1]);
    let mut recipe = fixture.recipe();
    set(&mut recipe, "routing.router.threshold", json!(0.9));
    set(&mut recipe, "seed", json!(1));
    assert_eq!(plan.plan_of(&plan.points[3]), fixture.plan(&recipe));
}

#[test]
fn a_shared_stage_counts_as_made_by_the_first_point_that_has_it() {
    let fixture = Fixture::new();
    let plan = sweep(&fixture, &[0.1, 0.9], &[0]);
    let makers = plan.makers();
    let (first, second) = (&plan.points[0], &plan.points[1]);
    assert!(first.stages.iter().all(|place| makers[*place] == first.run_key));
    let own: Vec<usize> =
        second.stages.iter().copied().filter(|place| !first.stages.contains(place)).collect();
    assert!(!own.is_empty() && own.iter().all(|place| makers[*place] == second.run_key));
}

#[test]
fn the_key_is_of_the_points_and_an_old_plan_is_read() {
    let fixture = Fixture::new();
    let plan = sweep(&fixture, &[0.1, 0.9], &[0]);
    assert_eq!(plan.key, sweep(&fixture, &[0.1, 0.9], &[0]).key);
    assert_ne!(plan.key, sweep(&fixture, &[0.1, 0.8], &[0]).key);
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<SweepPlan>(&text).unwrap(), plan);
    assert!(text.starts_with("{\"format-version\":1,"));
}
