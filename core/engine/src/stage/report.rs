//! `report`: all figures of a run, from the artifacts of its stages. Times come from manifests; all other figures must
//! not depend on kills or on what was cached.

use cadre_eval::{
    Cost, DataProvenance, ExpertEvidence, ExpertReport, OutOfDistributionReport, PluginProvenance, ProbeCost,
    Provenance, REPORT_FORMAT_VERSION, Report, StageCost, diagnose, rounded,
};
use cadre_recipe::Precision;
use cadre_scheduler::{ReportWork, StageFacts, StageInput, StageJob, StageKind};
use cadre_store::Manifest;
use serde_json::json;

use super::claim_scale::{ClaimAxis, shortest};
use super::evaluate::{ROUTES, ROW, Row};
use super::inputs::{all, task_of};
use super::report_evidence::{baseline_scores, evidence, negatives};
use super::report_extras::{Shown, extras};
use super::report_rows::{interval, matrices, routing};
use crate::ensemble::{ProbeCounter, Question};
use crate::error::EngineError;
use crate::records::{RouteRow, read_rows};

/// The burn version of this workspace.
pub(crate) const BURN: &str = "0.22.1";
/// The machine-readable report.
pub(crate) const REPORT_JSON: &str = "report.json";
/// Data that only the rendered report needs.
pub(crate) const EXTRAS_JSON: &str = "extras.json";

/// A row of R with its routes.
pub(super) struct RoutedRow {
    pub(super) row: Row,
    pub(super) routes: Vec<RouteRow>,
}

impl RoutedRow {
    /// Its index among the `tasks` rows of R: that of the last task learned. A backbone that learned no task is in the
    /// last row.
    pub(super) fn stage(&self, tasks: usize) -> usize {
        match self.row.learned.len() {
            0 => tasks.saturating_sub(1),
            learned => learned - 1,
        }
    }
}

pub(super) fn report(work: &ReportWork, job: &StageJob<'_>) -> Result<StageFacts, EngineError> {
    let mut rows = Vec::new();
    for input in all(job, StageKind::Evaluate) {
        rows.push(RoutedRow {
            row: input.artifact.read_json(ROW)?,
            routes: read_rows(&input.artifact.path(ROUTES))?,
        });
    }
    let outside = all(job, StageKind::OutOfDistribution).first().copied();
    let outside_routes: Vec<RouteRow> = match outside {
        Some(input) => read_rows(&input.artifact.path(ROUTES))?,
        None => Vec::new(),
    };
    let experts = all(job, StageKind::Train);
    let (score_matrix, per_metric) = matrices(&work.tasks, &rows)?;
    let evidence = evidence(work, job, &rows, &outside_routes)?;
    let baseline_scores = baseline_scores(work, &rows, &evidence);
    let mut report = Report {
        format_version: REPORT_FORMAT_VERSION,
        name: work.name.clone(),
        key: work.run.to_string(),
        seed: work.seed,
        tasks: work.tasks.clone(),
        findings: Vec::new(),
        average_score: score_matrix.average_score().map(rounded),
        average_score_interval: interval(&work.tasks, &rows, &work.run.to_string()),
        backward_transfer: score_matrix.backward_transfer().map(rounded),
        backward_transfer_clipped: score_matrix.backward_transfer_clipped().map(rounded),
        forward_transfer: score_matrix.forward_transfer().map(rounded),
        forward_transfer_over_baseline: score_matrix.forward_transfer_over(&baseline_scores).map(rounded),
        baseline_scores,
        forgetting: score_matrix.forgetting().map(rounded),
        score_matrix,
        per_metric,
        routing: routing(&work.tasks, &rows)?,
        out_of_distribution: outside.map(|input| out_of_distribution(&input.artifact.manifest().facts)),
        experts: experts
            .iter()
            .zip(&evidence.experts)
            .map(|(input, made)| expert(work, input, made))
            .collect(),
        cost: cost(work, job, &rows, &outside_routes),
        provenance: provenance(work),
    };
    report.findings = diagnose(&report, &evidence);
    let last_routes = rows.last().map_or(&[][..], |row| &row.routes);
    let axis = ClaimAxis::of(work.method.router.as_ref(), last_routes.iter().chain(&outside_routes));
    let shown = Shown { work, axis, last: rows.last(), outside: &outside_routes };
    let extras = extras(&shown, outside, &all(job, StageKind::Evaluate), &experts)?;
    job.draft.write(REPORT_JSON, report.to_json()?.as_bytes())?;
    let bytes =
        serde_json::to_vec(&extras).map_err(|source| EngineError::NoJson { what: "the report", source })?;
    job.draft.write(EXTRAS_JSON, &bytes)?;
    Ok(json!({ "average-score": report.average_score }))
}

