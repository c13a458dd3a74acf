//! `remember/…`: the examples kept of a learned task, as chosen by a selector.

use cadre_contract::{Order, Pick, Purpose, Source};
use cadre_data::{Example, Origin, RehearsalMemory, Remembered};
use cadre_scheduler::{Budget, RememberWork, StageFacts, StageJob, StageKind};
use serde_json::json;

use super::encoding::Encoding;
use super::inputs::{TRAIN, first_input, task_examples};
use super::selecting::{LoadedSelector, StageFinder, candidates, contract_role};
use crate::ensemble::select_all;
use crate::error::EngineError;
use crate::resources::Resources;

/// The kept examples.
pub(super) const MEMORY: &str = "memory.jsonl";

pub(super) fn remember(
    work: &RememberWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let examples = task_examples(job, &work.task, TRAIN)?;
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
    let order = Order {
        purpose: Purpose::Remember,
        role: contract_role(work.role),
        task: work.place,
        budget: Some(budget(work.budget, examples.len())),
        seed: job.spec.seed().derive("selector").0,
    };
    let candidates = candidates(&examples, &vec![work.place; examples.len()], &encoding)?;
    let mut selector = LoadedSelector::open(&work.selector, executor)?;
    let mut finder = StageFinder::new(job, executor, &model, &encoding, &examples, work.grant_experts)?;
    let selected = select_all(&mut selector, &order, &candidates, &mut finder)?;
    let mut memory = RehearsalMemory::default();
    for (index, pick) in selected.picks.iter().enumerate() {
        memory.keep(kept(pick, index, &examples, work, &order)?);
    }
    job.draft.write(MEMORY, &memory.write())?;
    Ok(json!({
        "task": work.task,
        "kept": memory.len(),
        "of": examples.len(),
        "probes-asked": selected.asked,
        "probes-computed": selected.computed,
    }))
}

/// Number of examples to keep. A share refers to the task's own training set; the minimum is one example.
fn budget(budget: Budget, examples: usize) -> u32 {
    let wanted = match budget {
        Budget::Share(share) => (share * examples as f64).round().max(1.0) as usize,
        Budget::Count(count) => count as usize,
    };
    u32::try_from(wanted.min(examples)).unwrap_or(u32::MAX)
}

fn kept(
    pick: &Pick,
    index: usize,
    examples: &[Example],
    work: &RememberWork,
    order: &Order,
) -> Result<Remembered, EngineError> {
    let (example, origin) = match &pick.source {
        Source::Existing(id) => {
            let missing = || EngineError::FindingsMissing { asked: examples.len() };
            (examples.get(*id as usize).cloned().ok_or_else(missing)?, Origin::Existing)
        }
        Source::Synthetic(made) if made.task == work.place => {
            let example = Example {
                id: format!("{}/synthetic/{index}", work.task),
                task: work.task.clone(),
                turns: Vec::new(),
                instruction: made.instruction.clone(),
                input: made.input.clone(),
                output: made.response.clone(),
                references: vec![made.response.clone()],
            };
            (example, Origin::Synthetic)
        }
        Source::Synthetic(made) => {
            return Err(EngineError::SyntheticTask {
                selector: work.selector.plugin.clone(),
                at: work.place,
                task: made.task,
            });
        }
    };
    // The recipe overrides the selector's role.
    Ok(Remembered { example, role: order.role, origin, weight: pick.weight })
}

#[cfg(test)]
mod tests {
    use cadre_scheduler::Budget;

    use super::budget;

    #[test]
    fn a_share_is_rounded_and_never_zero() {
        assert_eq!(budget(Budget::Share(0.1), 2000), 200);
        assert_eq!(budget(Budget::Share(0.01), 60), 1);
        assert_eq!(budget(Budget::Share(0.01), 10), 1);
        assert_eq!(budget(Budget::Share(1.0), 7), 7);
        assert_eq!(budget(Budget::Count(20), 7), 7);
        assert_eq!(budget(Budget::Share(0.5), 0), 0);
    }
}
