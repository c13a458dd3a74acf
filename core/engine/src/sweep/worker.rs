//! One worker of a sweep: walks the sweep's plan, or some stages and their dependencies, against the store that all
//! workers share. Writes no report.

use std::collections::BTreeSet;
use std::sync::Arc;

use cadre_scheduler::{EventSink, Plan, SharedOutcome, StopFlag, SweepPlan, WalkOptions, walk_shared};
use cadre_store::{ArtifactStore, Digest};

use super::folder::SweepFolder;
use super::shared_executor::SharedExecutor;
use crate::error::EngineError;
use crate::resources::Resources;

/// The task of a worker.
pub(crate) struct Assignment<'a> {
    /// Indices of the wanted stages; `None` means all.
    pub(crate) only: Option<&'a [usize]>,
    /// Threads for stages whose recipe does not limit them; 0 means all.
    pub(crate) threads: usize,
    /// Whether to continue with other stages after a failure.
    pub(crate) keep_going: bool,
    /// Stop flag.
    pub(crate) stop: StopFlag,
}

/// Does the missing stages. Failed stages are part of the result, by index in the sweep's plan.
pub(crate) fn work(
    folder: &SweepFolder,
    plan: &SweepPlan,
    store: &Arc<ArtifactStore>,
    assignment: &Assignment<'_>,
    events: &dyn EventSink,
) -> Result<SharedOutcome, EngineError> {
    let makers = plan.makers();
    let executor = SharedExecutor {
        executor: Resources::new(Arc::clone(store)).with_threads(assignment.threads),
        folder: folder.clone(),
    };
    let options = WalkOptions { jobs: 1, stop: assignment.stop.clone(), keep_going: assignment.keep_going };
    let joint = plan.joint();
    let Some(wanted) = assignment.only else {
        return Ok(walk_shared(&joint, &makers, store, &executor, events, &options));
    };
    if let Some(index) = wanted.iter().find(|index| **index >= joint.stages.len()) {
        return Err(EngineError::NotFound {
            what: "a stage of the sweep's plan",
            name: index.to_string(),
            advice: format!("it has {} stages", joint.stages.len()),
        });
    }
    let (part, indices) = with_what_it_needs(&joint, wanted);
    let makers: Vec<Digest> = indices.iter().map(|index| makers[*index]).collect();
    let found = walk_shared(&part, &makers, store, &executor, events, &options);
    let back = |own: Vec<usize>| own.into_iter().map(|own| indices[own]).collect();
    Ok(SharedOutcome {
        there: back(found.there),
        failed: found.failed.into_iter().map(|(own, message)| (indices[own], message)).collect(),
        left: back(found.left),
    })
}

/// A plan of the wanted stages and their transitive dependencies, and the original index of each.
fn with_what_it_needs(plan: &Plan, wanted: &[usize]) -> (Plan, Vec<usize>) {
    let mut needed: BTreeSet<usize> = BTreeSet::new();
    let mut open: Vec<usize> = wanted.to_vec();
    while let Some(index) = open.pop() {
        if needed.insert(index) {
            open.extend(&plan.stages[index].inputs);
        }
    }
    let indices: Vec<usize> = needed.into_iter().collect();
    let own = |index: &usize| indices.binary_search(index).unwrap_or_default();
    let stages = indices.iter().map(|index| {
        let mut stage = plan.stages[*index].clone();
        stage.inputs.iter_mut().for_each(|input| *input = own(input));
        stage
    });
    (Plan { stages: stages.collect(), ..plan.clone() }, indices)
}
