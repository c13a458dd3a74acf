//! The implementations of all stages: typed work in, files of an artifact out. They must read only their work and
//! inputs, and must not depend on recipes, other stages or the terminal.

mod answering;
mod backbone;
mod claim_scale;
mod compose;
mod describe;
mod encoding;
mod evaluate;
mod import;
mod inputs;
mod merge;
mod out_of_distribution;
mod prepare;
mod remember;
mod report;
mod report_evidence;
mod report_extras;
mod report_rows;
mod selecting;
mod train;
mod training;
mod watch;

use cadre_scheduler::{StageError, StageExecutor, StageJob, StageOutcome, StageWork};

use crate::error::EngineError;
use crate::resources::Resources;

pub(crate) use answering::{EnsembleWork, open_ensemble};
pub(crate) use backbone::{backbone_sizes, planned_tokenizer};
pub(crate) use compose::{TRAINING, draw_outside, learned};
pub(crate) use describe::descriptor_name;
pub(crate) use encoding::{Encoding, template};
pub(crate) use evaluate::PREDICTIONS;
pub(crate) use import::rows_for;
pub(crate) use inputs::task_of;
pub(crate) use prepare::{draw_examples, draw_task};
pub(crate) use report::{BURN, EXTRAS_JSON, REPORT_JSON};
pub(crate) use selecting::contract_role;

impl StageExecutor for Resources {
    fn execute(&self, job: &StageJob<'_>) -> Result<StageOutcome, StageError> {
        Ok(execute(self, job)?)
    }
}

/// Executes a stage. A requested stop is an outcome, not an error.
fn execute(resources: &Resources, job: &StageJob<'_>) -> Result<StageOutcome, EngineError> {
    let done = match &job.spec.work {
        StageWork::Prepare(work) => prepare::prepare(work, resources, job),
        StageWork::Backbone(work) => backbone::backbone(work, resources, job),
        StageWork::Remember(work) => remember::remember(work, resources, job),
        StageWork::Compose(work) => compose::compose(work, resources, job),
        StageWork::Train(work) => train::train(work, resources, job),
        StageWork::Import(work) => import::import(work, resources, job),
        StageWork::Describe(work) => describe::describe(work, resources, job),
        StageWork::Merge(work) => merge::merge(work, resources, job),
        StageWork::Evaluate(work) => evaluate::evaluate(work, resources, job),
        StageWork::OutOfDistribution(work) => out_of_distribution::out_of_distribution(work, resources, job),
        StageWork::Report(work) => report::report(work, job),
    };
    match done {
        Ok(facts) => Ok(StageOutcome::Done(facts)),
        Err(EngineError::Interrupted) => Ok(StageOutcome::Stopped),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
