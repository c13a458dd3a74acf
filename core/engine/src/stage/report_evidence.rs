//! Input of a report's diagnosis, from the artifacts of a run: queries with their claims and other responders' scores,
//! the composition of training sets, losses.

use std::collections::{BTreeMap, HashMap};

use cadre_data::{Target, read_training_rows};
use cadre_eval::{
    ClaimEvidence, Composition, ExpertEvidence, IndicatorForm, Negatives, QueryEvidence, RunEvidence,
    TrainingEvidence,
};
use cadre_recipe::IndicatorKind;
use cadre_scheduler::{ReportWork, StageInput, StageJob, StageKind};

use super::compose::TRAINING;
use super::evaluate::PREDICTIONS;
use super::inputs::{all, task_of};
use super::report::RoutedRow;
use super::training::{LOSSES, Losses};
use crate::error::EngineError;
use crate::records::{PredictionRecord, RouteRow, read_rows};

/// The evidence of a run.
pub(super) fn evidence(
    work: &ReportWork,
    job: &StageJob<'_>,
    rows: &[RoutedRow],
    outside: &[RouteRow],
) -> Result<RunEvidence, EngineError> {
    let answers = Answers::of(work, rows);
    let last = rows.last().map_or(&[][..], |row| &row.routes);
    let predictions = predictions(job)?;
    let experts = all(job, StageKind::Train);
    Ok(RunEvidence {
        queries: last
            .iter()
            .map(|route| recorded(query(work, route, &answers), route, &predictions))
            .collect(),
        outside: outside.iter().map(|route| query(work, route, &answers)).collect(),
        experts: experts.iter().map(|input| expert(work, job, input)).collect::<Result<_, _>>()?,
        indicator: work.method.indicator.map(|kind| match kind {
            IndicatorKind::NewToken => IndicatorForm::NewToken,
            IndicatorKind::ExistingToken => IndicatorForm::ExistingToken,
            IndicatorKind::Text => IndicatorForm::Text,
        }),
    })
}

/// Scores of single responders' answers to a query at any stage: an answer depends on the query and the responder, not
/// on the stage.
struct Answers<'a> {
    by_own_expert: HashMap<(&'a str, &'a str), f64>,
    by_backbone: HashMap<(&'a str, &'a str), f64>,
}

impl<'a> Answers<'a> {
    fn of(work: &ReportWork, rows: &'a [RoutedRow]) -> Self {
        let mut answers = Self { by_own_expert: HashMap::new(), by_backbone: HashMap::new() };
        for route in rows.iter().filter(|row| row.row.routed).flat_map(|row| &row.routes) {
            let (Some(task), Some(outcome)) = (route.task.as_deref(), route.outcome) else { continue };
            let known = match route.chosen {
                None => &mut answers.by_backbone,
                Some(expert)
                    if route.mix.is_empty()
                        && work.tasks.get(expert as usize).is_some_and(|own| own == task) =>
                {
                    &mut answers.by_own_expert
                }
                Some(_) => continue,
            };
            known.insert((task, &route.id), outcome.score);
        }
        answers
    }
}

fn query(work: &ReportWork, route: &RouteRow, answers: &Answers<'_>) -> QueryEvidence {
    let claim = |&(expert, accept, reject): &(u32, f32, f32)| ClaimEvidence {
        expert: expert as usize,
        accept: f64::from(accept),
        reject: f64::from(reject),
    };
    let of =
        |known: &HashMap<(&str, &str), f64>| known.get(&(route.task.as_deref()?, route.id.as_str())).copied();
    QueryEvidence {
        task: route.task.as_ref().and_then(|name| work.tasks.iter().position(|task| task == name)),
        claims: route.claims.iter().map(claim).collect(),
        chosen: route.chosen.map(|expert| expert as usize),
        score: route.outcome.map(|outcome| outcome.score),
        empty: route.outcome.is_some_and(|outcome| outcome.empty),
        answer: None,
        reference: None,
        by_own_expert: of(&answers.by_own_expert),
        by_backbone: of(&answers.by_backbone),
    }
}

/// The recorded predictions of the last row of R, by task and query.
type Predictions = HashMap<(Option<String>, String), PredictionRecord>;

fn predictions(job: &StageJob<'_>) -> Result<Predictions, EngineError> {
    let Some(last) = job.inputs_of(StageKind::Evaluate).last() else { return Ok(HashMap::new()) };
    let records: Vec<PredictionRecord> = read_rows(&last.artifact.path(PREDICTIONS))?;
    Ok(records.into_iter().map(|record| ((record.task.clone(), record.id.clone()), record)).collect())
}

/// Adds the text of the answer, where it was recorded.
fn recorded(query: QueryEvidence, route: &RouteRow, predictions: &Predictions) -> QueryEvidence {
    let record = predictions.get(&(route.task.clone(), route.id.clone()));
    QueryEvidence {
        answer: record.map(|record| record.prediction.clone()),
        reference: record.and_then(|record| record.references.first().cloned()),
        ..query
    }
}

fn expert(work: &ReportWork, job: &StageJob<'_>, input: &StageInput) -> Result<ExpertEvidence, EngineError> {
    let name = task_of(&input.name).to_owned();
    let composed = job.inputs_of(StageKind::Compose).find(|composed| task_of(&composed.name) == name);
    // An imported expert has neither losses nor a training set.
    if input.artifact.manifest().facts["final-loss"].is_null() {
        return Ok(ExpertEvidence { name, ..ExpertEvidence::default() });
    }
    let losses: Losses = input.artifact.read_json(LOSSES)?;
    Ok(ExpertEvidence {
        composition: composed.map(|composed| composition(work, composed)).transpose()?,
        training: Some(TrainingEvidence {
            losses: losses.losses.into_iter().map(|(_, loss)| f64::from(loss)).collect(),
            warmup: u64::from(work.method.warmup.unwrap_or(0)),
        }),
        name,
    })
}

fn composition(work: &ReportWork, composed: &StageInput) -> Result<Composition, EngineError> {
    let mut made = Composition { negatives: vec![0; work.tasks.len()], ..Composition::default() };
    for row in read_training_rows(&composed.artifact.path(TRAINING))? {
        let count = match row.target {
            Target::Plain | Target::Accept => &mut made.own,
            Target::Reject { .. } => match work.tasks.iter().position(|task| *task == row.example.task) {
                Some(task) => &mut made.negatives[task],
                None => &mut made.outside,
            },
        };
        *count += 1;
    }
    Ok(made)
}

/// The names of what an expert was trained to reject.
pub(super) fn negatives(work: &ReportWork, made: &Composition) -> Negatives {
    let named = work.tasks.iter().zip(&made.negatives).filter(|(_, count)| **count > 0);
    let of_tasks: BTreeMap<String, u64> = named.map(|(task, count)| (task.clone(), *count)).collect();
    Negatives { of_tasks, from_outside: made.outside }
}

/// The score of the backbone alone on each task, if it answered every query at some stage; empty without a router.
pub(super) fn baseline_scores(
    work: &ReportWork,
    rows: &[RoutedRow],
    evidence: &RunEvidence,
) -> Vec<Option<f64>> {
    if !rows.iter().any(|row| row.row.routed) {
        return Vec::new();
    }
    let score = |task: usize| {
        let queries = evidence.queries.iter().filter(|query| query.task == Some(task));
        let scores = queries.map(|query| query.by_backbone).collect::<Option<Vec<f64>>>()?;
        (!scores.is_empty()).then(|| cadre_eval::rounded(scores.iter().sum::<f64>() / scores.len() as f64))
    };
    (0..work.tasks.len()).map(score).collect()
}
