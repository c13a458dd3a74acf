//! Data that only the rendered report needs: loss curves, claims, predictions. Must not duplicate figures of
//! `report.json`.

use cadre_eval::{ClaimSample, LossCurve, PredictionRow, ReportExtras, TrainingCurve};
use cadre_scheduler::{ReportWork, StageInput};

use super::claim_scale::ClaimAxis;
use super::evaluate::PREDICTIONS;
use super::inputs::task_of;
use super::report::RoutedRow;
use super::training::{LOSSES, Losses};
use crate::ensemble::SeenClaim;
use crate::error::EngineError;
use crate::records::{PredictionRecord, RouteRow, read_rows};

/// Inputs of the extras.
pub(super) struct Shown<'a> {
    pub(super) work: &'a ReportWork,
    /// The scale of the claims.
    pub(super) axis: ClaimAxis,
    /// The last row of R.
    pub(super) last: Option<&'a RoutedRow>,
    /// Out-of-distribution queries.
    pub(super) outside: &'a [RouteRow],
}

/// Collects the extras of the last row of R and of all trainings.
pub(super) fn extras(
    shown: &Shown<'_>,
    outside: Option<&StageInput>,
    evaluations: &[&StageInput],
    experts: &[&StageInput],
) -> Result<ReportExtras, EngineError> {
    let work = shown.work;
    // An imported expert has no losses.
    let trained = experts.iter().filter(|expert| !expert.artifact.manifest().facts["final-loss"].is_null());
    let mut extras = ReportExtras {
        summary: work.summary.clone(),
        reference: work.reference.clone(),
        claim_scale: shown.axis.scale,
        threshold: shown.axis.threshold,
        ..ReportExtras::default()
    };
    for expert in trained {
        let losses: Losses = expert.artifact.read_json(LOSSES)?;
        extras.loss_curves.push(loss_curve(expert, &losses));
        extras.training_curves.push(training_curve(expert, losses));
    }
    if let Some(last) = shown.last {
        let metric = |task: &String| {
            let scored = last.row.tasks.iter().find(|scored| scored.task == *task);
            scored
                .and_then(|scored| scored.scores.first())
                .map(|(metric, _)| metric.clone())
                .unwrap_or_default()
        };
        extras.task_metrics = work.tasks.iter().map(metric).collect();
        extras.claims =
            last.routes.iter().chain(shown.outside).flat_map(|route| claims(shown, route)).collect();
    }
    for input in evaluations.last().copied().into_iter().chain(outside) {
        for record in read_rows(&input.artifact.path(PREDICTIONS))? {
            extras.predictions.push(shown.prediction(record));
        }
    }
    Ok(extras)
}

fn place(work: &ReportWork, task: Option<&String>) -> Option<usize> {
    task.and_then(|name| work.tasks.iter().position(|task| task == name))
}

fn loss_curve(expert: &StageInput, losses: &Losses) -> LossCurve {
    LossCurve {
        task: task_of(&expert.name).to_owned(),
        points: losses.losses.iter().map(|(step, loss)| (*step, f64::from(*loss))).collect(),
    }
}

fn training_curve(expert: &StageInput, losses: Losses) -> TrainingCurve {
    let of_steps = |values: Vec<f32>| (1..).zip(values.into_iter().map(f64::from)).collect();
    let measured = losses.validation_losses.into_iter();
    TrainingCurve {
        task: task_of(&expert.name).to_owned(),
        learning_rate: of_steps(losses.learning_rates),
        gradient_norm: of_steps(losses.gradient_norms),
        validation_loss: measured.map(|(step, loss)| (step, f64::from(loss))).collect(),
    }
}

fn claims(shown: &Shown<'_>, route: &RouteRow) -> Vec<ClaimSample> {
    let task = place(shown.work, route.task.as_ref());
    let claim = |&(expert, accept, reject): &(u32, f32, f32)| ClaimSample {
        task,
        expert: expert as usize,
        score: shown.axis.claim(&SeenClaim { expert, accept, reject }),
    };
    route.claims.iter().map(claim).collect()
}

impl Shown<'_> {
    fn prediction(&self, record: PredictionRecord) -> PredictionRow {
        // Claims on the scale of the plot; records contain renormalised ones.
        let routes = self.last.map_or(&[][..], |last| &last.routes).iter().chain(self.outside);
        let mut same = routes.filter(|route| route.task == record.task && route.id == record.id);
        let on_axis = |&(expert, accept, reject): &(u32, f32, f32)| {
            (expert as usize, self.axis.claim(&SeenClaim { expert, accept, reject }))
        };
        let claims = same.next().map(|route| route.claims.iter().map(on_axis).collect());
        PredictionRow {
            task: place(self.work, record.task.as_ref()),
            id: record.id,
            prompt: record.prompt,
            references: record.references,
            prediction: record.prediction,
            expert: record.expert.map(|expert| expert as usize),
            score: record.scores.first().map(|(_, score)| *score),
            claims: claims.unwrap_or_default(),
        }
    }
}
