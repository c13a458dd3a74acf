//! The report of a run: `report.json`, format-version 2. It contains what other programs rely on; data that only the page shows
//! belongs in `ReportExtras`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::render::decimals;
use crate::{EvalError, Finding, RoutingReport, ScoreInterval, ScoreMatrix};

/// The `format-version` that is written, and the newest that is read. Version 2 added `findings`,
/// `average-score-interval`, the second definitions of BWT and FWT, `baseline-scores`, and the composition of training sets.
pub const REPORT_FORMAT_VERSION: u32 = 2;

/// `report.json`. `None` is written as `null`: not evaluated, or not defined for this run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// [`REPORT_FORMAT_VERSION`].
    pub format_version: u32,
    /// Name of the recipe.
    pub name: String,
    /// Key of the run, hex.
    pub key: String,
    /// Seed of the recipe.
    pub seed: u64,
    /// Names of the stream's tasks, in the order learned.
    pub tasks: Vec<String>,
    /// Findings of the diagnosis, worst first; empty in format-version 1.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// R by each task's first metric.
    pub score_matrix: ScoreMatrix,
    /// AR (OP), 0..=100.
    pub average_score: Option<f64>,
    /// Interval of AR over test examples; null where they are too few or all have the same score.
    #[serde(default)]
    pub average_score_interval: Option<ScoreInterval>,
    /// BWT as Lopez-Paz and Ranzato 2017 define it, −100..=100.
    pub backward_transfer: Option<f64>,
    /// BWT as TreeLoRA's code computes it: divisor T, gains clipped to 0, −100..=0.
    #[serde(default)]
    pub backward_transfer_clipped: Option<f64>,
    /// FWT without a baseline, as SSR defines it, 0..=100.
    pub forward_transfer: Option<f64>,
    /// FWT over `baseline-scores`, as Lopez-Paz and Ranzato 2017 define it, −100..=100; null where a baseline score is unknown.
    #[serde(default)]
    pub forward_transfer_over_baseline: Option<f64>,
    /// Score of the backbone alone on each task, 0..=100; known where the backbone answered every query of the task at some
    /// stage. One entry per task, or empty.
    #[serde(default)]
    pub baseline_scores: Vec<Option<f64>>,
    /// Forgetting, 0..=100.
    pub forgetting: Option<f64>,
    /// R by each metric of the recipe; the column of a task that the metric does not score is null.
    pub per_metric: BTreeMap<String, MetricScores>,
    /// Null where nothing is routed.
    pub routing: Option<RoutingReport>,
    /// Null where no such queries were asked.
    pub out_of_distribution: Option<OutOfDistributionReport>,
    /// The trained experts, in the order trained.
    pub experts: Vec<ExpertReport>,
    /// Time, tokens, probes, stages.
    pub cost: Cost,
    /// Versions and digests.
    pub provenance: Provenance,
}

/// One entry of `per-metric`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetricScores {
    /// R by this metric.
    pub score_matrix: ScoreMatrix,
}

/// Queries out of distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutOfDistributionReport {
    /// Number of queries.
    pub queries: u64,
    /// Share that the backbone answered, 0..=1; null without routing or without queries.
    pub to_backbone: Option<f64>,
}

/// One expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExpertReport {
    /// Task it was trained on, or a name for an expert of the whole stream.
    pub task: String,
    /// Trained parameters.
    pub parameters: u64,
    /// Bytes of its adapter on disk.
    pub bytes: u64,
    /// Training examples, rehearsed ones included.
    pub training_examples: u64,
    /// Examples to reject, included in `training-examples`; null for an imported expert.
    #[serde(default)]
    pub negatives: Option<Negatives>,
    /// Optimizer steps; null for an imported expert.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Loss of its last step, nats per token.
    pub final_loss: Option<f64>,
    /// What its held-out examples showed; null without a validation split.
    #[serde(default)]
    pub validation: Option<ExpertValidation>,
}

/// The validation of one training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExpertValidation {
    /// The step whose weights the expert has, counted from 1.
    pub kept_step: u64,
    /// Loss of the held-out examples with these weights, nats per token.
    pub loss: f64,
    /// Whether training ended before its last planned step; null for a training that did not record it.
    #[serde(default)]
    pub stopped_early: Option<bool>,
}

