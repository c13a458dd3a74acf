//! `prepare/…`: examples out of a dataset, drawn and kept as the stages after it read them. Makes no tokens.

use cadre_data::{Split, format, load_source, sample, write_examples};
use cadre_scheduler::{PrepareExamples, PrepareTask, PrepareWork, StageFacts, StageJob};
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
    let spec = work.source.spec();
    let load = format(&spec.format)?.load;
    let mut counts = [0; 2];
    let splits = [(Split::Train, TRAIN, work.limits.train), (Split::Test, TEST, work.limits.test)];
    for (count, (split, file, limit)) in counts.iter_mut().zip(splits) {
        let seed = Seed(work.seed).derive(&format!("{}/{}", work.task, split.name()));
        let drawn = sample(load(&spec, &work.task, split)?, limit, seed);
        *count = drawn.len();
        job.draft.write(file, &write_examples(&drawn))?;
    }
    Ok(json!({ "task": work.task, "train": counts[0], "test": counts[1] }))
}

fn examples(work: &PrepareExamples, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    let mut all = Vec::new();
    for (place, part) in work.sources.iter().enumerate() {
        let split = match part.split {
            cadre_recipe::Split::Train => Split::Train,
            cadre_recipe::Split::Test => Split::Test,
        };
        let loaded = load_source(&part.source.spec(), &part.tasks, split)?;
        let seed = Seed(work.seed).derive(&format!("source {place}"));
        all.extend(sample(loaded, part.limit, seed));
    }
    job.draft.write(EXAMPLES, &write_examples(&all))?;
    Ok(json!({ "examples": all.len() }))
}
