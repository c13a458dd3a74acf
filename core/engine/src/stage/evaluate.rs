//! `evaluate/…`: one row of R. Every test query of the row is routed, answered, and scored by its task's metrics.

use cadre_data::Example;
use cadre_eval::{METRICS, MetricEntry, metric};
use cadre_scheduler::{Answering, EvaluateWork, StageFacts, StageJob, StageKind, TaskMetrics};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answering::{EnsembleWork, open_ensemble};
use super::inputs::{TEST, all, first_input, task_examples};
use super::watch::JobWatch;
use crate::ensemble::{Answered, Query};
use crate::error::EngineError;
use crate::records::{Outcome, PredictionRecord, RouteRow, write_rows};
use crate::resources::Resources;

/// The row's scores.
pub(super) const ROW: &str = "row.json";
/// The route of every query.
pub(super) const ROUTES: &str = "routes.jsonl";
/// The predictions, for display.
pub(crate) const PREDICTIONS: &str = "predictions.jsonl";

/// Content of `row.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Row {
    pub(super) format_version: u32,
    /// The tasks learned so far, oldest first.
    pub(super) learned: Vec<String>,
    /// Whether a router chose the responders.
    pub(super) routed: bool,
    /// The scored tasks.
    pub(super) tasks: Vec<ScoredTask>,
}

/// A scored task.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ScoredTask {
    pub(super) task: String,
    /// Number of queries.
    pub(super) queries: usize,
    /// Mean scores by metric, 0..100; R uses the first.
    pub(super) scores: Vec<(String, f64)>,
}

/// A task with its examples and metrics.
struct Column<'a> {
    task: &'a str,
    metrics: Vec<&'static MetricEntry>,
    examples: Vec<Example>,
}

pub(super) fn evaluate(
    work: &EvaluateWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let columns = work.queries.iter().map(|query| column(query, job)).collect::<Result<Vec<_>, _>>()?;
    let experts = all(job, StageKind::Train);
    let ensemble = open_ensemble(
        &EnsembleWork {
            model: &work.model,
            answering: &work.answering,
            prompt: &work.prompt,
            decoding: &work.decoding,
            backbone: match work.answering {
                Answering::Merged => first_input(job, StageKind::Merge)?,
                _ => first_input(job, StageKind::Backbone)?,
            },
            experts: experts.iter().map(|input| (input.name.as_str(), &input.artifact)).collect(),
            descriptors: all(job, StageKind::Describe).iter().map(|input| &input.artifact).collect(),
        },
        executor,
    )?;
    let examples: Vec<Example> = columns.iter().flat_map(|column| column.examples.iter().cloned()).collect();
    let expert_of = |index: usize| ensemble.library.of_task(&examples[index].task);
    let queries = ensemble.encoding.queries(&examples, &expert_of)?;
    let answered = ensemble.answer(&queries, &JobWatch(job))?;

    let routed = matches!(work.answering, Answering::Routed(_));
    let mut results = examples.iter().zip(&queries).zip(&answered);
    let (mut tasks, mut routes, mut predictions) = (Vec::new(), Vec::new(), Vec::new());
    for column in &columns {
        let mut sums = vec![0.0; column.metrics.len()];
        let results = results.by_ref().take(column.examples.len());
        for (index, ((example, query), answered)) in results.enumerate() {
            let scores = scores(column, example, &answered.text);
            sums.iter_mut().zip(&scores).for_each(|(sum, (_, score))| *sum += score);
            let outcome = scores
                .first()
                .map(|(_, score)| Outcome { score: *score, empty: answered.text.trim().is_empty() });
            routes.push(route_row(example, Some(column.task), answered, routed, outcome));
            if index < work.predictions as usize {
                predictions.push(prediction(example, Some(column.task), query, answered, routed, scores));
            }
        }
        let count = column.examples.len();
        let mean = |sum: f64| if count == 0 { 0.0 } else { sum / count as f64 };
        let names = column.metrics.iter().map(|metric| metric.name.to_owned());
        tasks.push(ScoredTask {
            task: column.task.to_owned(),
            queries: count,
            scores: names.zip(sums.into_iter().map(mean)).collect(),
        });
    }
    let row = Row { format_version: 1, learned: work.learned.clone(), routed, tasks };
    let bytes =
        serde_json::to_vec(&row).map_err(|source| EngineError::NoJson { what: "a row of R", source })?;
    job.draft.write(ROW, &bytes)?;
    write_rows(&job.draft.path(ROUTES), "routes", &routes)?;
    write_rows(&job.draft.path(PREDICTIONS), "predictions", &predictions)?;
    Ok(json!({ "queries": examples.len() }))
}

fn column<'a>(query: &'a TaskMetrics, job: &StageJob<'_>) -> Result<Column<'a>, EngineError> {
    let entry = |name: &String| {
        metric(name).ok_or_else(|| EngineError::NotFound {
            what: "metric",
            name: name.clone(),
            advice: format!(
                "there are {}",
                METRICS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
            ),
        })
    };
    Ok(Column {
        task: &query.task,
        metrics: query.metrics.iter().map(entry).collect::<Result<_, _>>()?,
        examples: task_examples(job, &query.task, TEST)?,
    })
}

/// A prediction's scores by metric, 0..100.
fn scores(column: &Column<'_>, example: &Example, prediction: &str) -> Vec<(String, f64)> {
    let score = |metric: &&MetricEntry| {
        (metric.name.to_owned(), 100.0 * (metric.score)(prediction.trim(), &example.references))
    };
    column.metrics.iter().map(score).collect()
}

/// A query's route as a row of `routes.jsonl`.
pub(super) fn route_row(
    example: &Example,
    task: Option<&str>,
    answered: &Answered,
    routed: bool,
    outcome: Option<Outcome>,
) -> RouteRow {
    let trace = &answered.trace;
    RouteRow {
        id: example.id.clone(),
        task: task.map(str::to_owned),
        query: trace.query,
        asked: trace.observations.iter().map(|seen| seen.probe.clone()).collect(),
        claims: trace.claims().map(|claim| (claim.expert, claim.accept, claim.reject)).collect(),
        chosen: trace.responder.chosen().filter(|_| routed),
        mix: trace.responder.shares(),
        outcome,
    }
}

/// A prediction as a row of `predictions.jsonl`.
pub(super) fn prediction(
    example: &Example,
    task: Option<&str>,
    query: &Query,
    answered: &Answered,
    routed: bool,
    scores: Vec<(String, f64)>,
) -> PredictionRecord {
    PredictionRecord {
        id: example.id.clone(),
        task: task.map(str::to_owned),
        prompt: query.prompt.clone(),
        references: example.references.clone(),
        prediction: answered.text.clone(),
        expert: answered.trace.responder.chosen().filter(|_| routed),
        // As in reports: an exact match is 100, not 99.9999995.
        scores: scores.into_iter().map(|(metric, score)| (metric, (score * 1e6).round() / 1e6)).collect(),
        claims: answered.trace.claims().map(|claim| (claim.expert, claim.share())).collect(),
    }
}