fn out_of_distribution(facts: &serde_json::Value) -> OutOfDistributionReport {
    let number = |name: &str| facts[name].as_u64().unwrap_or(0);
    let routed = number("routed");
    OutOfDistributionReport {
        queries: number("queries"),
        to_backbone: (routed > 0).then(|| number("to-backbone") as f64 / routed as f64),
    }
}

fn expert(work: &ReportWork, input: &StageInput, made: &ExpertEvidence) -> ExpertReport {
    let manifest = input.artifact.manifest();
    let number = |name: &str| manifest.facts[name].as_u64().unwrap_or(0);
    ExpertReport {
        task: task_of(&input.name).to_owned(),
        parameters: number("parameters"),
        bytes: manifest.files.get("adapter.safetensors").map_or(0, |file| file.bytes),
        training_examples: number("training-examples"),
        negatives: made.composition.as_ref().map(|made| negatives(work, made)),
        steps: made.training.as_ref().map(|training| training.losses.len() as u64),
        // The loss is an f32.
        final_loss: manifest.facts["final-loss"].as_f64().map(|loss| shortest(loss as f32)),
        validation: super::training::validation(&manifest.facts),
    }
}

fn cost(work: &ReportWork, job: &StageJob<'_>, rows: &[RoutedRow], outside: &[RouteRow]) -> Cost {
    let manifests: Vec<&Manifest> = job.inputs.iter().map(|input| input.artifact.manifest()).collect();
    let (mut tokens, mut seconds) = (0, 0.0);
    for manifest in &manifests {
        if let Some(trained) = manifest.facts["training-tokens"].as_u64() {
            tokens += trained;
            seconds += manifest.wall_seconds;
        }
    }
    let run = work.run.to_string();
    let cached = manifests.iter().filter(|manifest| manifest.made_by != run).count() as u64;
    let mut probes = ProbeCounter::default();
    for route in rows.iter().flat_map(|row| &row.routes).chain(outside) {
        for probe in &route.asked {
            probes.add(route.query, Question::of(probe));
        }
    }
    let routers = probes.count();
    let selectors =
        |fact: &str| manifests.iter().filter_map(|manifest| manifest.facts[fact].as_u64()).sum::<u64>();
    Cost {
        wall_seconds: manifests.iter().map(|manifest| manifest.wall_seconds).sum(),
        training_tokens: tokens,
        tokens_per_second: (seconds > 0.0).then(|| tokens as f64 / seconds),
        probes: ProbeCost {
            asked: routers.asked + selectors("probes-asked"),
            computed: routers.computed + selectors("probes-computed"),
        },
        // The report stage is always made by its own run.
        stages: StageCost { run: manifests.len() as u64 - cached + 1, cached },
    }
}

fn provenance(work: &ReportWork) -> Provenance {
    let made = &work.provenance;
    Provenance {
        cadre: env!("CARGO_PKG_VERSION").to_owned(),
        burn: BURN.to_owned(),
        backend: made.backend.clone(),
        precision: match made.precision {
            Precision::F32 => "f32".to_owned(),
            Precision::Bf16 => "bf16".to_owned(),
        },
        plugins: made
            .plugins
            .iter()
            .map(|plugin| PluginProvenance {
                name: plugin.name.clone(),
                version: plugin.version.clone(),
                digest: plugin.digest.to_string(),
            })
            .collect(),
        data: made
            .data
            .iter()
            .map(|data| DataProvenance {
                path: data.file.display().to_string(),
                digest: data.digest.to_string(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_report_contains_the_burn_version_of_the_workspace() {
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        assert!(manifest.contains(&format!("burn = {{ version = \"{}\"", super::BURN)));
    }
}
