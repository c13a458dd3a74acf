//! The rows an expert is trained on: those of its `compose` stage if that is done, otherwise a preview. The preview
//! does not run the selector: rehearsed rows are drawn at random, and the output must say so.

use cadre_data::Split;
use cadre_data::{Example, Target, TrainingRow, read_training_rows, sample};
use cadre_recipe::Role;
use cadre_scheduler::{ComposeWork, PSEUDO_NEGATIVES, Plan, PrepareWork, StageSpec, StageWork};
use cadre_store::{ArtifactStore, Lookup, Seed};

use crate::error::EngineError;
use crate::stage::{TRAINING, draw_examples, draw_outside, draw_task};

/// Why a row is in a training set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the expert's own task.
    Own,
    /// From an earlier task.
    Rehearsed,
    /// From no task of the stream.
    Outside,
}

impl Origin {
    pub(super) const ALL: [Self; 3] = [Self::Own, Self::Rehearsed, Self::Outside];

    /// Name in JSON output.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Rehearsed => "rehearsed",
            Self::Outside => "pseudo-negative",
        }
    }
}

/// A training set, or a preview of one.
pub(super) struct ExpertRows {
    /// Rows with their origins.
    pub(super) rows: Vec<(Origin, TrainingRow)>,
    /// Whether these are the actual rows of a finished `compose` stage.
    pub(super) composed: bool,
}

impl ExpertRows {
    /// The rows of a plan's `compose` stage.
    pub(super) fn of(
        stage: &StageSpec,
        work: &ComposeWork,
        plan: &Plan,
        store: Option<&ArtifactStore>,
    ) -> Result<Self, EngineError> {
        if let Some(store) = store
            && let Lookup::Whole(artifact) = store.get(&stage.key)?
        {
            let count = |fact: &str| artifact.manifest().facts[fact].as_u64().unwrap_or(0) as usize;
            let (own, rehearsed) = (count("own"), count("rehearsed"));
            let origin = |index: usize| match index {
                index if index < own => Origin::Own,
                index if index < own + rehearsed => Origin::Rehearsed,
                _ => Origin::Outside,
            };
            let rows = read_training_rows(&artifact.path(TRAINING))?;
            let rows = rows.into_iter().enumerate().map(|(index, row)| (origin(index), row)).collect();
            return Ok(Self { rows, composed: true });
        }
        Ok(Self { rows: drawn(stage, work, plan)?, composed: false })
    }

    /// A sample of rows of one origin, drawn with a fixed seed for variety, and their total number.
    pub(super) fn some(&self, origin: Origin, count: usize) -> (Vec<&TrainingRow>, usize) {
        let rows: Vec<&TrainingRow> =
            self.rows.iter().filter(|(of, _)| *of == origin).map(|(_, row)| row).collect();
        let all = rows.len();
        let stride = (all / count.max(1)).max(1);
        (rows.into_iter().step_by(stride).take(count).collect(), all)
    }
}

/// A preview of a training set.
fn drawn(
    stage: &StageSpec,
    work: &ComposeWork,
    plan: &Plan,
) -> Result<Vec<(Origin, TrainingRow)>, EngineError> {
    let own = if work.marked { Target::Accept } else { Target::Plain };
    let negative = Target::Reject { keep_response: work.negatives_keep_response.unwrap_or(false) };
    let mut rows = Vec::new();
    let mut add = |origin: Origin, target: Target, examples: Vec<Example>| {
        rows.extend(
            examples.into_iter().map(|example| (origin, TrainingRow { example, target, weight: 1.0 })),
        );
    };
    for task in &work.tasks {
        add(Origin::Own, own, task_rows(plan, task, Split::Train)?);
    }
    if let Some(rehearse) = &work.rehearse {
        let target = match rehearse.role {
            Role::Positive => own,
            Role::Negative => negative,
        };
        let mut earlier = Vec::new();
        for task in &rehearse.earlier {
            earlier.extend(task_rows(plan, task, Split::Train)?);
        }
        add(Origin::Rehearsed, target, sample(earlier, None, Seed(0)));
    }
    if let Some(outside) = &work.pseudo_negatives {
        let prepared = plan.stage(PSEUDO_NEGATIVES).map(|stage| &stage.work);
        if let Some(StageWork::Prepare(PrepareWork::Examples(prepared))) = prepared {
            add(Origin::Outside, negative, draw_outside(draw_examples(prepared)?, outside, stage.seed()));
        }
    }
    Ok(rows)
}

/// The examples of a task of the plan, as in its `prepare` stage.
pub(super) fn task_rows(plan: &Plan, task: &str, split: Split) -> Result<Vec<Example>, EngineError> {
    let prepared = plan.stages.iter().find_map(|stage| match &stage.work {
        StageWork::Prepare(PrepareWork::Task(work)) if work.task == task => Some(work),
        _ => None,
    });
    match prepared {
        Some(work) => draw_task(work, split),
        None => Err(EngineError::NotFound {
            what: "task",
            name: task.to_owned(),
            advice: format!("the stream has {}", plan.tasks.join(", ")),
        }),
    }
}
