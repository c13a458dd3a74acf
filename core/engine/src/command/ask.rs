//! `cadre ask ID QUERY`: sends one query through the ensemble of a run's last stage and shows the probes, the claims
//! and the answer.

use std::sync::Arc;

use cadre_contract::{RouterFinding, RouterObservation, RouterProbe};
use cadre_data::Example;
use cadre_scheduler::{CommonArgs, EvaluateWork, Plan, StageKind, StageSpec, StageWork};
use cadre_store::{Artifact, ArtifactStore};
use clap::Args;
use serde_json::json;

use super::Done;
use super::run_folder::{RunFolder, artifact};
use crate::ensemble::{Answered, ExpertLibrary, Kind, Responder, SeenClaim, Watch};
use crate::error::EngineError;
use crate::resources::Resources;
use crate::stage::{EnsembleWork, open_ensemble};
use crate::terminal::{OutputMode, Terminal};

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// The run: its recipe's name (`see@2` is the one before the most recent), its id, an id prefix, or its folder
    #[arg(value_name = "ID")]
    id: String,
    /// The query (an instruction)
    query: String,
    /// The input that the instruction refers to, if the run's tasks have inputs
    #[arg(long, default_value = "")]
    input: String,
}

/// Ignores progress: a single query has none worth showing.
struct Silent;

impl Watch for Silent {
    fn stop_wanted(&self) -> bool {
        false
    }
    fn progress(&self, _: Kind, _: u64, _: u64) {}
    fn waiting(&self, pid: u32) {
        tracing::warn!(pid, "waiting for another process");
    }
}

pub(super) fn ask(args: &AskArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let folder = RunFolder::find(&args.id, &common.runs, terminal)?;
    let plan = folder.plan()?;
    let store = Arc::new(ArtifactStore::open(&common.store)?);
    let (stage, work) = last_row(&plan, &args.id)?;
    let executor = Resources::new(Arc::clone(&store));
    let inputs = inputs(&plan, stage, &store)?;
    let of_kind = |kind: StageKind| inputs.iter().filter(move |(input, _)| input.kind == kind);
    // A merged model answers in the backbone's place.
    let mut models = of_kind(StageKind::Merge).chain(of_kind(StageKind::Backbone));
    let backbone = models.next().map(|(_, artifact)| artifact);
    let ensemble = open_ensemble(
        &EnsembleWork {
            model: &work.model,
            answering: &work.answering,
            prompt: &work.prompt,
            decoding: &work.decoding,
            backbone: backbone.ok_or_else(|| EngineError::InputMissing {
                stage: stage.name.clone(),
                what: "backbone".to_owned(),
            })?,
            experts: of_kind(StageKind::Train)
                .map(|(input, artifact)| (input.name.as_str(), artifact))
                .collect(),
            descriptors: of_kind(StageKind::Describe).map(|(_, artifact)| artifact).collect(),
        },
        &executor,
    )?;
    let example = Example {
        id: "ask".to_owned(),
        task: String::new(),
        turns: Vec::new(),
        instruction: args.query.clone(),
        input: args.input.clone(),
        output: String::new(),
        references: Vec::new(),
    };
    let queries = ensemble.encoding.queries(&[example], &|_| None)?;
    let answered = ensemble.answer(&queries, &Silent)?;
    let Some(answered) = answered.first() else {
        return Err(EngineError::FindingsMissing { asked: 1 });
    };
    match terminal.mode() {
        OutputMode::Json => terminal.print(&as_json(answered, &ensemble.library).to_string()),
        _ => terminal.print(&as_text(answered, &ensemble.library)),
    }
    Ok(())
}

/// The last row of R: the ensemble after the last task.
fn last_row<'a>(plan: &'a Plan, id: &str) -> Result<(&'a StageSpec, &'a EvaluateWork), EngineError> {
    let rows = plan.stages.iter().rev().filter_map(|stage| match &stage.work {
        StageWork::Evaluate(work) => Some((stage, work)),
        _ => None,
    });
    rows.take(1).next().ok_or_else(|| EngineError::NotFound {
        what: "an evaluation in run",
        name: id.to_owned(),
        advice: "its plan has no evaluation".to_owned(),
    })
}

