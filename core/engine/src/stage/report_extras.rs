//! What only a reader of the report wants: loss curves, claims, predictions. Computes no figure that `report.json`
//! holds.

use cadre_eval::{ClaimSample, LossCurve, PredictionRow, ReportExtras};
use cadre_scheduler::{ReportWork, StageInput};

use super::evaluate::PREDICTIONS;
use super::inputs::task_of;
use super::report::RoutedRow;
use super::training::{LOSSES, Losses};
use crate::ensemble::SeenClaim;
use crate::error::EngineError;
use crate::records::{PredictionRecord, RouteRow, read_rows};

/// Gathers the extras of the last row of R and of all trainings.
pub(super) fn extras(
    work: &ReportWork,
    rows: &[RoutedRow],
    outside: Option<&StageInput>,
    outside_routes: &[RouteRow],
    evaluations: &[&StageInput],
    experts: &[&StageInput],
) -> Result<ReportExtras, EngineError> {
    // An expert that was taken over has no losses.
    let trained = experts.iter().filter(|expert| !expert.artifact.manifest().facts["final-loss"].is_null());
    let mut extras = ReportExtras {
        summary: work.summary.clone(),
        reference: work.reference.clone(),
        threshold: work.threshold,
        loss_curves: trained.map(|expert| loss_curve(expert)).collect::<Result<_, _>>()?,
        ..ReportExtras::default()
    };
    if let Some(last) = rows.last() {
        let metric = |task: &String| {
            let scored = last.row.tasks.iter().find(|scored| scored.task == *task);
            scored
                .and_then(|scored| scored.scores.first())
                .map(|(metric, _)| metric.clone())
                .unwrap_or_default()
        };
        extras.task_metrics = work.tasks.iter().map(metric).collect();
        extras.claims =
            last.routes.iter().chain(outside_routes).flat_map(|route| claims(work, route)).collect();
    }
    for input in evaluations.last().copied().into_iter().chain(outside) {
        for record in read_rows(&input.artifact.path(PREDICTIONS))? {
            extras.predictions.push(prediction(work, record));
        }
    }
    Ok(extras)
}

fn place(work: &ReportWork, task: Option<&String>) -> Option<usize> {
    task.and_then(|name| work.tasks.iter().position(|task| task == name))
}

fn loss_curve(expert: &StageInput) -> Result<LossCurve, EngineError> {
    let losses: Losses = expert.artifact.read_json(LOSSES)?;
    Ok(LossCurve {
        task: task_of(&expert.name).to_owned(),
        points: losses.losses.into_iter().map(|(step, loss)| (step, f64::from(loss))).collect(),
    })
}

fn claims(work: &ReportWork, route: &RouteRow) -> Vec<ClaimSample> {
    let task = place(work, route.task.as_ref());
    let claim = |&(expert, accept, reject): &(u32, f32, f32)| ClaimSample {
        task,
        expert: expert as usize,
        score: SeenClaim { expert, accept, reject }.share(),
    };
    route.claims.iter().map(claim).collect()
}

fn prediction(work: &ReportWork, record: PredictionRecord) -> PredictionRow {
    PredictionRow {
        task: place(work, record.task.as_ref()),
        id: record.id,
        prompt: record.prompt,
        references: record.references,
        prediction: record.prediction,
        expert: record.expert.map(|expert| expert as usize),
        score: record.scores.first().map(|(_, score)| *score),
        claims: record.claims.into_iter().map(|(expert, share)| (expert as usize, share)).collect(),
    }
}
