//! Shows a recipe's data: for each expert, samples of its own rows, of rows of earlier tasks and of rows of no task,
//! with indicator and loss mask as in training. Uses the run's tokenizer, whether or not the backbone exists yet.

use std::path::Path;

use cadre_data::{Example, Target, shown_tokens};
use cadre_scheduler::{ComposeWork, Plan, StageSpec, StageWork, TrainWork};
use cadre_store::ArtifactStore;
use serde_json::json;

use super::expert_rows::{ExpertRows, Origin, task_rows};
use super::token_view::{DIM, HEAD, LEGEND, tokens};
use super::{Part, ShowArgs, show_texts};
use crate::command::Done;
use crate::command::opened::Opened;
use crate::error::EngineError;
use crate::stage::{Encoding, backbone_sizes, planned_tokenizer};
use crate::terminal::{OutputMode, Terminal};

pub(super) fn show(args: &ShowArgs, opened: &Opened, store: &Path, terminal: &Terminal) -> Done {
    let plan = &opened.plan;
    if let Some(task) = args.task.as_ref().filter(|task| !plan.tasks.contains(task)) {
        return task_rows(plan, task, args.split.split()).map(drop);
    }
    let store = if store.join("FORMAT").exists() { Some(ArtifactStore::open(store)?) } else { None };
    let view = View { args, plan, store: store.as_ref(), terminal };
    match view.encoding()? {
        Some(encoding) => view.experts(&encoding),
        // Nothing is trained, so there is no training set: show the prompts only.
        None => view.texts(),
    }
}

struct View<'a> {
    args: &'a ShowArgs,
    plan: &'a Plan,
    store: Option<&'a ArtifactStore>,
    terminal: &'a Terminal,
}

/// A row to be displayed.
struct Shown<'a> {
    expert: &'a str,
    origin: &'a str,
    composed: bool,
    example: &'a Example,
    target: Target,
    weight: f32,
}

