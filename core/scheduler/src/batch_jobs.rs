//! The plan of a sweep cut into jobs of a queue: which stages each job does and which jobs it comes after. Knows no
//! queue and submits nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::stages::{BackboneWork, StageSpec, StageWork};
use crate::sweep_plan::SweepPlan;

/// A job: stages to be done one after the other by one process, with whatever light stage they need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BatchJob {
    /// Places of the stages in the sweep's plan, in order.
    pub stages: Vec<usize>,
    /// Numbers of the jobs that must have gone well before; each is smaller than its own.
    pub after: Vec<usize>,
    /// Jobs with the same number are alike (the same predecessors, the same kinds of stage) and follow each other: an
    /// array.
    pub array: usize,
}

/// Cuts what is to do into jobs. Chains of stages that nothing else waits for become one job; jobs that are alike stand
/// together. Stages that take no time (data, what is remembered and composed, reports) are no jobs: who needs one does
/// it, and the store sees to it that it is done once.
#[must_use]
pub fn batch_jobs(plan: &SweepPlan, there: &[bool]) -> Vec<BatchJob> {
    let heavy = |place: usize| !there[place] && is_heavy(&plan.stages[place]);
    let before = nearest(&plan.stages, there);
    let mut followers: BTreeMap<usize, usize> = BTreeMap::new();
    for place in (0..plan.stages.len()).filter(|place| heavy(*place)) {
        before[place].iter().for_each(|earlier| *followers.entry(*earlier).or_default() += 1);
    }
    let mut chains: Vec<Vec<usize>> = Vec::new();
    let mut chain_of: BTreeMap<usize, usize> = BTreeMap::new();
    for place in (0..plan.stages.len()).filter(|place| heavy(*place)) {
        let only = match before[place].iter().collect::<Vec<_>>()[..] {
            [earlier] if followers.get(earlier) == Some(&1) => chain_of.get(earlier).copied(),
            _ => None,
        };
        let chain = only.unwrap_or_else(|| {
            chains.push(Vec::new());
            chains.len() - 1
        });
        chains[chain].push(place);
        chain_of.insert(place, chain);
    }
    let after = |chain: &[usize]| -> BTreeSet<usize> {
        chain
            .first()
            .into_iter()
            .flat_map(|first| &before[*first])
            .filter_map(|place| chain_of.get(place).copied())
            .collect()
    };
    let afters: Vec<BTreeSet<usize>> = chains.iter().map(|chain| after(chain)).collect();
    in_arrays(plan, &chains, &afters)
}

/// For each stage the nearest stages above it that are to do and take time; one that another of them needs is not near.
fn nearest(stages: &[StageSpec], there: &[bool]) -> Vec<BTreeSet<usize>> {
    let mut near: Vec<BTreeSet<usize>> = Vec::with_capacity(stages.len());
    let mut all: Vec<BTreeSet<usize>> = Vec::with_capacity(stages.len());
    for stage in stages {
        let mut found = BTreeSet::new();
        for input in stage.inputs.iter().filter(|input| !there[**input]) {
            if is_heavy(&stages[*input]) {
                found.insert(*input);
            } else {
                found.extend(near[*input].iter().copied());
            }
        }
        let behind: BTreeSet<usize> = found.iter().flat_map(|place| all[*place].iter().copied()).collect();
        found.retain(|place| !behind.contains(place));
        all.push(found.iter().copied().chain(behind).collect());
        near.push(found);
    }
    near
}

/// Orders chains so that predecessors come first and those that are alike stand together.
fn in_arrays(plan: &SweepPlan, chains: &[Vec<usize>], afters: &[BTreeSet<usize>]) -> Vec<BatchJob> {
    let mut depth = vec![0usize; chains.len()];
    // A chain's predecessors were begun before it, so one pass is enough.
    for chain in 0..chains.len() {
        depth[chain] = afters[chain].iter().map(|earlier| depth[*earlier] + 1).max().unwrap_or(0);
    }
    let kinds = |chain: usize| chains[chain].iter().map(|place| plan.stages[*place].kind).collect::<Vec<_>>();
    let alike =
        |chain: usize| (depth[chain], afters[chain].iter().copied().collect::<Vec<_>>(), kinds(chain));
    let mut order: Vec<usize> = (0..chains.len()).collect();
    order.sort_by_key(|chain| (alike(*chain), *chain));
    let mut number = vec![0; chains.len()];
    order.iter().enumerate().for_each(|(own, chain)| number[*chain] = own);
    let mut array = 0;
    let mut jobs: Vec<BatchJob> = Vec::with_capacity(chains.len());
    for (place, chain) in order.iter().enumerate() {
        if place > 0 && alike(order[place - 1]) != alike(*chain) {
            array += 1;
        }
        let mut after: Vec<usize> = afters[*chain].iter().map(|earlier| number[*earlier]).collect();
        after.sort_unstable();
        jobs.push(BatchJob { stages: chains[*chain].clone(), after, array });
    }
    jobs
}

/// Whether a stage takes a model, and so time.
fn is_heavy(stage: &StageSpec) -> bool {
    matches!(
        stage.work,
        StageWork::Backbone(BackboneWork::Pretrain(_))
            | StageWork::Train(_)
            | StageWork::Evaluate(_)
            | StageWork::OutOfDistribution(_)
    )
}

#[cfg(test)]
mod tests;
