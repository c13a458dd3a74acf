//! `prepare/…`: examples out of a dataset, drawn and kept as the stages after it read them. Makes no tokens.

use cadre_data::{Example, Split, draw_source, write_examples};
use cadre_scheduler::{PrepareExamples, PrepareTask, PrepareWork, StageFacts, StageJob, data_split};
use cadre_store::Seed;
use serde_json::json;

use super::inputs::{EXAMPLES, TEST, TRAIN};
use crate::error::EngineError;

pub(super) fn prepare(work: &PrepareWork, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    match work {
        PrepareWork::Task(work) => task(work, job),
        PrepareWork::Examples(work) => examples(work, job),
    }
}

fn task(work: &PrepareTask, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    let mut counts = [0; 2];
    for (count, (split, file)) in counts.iter_mut().zip([(Split::Train, TRAIN), (Split::Test, TEST)]) {
        let drawn = draw_task(work, split)?;
        *count = drawn.len();
        job.draft.write(file, &write_examples(&drawn))?;
    }
    Ok(json!({ "task": work.task, "train": counts[0], "test": counts[1] }))
}

/// A split of a task, cut to its limit.
pub(crate) fn draw_task(work: &PrepareTask, split: Split) -> Result<Vec<Example>, EngineError> {
    let limit = match split {
        Split::Train => work.limits.train,
        Split::Test => work.limits.test,
    };
    let seed = Seed(work.seed).derive(&format!("{}/{}", work.task, split.name()));
    Ok(draw_source(&work.source.spec(), std::slice::from_ref(&work.task), split, limit, seed)?)
}

fn examples(work: &PrepareExamples, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    let all = draw_examples(work)?;
    job.draft.write(EXAMPLES, &write_examples(&all))?;
    Ok(json!({ "examples": all.len() }))
}

/// The examples of all sources, each cut to its limit.
pub(crate) fn draw_examples(work: &PrepareExamples) -> Result<Vec<Example>, EngineError> {
    let mut all = Vec::new();
    for (place, part) in work.sources.iter().enumerate() {
        let seed = Seed(work.seed).derive(&format!("source {place}"));
        let split = data_split(part.split);
        all.extend(draw_source(&part.source.spec(), &part.tasks, split, part.limit, seed)?);
    }
    Ok(all)
}