impl View<'_> {
    fn wanted(&self, task: &str) -> bool {
        self.args.task.as_ref().is_none_or(|only| only == task)
    }

    fn texts(&self) -> Done {
        for task in self.plan.tasks.iter().filter(|task| self.wanted(task)) {
            let examples = task_rows(self.plan, task, self.args.split.split())?;
            show_texts(task, examples, self.args.count, self.terminal)?;
        }
        Ok(())
    }

    fn experts(&self, encoding: &Encoding) -> Done {
        if self.terminal.mode() != OutputMode::Json {
            self.terminal.print(&format!("{DIM}{LEGEND}{DIM:#}\n\n"));
        }
        let composed = self.plan.stages.iter().filter_map(|stage| match &stage.work {
            StageWork::Compose(work) => Some((stage, work)),
            _ => None,
        });
        for (stage, work) in composed {
            if !work.tasks.iter().any(|task| self.wanted(task)) {
                continue;
            }
            match self.args.split {
                Part::Train => self.training_set(stage, work, encoding)?,
                Part::Test => self.tests(work, encoding)?,
            }
        }
        Ok(())
    }

    /// Shows samples of each kind of row in an expert's training set.
    fn training_set(&self, stage: &StageSpec, work: &ComposeWork, encoding: &Encoding) -> Done {
        let expert = stage.name.rsplit('/').next().unwrap_or(&stage.name);
        let mut rows = ExpertRows::of(stage, work, self.plan, self.store)?;
        rows.rows.retain(|(origin, row)| *origin != Origin::Own || self.wanted(&row.example.task));
        for origin in Origin::ALL {
            let (some, all) = rows.some(origin, self.args.count);
            if all == 0 {
                continue;
            }
            let chosen_later = origin == Origin::Rehearsed && !rows.composed;
            self.heading(&match (origin, &work.rehearse) {
                (Origin::Own, _) => format!("expert {expert}: {all} rows of its own"),
                (Origin::Rehearsed, Some(rehearse)) if chosen_later => format!(
                    "expert {expert}: rows of earlier tasks; `{}` will choose among {all}, these are drawn at random",
                    rehearse.selector.plugin
                ),
                (Origin::Rehearsed, _) => format!("expert {expert}: {all} rows of earlier tasks"),
                (Origin::Outside, _) => format!("expert {expert}: {all} rows of no task, as pseudo-negatives"),
            });
            for row in some {
                self.row(
                    &Shown {
                        expert,
                        origin: origin.name(),
                        composed: rows.composed,
                        example: &row.example,
                        target: row.target,
                        weight: row.weight,
                    },
                    encoding,
                )?;
            }
        }
        Ok(())
    }

    /// Shows test queries with their reference responses.
    fn tests(&self, work: &ComposeWork, encoding: &Encoding) -> Done {
        let target = if work.marked { Target::Accept } else { Target::Plain };
        for task in work.tasks.iter().filter(|task| self.wanted(task)) {
            let examples = task_rows(self.plan, task, self.args.split.split())?;
            self.heading(&format!("{task}: {} queries, with reference responses", examples.len()));
            for example in examples.iter().take(self.args.count) {
                let origin = Origin::Own.name();
                let shown = Shown { expert: task, origin, composed: false, example, target, weight: 1.0 };
                self.row(&shown, encoding)?;
            }
        }
        Ok(())
    }

    fn heading(&self, text: &str) {
        if self.terminal.mode() != OutputMode::Json {
            self.terminal.print(&format!("{HEAD}{text}{HEAD:#}\n\n"));
        }
    }

    fn row(&self, row: &Shown<'_>, encoding: &Encoding) -> Done {
        let encoded = encoding.encoder.encode(row.example, row.target)?;
        let shown = shown_tokens(&encoded, encoding.encoder.tokenizer());
        let target = match row.target {
            Target::Plain => "answer",
            Target::Accept => "accept",
            Target::Reject { .. } => "reject",
        };
        if self.terminal.mode() == OutputMode::Json {
            let line = json!({
                "expert": row.expert, "id": row.example.id, "task": row.example.task, "as": row.origin,
                "target": target, "weight": row.weight, "composed": row.composed,
                "ids": encoded.ids, "learned": encoded.mask,
                "text": shown.iter().map(|token| token.text.as_str()).collect::<Vec<_>>(),
            });
            self.terminal.print(&line.to_string());
            return Ok(());
        }
        let weight = if (row.weight - 1.0).abs() < f32::EPSILON {
            String::new()
        } else {
            format!(", weight {}", row.weight)
        };
        let cut = encoded.mask.last() == Some(&true)
            && !matches!(row.target, Target::Reject { keep_response: false })
            && !encoded.ids.last().is_some_and(|id| encoding.encoder.tokenizer().stops().contains(id));
        let cut = if cut { ", the response cut at max-response" } else { "" };
        let head = format!(
            "{}  {DIM}{target}: {} tokens, {} learned{cut}{weight}{DIM:#}",
            row.example.id,
            encoded.len(),
            encoded.loss_tokens()
        );
        self.terminal.print(&format!("{head}\n{}\n\n", tokens(&shown, row.target)));
        Ok(())
    }

    /// How rows become tokens in training; `None` if nothing is trained.
    fn encoding(&self) -> Result<Option<Encoding>, EngineError> {
        let trained: Option<&TrainWork> = self.plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Train(work) => Some(work),
            _ => None,
        });
        let backbone = self.plan.stages.iter().find_map(|stage| match &stage.work {
            StageWork::Backbone(work) => Some(work),
            _ => None,
        });
        let (Some(trained), Some(backbone)) = (trained, backbone) else { return Ok(None) };
        let announce = || self.terminal.note("training the tokenizer, as the run will");
        let Some(tokenizer) = planned_tokenizer(self.plan, self.store, &announce)? else { return Ok(None) };
        let sizes = backbone_sizes(backbone)?;
        let vocabulary = sizes.vocabulary.unwrap_or(tokenizer.vocabulary() as usize);
        let indicator = trained.indicator.as_ref();
        let response = trained.max_response as usize;
        Encoding::new(&tokenizer, vocabulary, sizes.context, &trained.prompt, indicator, response).map(Some)
    }
}
