//! `compose/…`: the training set of an expert. SEE's task reconstruction (arXiv 2504.06664): the task's own examples
//! are learned, examples of earlier tasks and of no task are rejected. With `role = "positive"`, it is the rehearsal of
//! replay baselines: examples of earlier tasks are learned again.

use cadre_contract::{Order, Pick, Purpose, Role, Source};
use cadre_data::{Example, RehearsalMemory, Remembered, Target, TrainingRow, sample, write_training_rows};
use cadre_scheduler::{
    ComposeWork, PSEUDO_NEGATIVES, PseudoNegativesWork, RehearseWork, StageFacts, StageInput, StageJob,
    StageKind,
};
use cadre_store::Seed;
use serde_json::json;

use super::encoding::Encoding;
use super::inputs::{EXAMPLES, TRAIN, all, examples, first_input, named, task_examples};
use super::remember::MEMORY;
use super::selecting::{LoadedSelector, StageFinder, candidates, contract_role};
use crate::ensemble::select_all;
use crate::error::EngineError;
use crate::resources::Resources;

/// The training set.
pub(crate) const TRAINING: &str = "training.jsonl";
/// The held-out examples of the tasks that are learned, where the recipe has a validation split.
pub(super) const VALIDATION: &str = "validation.jsonl";

pub(super) fn compose(
    work: &ComposeWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let (mut rows, mut held_out) = (Vec::new(), Vec::new());
    for task in &work.tasks {
        let mut own = task_examples(job, task, TRAIN)?;
        if let Some(count) = work.held_out {
            let rest = learned(task, own.len(), count)?;
            held_out.extend(own.drain(rest..).map(|example| row(example, Role::Positive, 1.0, work)));
        }
        rows.extend(own.into_iter().map(|example| row(example, Role::Positive, 1.0, work)));
    }
    let own = rows.len();
    let mut probes = (0, 0);
    if let Some(rehearse) = &work.rehearse {
        rows.extend(rehearsed(rehearse, work, executor, job, &mut probes)?);
    }
    let rehearsed = rows.len() - own;
    if let Some(outside) = &work.pseudo_negatives {
        let all = examples(named(job, PSEUDO_NEGATIVES)?, EXAMPLES)?;
        let drawn = draw_outside(all, outside, job.spec.seed());
        rows.extend(drawn.into_iter().map(|example| row(example, Role::Negative, 1.0, work)));
    }
    let outside = rows.len() - own - rehearsed;
    job.draft.write(TRAINING, &write_training_rows(&rows))?;
    if work.held_out.is_some() {
        job.draft.write(VALIDATION, &write_training_rows(&held_out))?;
    }
    Ok(json!({
        "own": own,
        "held-out": held_out.len(),
        "rehearsed": rehearsed,
        "pseudo-negatives": outside,
        "probes-asked": probes.0,
        "probes-computed": probes.1,
    }))
}

/// How many of a task's training rows remain to be learned when `count` are held out.
///
/// # Errors
/// None would remain.
pub(crate) fn learned(task: &str, rows: usize, count: u32) -> Result<usize, EngineError> {
    match rows.checked_sub(count as usize) {
        None | Some(0) => Err(EngineError::HeldOut { task: task.to_owned(), rows, count }),
        Some(rest) => Ok(rest),
    }
}

/// Draws the pseudo-negatives of a stage with this seed.
pub(crate) fn draw_outside(all: Vec<Example>, work: &PseudoNegativesWork, stage: Seed) -> Vec<Example> {
    sample(all, work.count, stage.derive("pseudo-negatives"))
}

/// An example as a training row.
fn row(example: Example, role: Role, weight: f32, work: &ComposeWork) -> TrainingRow {
    let target = match role {
        Role::Positive if work.marked => Target::Accept,
        Role::Positive => Target::Plain,
        Role::Negative => Target::Reject { keep_response: work.negatives_keep_response.unwrap_or(false) },
    };
    TrainingRow { example, target, weight }
}

/// The remembered examples that the selector mixes in.
fn rehearsed(
    work: &RehearseWork,
    compose: &ComposeWork,
    executor: &Resources,
    job: &StageJob<'_>,
    probes: &mut (u64, u64),
) -> Result<Vec<TrainingRow>, EngineError> {
    let (memory, tasks) = remembered(&all(job, StageKind::Remember), work)?;
    if memory.is_empty() {
        return Ok(Vec::new());
    }
    let model = executor.model(&work.model, first_input(job, StageKind::Backbone)?)?;
    let shape = model.learner.shape();
    let encoding = Encoding::new(
        &model.tokenizer,
        shape.vocabulary,
        shape.context,
        &work.prompt,
        None,
        work.max_response as usize,
    )?;
    let kept: Vec<Example> = memory.iter().map(|entry| entry.example.clone()).collect();
    let candidates = candidates(&kept, &tasks, &encoding)?;
    let order = Order {
        purpose: Purpose::Compose,
        role: contract_role(work.role),
        task: work.place,
        budget: None,
        seed: job.spec.seed().derive("selector").0,
    };
    let mut selector = LoadedSelector::open(&work.selector, executor)?;
    let mut finder = StageFinder::new(job, executor, &model, &encoding, &kept, work.grant_experts)?;
    let selected = select_all(&mut selector, &order, &candidates, &mut finder)?;
    *probes = (selected.asked, selected.computed);
    selected
        .picks
        .iter()
        .enumerate()
        .map(|(index, pick)| mixed_in(pick, index, &memory, &order, work, compose))
        .collect()
}

/// The replay buffer, oldest task first, with the index of each example's task.
fn remembered(
    inputs: &[&StageInput],
    work: &RehearseWork,
) -> Result<(Vec<Remembered>, Vec<u32>), EngineError> {
    let (mut memory, mut tasks) = (Vec::new(), Vec::new());
    for (index, task) in work.earlier.iter().enumerate() {
        for input in inputs.iter().filter(|input| input.task.as_ref() == Some(task)) {
            let entries = RehearsalMemory::read(&input.artifact.path(MEMORY))?;
            tasks.extend(std::iter::repeat_n(index as u32, entries.len()));
            memory.extend(entries.entries().iter().cloned());
        }
    }
    Ok((memory, tasks))
}

fn mixed_in(
    pick: &Pick,
    index: usize,
    memory: &[Remembered],
    order: &Order,
    work: &RehearseWork,
    compose: &ComposeWork,
) -> Result<TrainingRow, EngineError> {
    let (example, weight) = match &pick.source {
        Source::Existing(id) => {
            let missing = || EngineError::FindingsMissing { asked: memory.len() };
            let entry = memory.get(*id as usize).ok_or_else(missing)?;
            (entry.example.clone(), entry.weight)
        }
        Source::Synthetic(made) => {
            let mut tasks = work.earlier.iter().chain(&compose.tasks);
            let task = tasks.nth(made.task as usize).ok_or_else(|| EngineError::SyntheticTask {
                selector: work.selector.plugin.clone(),
                at: work.place,
                task: made.task,
            })?;
            let example = Example {
                id: format!("{task}/synthetic/{index}"),
                task: task.clone(),
                turns: Vec::new(),
                instruction: made.instruction.clone(),
                input: made.input.clone(),
                output: made.response.clone(),
                references: vec![made.response.clone()],
            };
            (example, 1.0)
        }
    };
    // The recipe overrides the selector's role.
    Ok(row(example, order.role, weight * pick.weight, compose))
}
