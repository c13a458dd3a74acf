//! Jobs do every stage that takes time once, after what it needs.

use std::collections::BTreeMap;

use super::{BatchJob, batch_jobs, is_heavy};
use crate::fixture::Fixture;
use crate::sweep::sweep_plan::SweepPlan;
use crate::sweep::sweep_plan::tests::{sweep, sweep_of};

/// All that a stage needs, directly or not.
fn needs(plan: &SweepPlan, place: usize) -> Vec<usize> {
    let mut found: Vec<usize> = plan.stages[place].inputs.clone();
    let mut next = 0;
    while next < found.len() {
        let more: Vec<usize> = plan.stages[found[next]].inputs.clone();
        more.into_iter().for_each(|input| {
            if !found.contains(&input) {
                found.push(input);
            }
        });
        next += 1;
    }
    found
}

fn before(jobs: &[BatchJob], job: usize) -> Vec<usize> {
    let mut all = jobs[job].after.clone();
    let mut next = 0;
    while next < all.len() {
        all.extend(jobs[all[next]].after.clone());
        next += 1;
    }
    all
}

fn sound(plan: &SweepPlan, there: &[bool]) -> Vec<BatchJob> {
    let jobs = batch_jobs(plan, there);
    let mut job_of: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (number, job) in jobs.iter().enumerate() {
        assert!(job.after.iter().all(|earlier| *earlier < number));
        for (order, place) in job.stages.iter().enumerate() {
            assert!(job_of.insert(*place, (number, order)).is_none(), "a stage is part of one job");
        }
    }
    for (place, stage) in plan.stages.iter().enumerate() {
        let wanted = is_heavy(stage) && !there[place];
        assert_eq!(job_of.contains_key(&place), wanted, "{}", stage.name);
        if !wanted {
            continue;
        }
        let (job, order) = job_of[&place];
        for input in needs(plan, place).into_iter().filter(|input| job_of.contains_key(input)) {
            let (other, earlier) = job_of[&input];
            let first = other == job && earlier < order;
            assert!(
                first || before(&jobs, job).contains(&other),
                "{} before {}",
                plan.stages[input].name,
                stage.name
            );
        }
    }
    jobs
}

#[test]
fn every_stage_that_takes_time_is_done_once_after_what_it_needs() {
    let fixture = Fixture::new();
    let plan = sweep(&fixture, &[0.1, 0.5, 0.9], &[0, 1]);
    let jobs = sound(&plan, &vec![false; plan.stages.len()]);
    // Experts of one seed wait for the backbone alone: an array over tasks and seeds.
    let trains = jobs.iter().filter(|job| plan.stages[job.stages[0]].kind.name() == "train");
    let arrays: Vec<usize> = trains.map(|job| job.array).collect();
    assert!(arrays.len() > 2 && arrays.windows(2).all(|pair| pair[0] == pair[1]), "{arrays:?}");
}

#[test]
fn chains_that_only_their_seed_sets_apart_are_arrays_all_along() {
    let fixture = Fixture::new();
    let recipe = fixture.sequential();
    let plan = sweep_of(&fixture, &recipe, &[0, 1, 2, 3]);
    let jobs = sound(&plan, &vec![false; plan.stages.len()]);
    let arrays: Vec<usize> = jobs.iter().map(|job| job.array).collect();
    let count = arrays.last().unwrap() + 1;
    assert!(count * 3 <= jobs.len(), "{count} arrays of {} jobs: {arrays:?}", jobs.len());
    // Each array but those of one job waits for the same, or job by job for another.
    for array in jobs.chunk_by(|a, b| a.array == b.array).filter(|array| array.len() > 1) {
        for position in 0..array[0].after.len() {
            let all: Vec<usize> = array.iter().map(|job| job.after[position]).collect();
            let same = all.iter().all(|job| *job == all[0]);
            assert!(same || all.windows(2).all(|pair| pair[1] == pair[0] + 1), "{all:?}");
            assert!(all.iter().all(|job| jobs[*job].array == jobs[all[0]].array));
        }
    }
}

#[test]
fn what_is_there_is_no_job() {
    let fixture = Fixture::new();
    let plan = sweep(&fixture, &[0.1, 0.9], &[0]);
    let there: Vec<bool> = plan.stages.iter().map(|stage| stage.kind.name() != "evaluate").collect();
    let jobs = sound(&plan, &there);
    assert!(jobs.iter().all(|job| job.after.is_empty() && job.stages.len() == 1));
    assert!(sound(&plan, &vec![true; plan.stages.len()]).is_empty());
}

#[test]
fn a_chain_that_nothing_else_waits_for_is_one_job() {
    let fixture = Fixture::new();
    let mut recipe = fixture.sequential();
    crate::fixture::set(&mut recipe, "evaluation.when", serde_json::json!("end"));
    let alone = fixture.plan(&recipe);
    let mut plan = sweep(&fixture, &[0.1], &[0]);
    plan.stages = alone.stages;
    plan.points.clear();
    let jobs = sound(&plan, &vec![false; plan.stages.len()]);
    let longest = jobs.iter().map(|job| job.stages.len()).max().unwrap();
    assert!(longest >= alone.tasks.len(), "one adapter through the stream is one chain: {jobs:?}");
}
