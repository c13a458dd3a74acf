//! `prepare/…`: draws examples from a dataset and stores them in the form that later stages read. Does not tokenise.

use cadre_data::{Example, Split, draw_source, source_files, write_examples};
use cadre_scheduler::{
    ExamplesWork, PrepareExamples, PrepareTask, PrepareWork, StageFacts, StageJob, data_split, task_files,
};
use cadre_store::Seed;
use serde_json::json;

use super::inputs::{EXAMPLES, TEST, TRAIN};
use crate::error::EngineError;
use crate::planned_files::read_listed;
use crate::resources::Resources;

pub(super) fn prepare(
    work: &PrepareWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    match work {
        PrepareWork::Task(work) => task(work, executor, job),
        PrepareWork::Examples(work) => examples(work, executor, job),
    }
}

fn task(work: &PrepareTask, executor: &Resources, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    let list = || Ok(task_files(&work.source.spec(), &work.task)?);
    let drawn = read_listed(&work.source.files, &executor.digests, list, || {
        Ok([draw_task(work, Split::Train)?, draw_task(work, Split::Test)?])
    })?;
    let mut counts = [0; 2];
    for (count, (drawn, file)) in counts.iter_mut().zip(drawn.into_iter().zip([TRAIN, TEST])) {
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

fn examples(
    work: &PrepareExamples,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let mut all = Vec::new();
    for (index, part) in work.sources.iter().enumerate() {
        let list = || Ok(source_files(&part.source.spec(), &part.tasks, data_split(part.split))?);
        let read = || draw_part(work, index, part);
        all.extend(read_listed(&part.source.files, &executor.digests, list, read)?);
    }
    job.draft.write(EXAMPLES, &write_examples(&all))?;
    Ok(json!({ "examples": all.len() }))
}

/// The examples of all sources, each cut to its limit.
pub(crate) fn draw_examples(work: &PrepareExamples) -> Result<Vec<Example>, EngineError> {
    let mut all = Vec::new();
    for (index, part) in work.sources.iter().enumerate() {
        all.extend(draw_part(work, index, part)?);
    }
    Ok(all)
}

/// The examples of one source.
fn draw_part(work: &PrepareExamples, index: usize, part: &ExamplesWork) -> Result<Vec<Example>, EngineError> {
    let seed = Seed(work.seed).derive(&format!("source {index}"));
    Ok(draw_source(&part.source.spec(), &part.tasks, data_split(part.split), part.limit, seed)?)
}
