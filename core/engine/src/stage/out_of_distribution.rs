//! `out-of-distribution`: queries of no task of the stream, after the last task. The measure is how many go to the
//! backbone; answers are not scored, since no expert is expected to know them.

use cadre_scheduler::{Answering, OutOfDistributionWork, StageFacts, StageJob, StageKind};
use serde_json::json;

use super::answering::{EnsembleWork, open_ensemble};
use super::evaluate::{PREDICTIONS, ROUTES, prediction, route_row};
use super::inputs::{EXAMPLES, all, examples, first_input};
use super::watch::JobWatch;
use crate::ensemble::Answered;
use crate::error::EngineError;
use crate::records::{PredictionRecord, RouteRow, write_rows};
use crate::resources::Resources;

pub(super) fn out_of_distribution(
    work: &OutOfDistributionWork,
    executor: &Resources,
    job: &StageJob<'_>,
) -> Result<StageFacts, EngineError> {
    let examples = examples(first_input(job, StageKind::Prepare)?, EXAMPLES)?;
    let (mut routes, mut predictions): (Vec<RouteRow>, Vec<PredictionRecord>) = (Vec::new(), Vec::new());
    if let (Answering::Routed(routing), Some(model), Some(prompt), Some(decoding)) =
        (&work.answering, &work.model, &work.prompt, &work.decoding)
    {
        let experts = all(job, StageKind::Train);
        let ensemble = open_ensemble(
            &EnsembleWork {
                model,
                answering: &work.answering,
                prompt,
                decoding,
                backbone: first_input(job, StageKind::Backbone)?,
                experts: experts.iter().map(|input| (input.name.as_str(), &input.artifact)).collect(),
                descriptors: all(job, StageKind::Describe).iter().map(|input| &input.artifact).collect(),
            },
            executor,
        )?;
        let queries = ensemble.encoding.queries(&examples, &|_| None)?;
        let watch = JobWatch(job);
        let traces = ensemble.route(routing, &queries, &watch)?;
        // Generate answers only for the predictions that are kept for display.
        let kept = examples.len().min(work.predictions as usize);
        let answers = ensemble.answer(&queries[..kept], &watch)?;
        for (example, trace) in examples.iter().zip(traces) {
            let answered = Answered { trace, text: String::new() };
            routes.push(route_row(example, None, &answered, true, None));
        }
        for ((example, query), answered) in examples.iter().zip(&queries).zip(&answers) {
            predictions.push(prediction(example, None, query, answered, true, Vec::new()));
        }
    }
    let to_backbone = routes.iter().filter(|route| route.chosen.is_none()).count();
    write_rows(&job.draft.path(ROUTES), "routes", &routes)?;
    write_rows(&job.draft.path(PREDICTIONS), "predictions", &predictions)?;
    Ok(json!({ "queries": examples.len(), "routed": routes.len(), "to-backbone": to_backbone }))
}