fn inputs<'a>(
    plan: &'a Plan,
    stage: &StageSpec,
    store: &ArtifactStore,
) -> Result<Vec<(&'a StageSpec, Artifact)>, EngineError> {
    let wanted = [StageKind::Backbone, StageKind::Train, StageKind::Describe, StageKind::Merge];
    let inputs = stage.inputs.iter().filter_map(|index| plan.stages.get(*index));
    inputs
        .filter(|input| wanted.contains(&input.kind))
        .map(|input| Ok((input, artifact(store, input)?)))
        .collect()
}

fn name(library: &ExpertLibrary, expert: Option<u32>) -> String {
    match expert.and_then(|expert| library.get(expert)) {
        Some(expert) => expert.card.task.clone(),
        None => "backbone".to_owned(),
    }
}

fn as_text(answered: &Answered, library: &ExpertLibrary) -> String {
    let bold = anstyle::Style::new().bold();
    let mut text = String::new();
    let names = answered.trace.observations.iter().map(|seen| asked_of(seen, library));
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0).max(8);
    for seen in &answered.trace.observations {
        text.push_str(&format!("asked     {:width$}  {}\n", asked_of(seen, library), found(seen, library)));
    }
    let who = match &answered.trace.responder {
        Responder::Mix(_) => {
            let shares = answered.trace.responder.shares();
            let named =
                shares.iter().map(|(expert, share)| format!("{} {share:.2}", name(library, Some(*expert))));
            named.collect::<Vec<_>>().join(" + ")
        }
        alone => name(library, alone.chosen()),
    };
    text.push_str(&format!("answered  {bold}{who}{bold:#}\n\n{}\n", shown(&answered.text)));
    text
}

/// An answer for a person: an empty one is named.
fn shown(answer: &str) -> &str {
    match answer.trim() {
        "" => "(empty answer)",
        answer => answer,
    }
}

/// The responder of a probe, for display.
fn asked_of(seen: &RouterObservation, library: &ExpertLibrary) -> String {
    match &seen.probe {
        RouterProbe::Claim(expert) => name(library, Some(*expert)),
        RouterProbe::Surprise(expert) | RouterProbe::Answer(expert) => name(library, *expert),
        RouterProbe::Embedding => "backbone".to_owned(),
        RouterProbe::Task => "ground truth".to_owned(),
    }
}

fn found(seen: &RouterObservation, library: &ExpertLibrary) -> String {
    match &seen.finding {
        RouterFinding::Claim(claim) => {
            let share = SeenClaim { expert: 0, accept: claim.accept, reject: claim.reject }.share();
            format!(
                "claims {:5.1} %  (accepts {:.4}, rejects {:.4})",
                100.0 * share,
                claim.accept,
                claim.reject
            )
        }
        RouterFinding::Embedding(vector) => format!("embedding with {} components", vector.len()),
        RouterFinding::Surprise(loss) => format!("prompt loss {loss:.3} nats per token"),
        RouterFinding::Answer(answer) => {
            format!("answers {:?} ({:.3} nats per token)", answer.text.trim(), answer.mean_log_probability)
        }
        RouterFinding::Task(None) => "unknown: an ad-hoc query has no task".to_owned(),
        RouterFinding::Task(expert) => name(library, *expert),
    }
}

fn as_json(answered: &Answered, library: &ExpertLibrary) -> serde_json::Value {
    json!({
        "asked": answered.trace.observations,
        "experts": library.cards().iter().map(|card| card.task.clone()).collect::<Vec<_>>(),
        "rounds": answered.trace.rounds,
        "chosen": answered.trace.responder.chosen(),
        "mix": answered.trace.responder.shares(),
        "answer": answered.text,
    })
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn an_empty_answer_is_named() {
        assert_eq!([shown(" 3 7\n"), shown(" \n"), shown("")], ["3 7", "(empty answer)", "(empty answer)"]);
    }
}