impl ExpertReport {
    /// One line about the validation: kept step, held-out loss, and whether training stopped early.
    pub fn validation_line(&self) -> Option<String> {
        let ExpertValidation { kept_step, loss, stopped_early } = self.validation?;
        let of = self.steps.map(|steps| format!(" of {steps}")).unwrap_or_default();
        let early = match (stopped_early, self.steps) {
            (Some(true), Some(steps)) => format!("; training stopped early, after step {steps}"),
            (Some(true), None) => "; training stopped early".to_owned(),
            _ => String::new(),
        };
        Some(format!("step {kept_step}{of} kept, held-out loss {}{early}", decimals(Some(loss), 3)))
    }
}

/// Training examples that an expert learns to reject.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Negatives {
    /// By earlier task: rehearsed examples; tasks without any are left out.
    pub of_tasks: BTreeMap<String, u64>,
    /// Examples from outside the stream (pseudo-negatives).
    pub from_outside: u64,
}

impl Negatives {
    /// Sum of both.
    pub fn total(&self) -> u64 {
        self.of_tasks.values().sum::<u64>() + self.from_outside
    }
}

/// Cost of the run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cost {
    /// Wall time of all stages of the plan; a cached stage counts with the time of its original run.
    pub wall_seconds: f64,
    /// Tokens trained on, pretraining included.
    pub training_tokens: u64,
    /// Training tokens over training seconds; null where nothing was trained.
    pub tokens_per_second: Option<f64>,
    /// Probes of routers and selectors.
    pub probes: ProbeCost,
    /// Stages of this plan.
    pub stages: StageCost,
}

/// Probes requested and probes computed (the others were in the evidence book).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeCost {
    /// Requested by policies.
    pub asked: u64,
    /// Computed.
    pub computed: u64,
}

/// Stages run and stages found in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageCost {
    /// Run for this run.
    pub run: u64,
    /// Found in the store.
    pub cached: u64,
}

/// Versions and digests of everything that produced the run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Provenance {
    /// Version of Cadre.
    pub cadre: String,
    /// Version of burn.
    pub burn: String,
    /// `cpu`, `ndarray` or `cuda:0`.
    pub backend: String,
    /// `f32` or `bf16`.
    pub precision: String,
    /// Policies used.
    pub plugins: Vec<PluginProvenance>,
    /// Data files read.
    pub data: Vec<DataProvenance>,
}

/// A policy that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PluginProvenance {
    /// Name.
    pub name: String,
    /// Version that the component reports.
    pub version: String,
    /// BLAKE3 of the component, hex.
    pub digest: String,
}

/// A data file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DataProvenance {
    /// Path, or the name of a built-in source.
    pub path: String,
    /// BLAKE3, hex.
    pub digest: String,
}

impl Report {
    /// Reads `report.json`. Unknown keys are ignored: a later Cadre may add keys without changing the format version.
    ///
    /// # Errors
    /// If the text is not a report, its `format-version` is newer, or a part does not match the number of tasks.
    pub fn from_json(json: &str) -> Result<Self, EvalError> {
        refuse_newer(json, REPORT_FORMAT_VERSION)?;
        let report: Self = serde_json::from_str(json).map_err(EvalError::Malformed)?;
        report.check()?;
        Ok(report)
    }

    /// The text of `report.json`: indented, one line per matrix row, a line feed at the end.
    ///
    /// # Errors
    /// If a part does not match the number of tasks.
    pub fn to_json(&self) -> Result<String, EvalError> {
        self.check()?;
        crate::render::json(self)
    }

    /// Checks that every part has one entry per task.
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        let expected = self.tasks.len();
        let fits = |part, found: usize| {
            if found == expected { Ok(()) } else { Err(EvalError::Mismatch { part, found, expected }) }
        };
        fits("score-matrix", self.score_matrix.tasks())?;
        if !self.baseline_scores.is_empty() {
            fits("baseline-scores", self.baseline_scores.len())?;
        }
        for scores in self.per_metric.values() {
            fits("per-metric", scores.score_matrix.tasks())?;
        }
        if let Some(routing) = &self.routing {
            fits("confusion", routing.confusion.len())?;
            for row in &routing.confusion {
                // The extra column is the backbone.
                fits("a row of confusion", row.len().saturating_sub(1))?;
            }
        }
        Ok(())
    }
}

/// Checks the version of a file before the rest is parsed, because a newer file may have another shape.
pub(crate) fn refuse_newer(json: &str, known: u32) -> Result<(), EvalError> {
    let version: VersionOnly = serde_json::from_str(json).map_err(EvalError::Malformed)?;
    if version.format_version > u64::from(known) {
        return Err(EvalError::NewerFormat { found: version.format_version, known });
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct VersionOnly {
    format_version: u64,
}

#[cfg(test)]
mod tests;
