//! Splits the plan of a sweep into queue jobs: the stages of each job, and the jobs that it depends on. Independent of
//! the queue system.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::stages::{BackboneWork, StageSpec, StageWork};
use crate::sweep::sweep_plan::SweepPlan;

/// A job: stages that one process executes in turn, along with the cheap stages that they need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BatchJob {
    /// Indices of the stages in the sweep's plan, in order.
    pub stages: Vec<usize>,
    /// Numbers of the jobs that must have succeeded before; each is smaller than its own.
    pub after: Vec<usize>,
    /// Number of its job array. The jobs of an array are consecutive and have the same kinds of stage; each predecessor
    /// is either common to all of them, or the n-th job of another array for the n-th of this one.
    pub array: usize,
}

/// Splits the stages to do into jobs. A chain of stages with no other dependents becomes one job; similar jobs are
/// consecutive. Cheap stages (preparation, selection, composition, reports) have no jobs: the job that needs one
/// executes it, and the store's locks ensure that this happens once.
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

/// For each stage, its nearest expensive ancestors that are to do, without those that another of them depends on.
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

/// Orders chains so that predecessors come first and similar chains are consecutive.
fn in_arrays(plan: &SweepPlan, chains: &[Vec<usize>], afters: &[BTreeSet<usize>]) -> Vec<BatchJob> {
    let mut depth = vec![0usize; chains.len()];
    // Predecessors of a chain precede it, so one pass is enough.
    for chain in 0..chains.len() {
        depth[chain] = afters[chain].iter().map(|earlier| depth[*earlier] + 1).max().unwrap_or(0);
    }
    let kinds = |chain: usize| chains[chain].iter().map(|place| plan.stages[*place].kind).collect::<Vec<_>>();
    let mut order: Vec<usize> = (0..chains.len()).collect();
    order.sort_by_key(|chain| (depth[*chain], kinds(*chain), *chain));
    let mut jobs = Numbered {
        jobs: Vec::with_capacity(chains.len()),
        number: vec![0; chains.len()],
        arrays: Vec::new(),
    };
    // All predecessors of chains of this depth already have numbers.
    for alike in order.chunk_by(|a, b| depth[*a] == depth[*b] && kinds(*a) == kinds(*b)) {
        jobs.add(alike, chains, afters);
    }
    jobs.jobs
}

/// The jobs built so far.
struct Numbered {
    jobs: Vec<BatchJob>,
    /// The number of each chain that has one.
    number: Vec<usize>,
    /// The first job and the length of each array.
    arrays: Vec<(usize, usize)>,
}

impl Numbered {
    /// Adds chains with the same kinds of stage, in as few arrays as possible.
    fn add(&mut self, alike: &[usize], chains: &[Vec<usize>], afters: &[BTreeSet<usize>]) {
        let after = |chain: usize| -> Vec<usize> {
            let mut after: Vec<usize> = afters[chain].iter().map(|earlier| self.number[*earlier]).collect();
            after.sort_unstable();
            after
        };
        let mut of_arrays: BTreeMap<Vec<usize>, Vec<(Vec<usize>, usize)>> = BTreeMap::new();
        for chain in alike {
            let after = after(*chain);
            let arrays = after.iter().map(|job| self.jobs[*job].array).collect();
            of_arrays.entry(arrays).or_default().push((after, *chain));
        }
        for mut group in of_arrays.into_values() {
            group.sort();
            if self.corresponds(&group) {
                self.push(&group, chains);
            } else {
                for same in group.chunk_by(|a, b| a.0 == b.0) {
                    self.push(same, chains);
                }
            }
        }
    }

    /// Whether each predecessor is common to all, or the jobs of an array in order.
    fn corresponds(&self, group: &[(Vec<usize>, usize)]) -> bool {
        let Some((first, _)) = group.first() else { return false };
        (0..first.len()).all(|position| {
            let at = |member: usize| group[member].0[position];
            let (begin, length) = self.arrays[self.jobs[at(0)].array];
            let same = (0..group.len()).all(|member| at(member) == at(0));
            same || (length == group.len() && (0..group.len()).all(|member| at(member) == begin + member))
        })
    }

    fn push(&mut self, group: &[(Vec<usize>, usize)], chains: &[Vec<usize>]) {
        let array = self.arrays.len();
        self.arrays.push((self.jobs.len(), group.len()));
        for (after, chain) in group {
            self.number[*chain] = self.jobs.len();
            self.jobs.push(BatchJob { stages: chains[*chain].clone(), after: after.clone(), array });
        }
    }
}

/// Whether a stage uses a model and is therefore expensive.
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
