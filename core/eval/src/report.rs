//! The report of a run: `report.json`, format-version 2. It holds what other programs rely on and never what only a reader
//! of the page wants (that is in `ReportExtras`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EvalError, Finding, RoutingReport, ScoreInterval, ScoreMatrix};

/// The `format-version` that is written, and the newest that is read. Version 2 added `findings`,
/// `average-score-interval`, the second definitions of BWT and FWT, `baseline-scores`, and what experts were trained on.
pub const REPORT_FORMAT_VERSION: u32 = 2;

/// `report.json`. `None` is written as `null`: not evaluated, or without meaning for this run.
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
    /// What is wrong with the run, worst first; empty where nothing was found, and in format-version 1.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// R by each task's first metric.
    pub score_matrix: ScoreMatrix,
    /// AR (OP), 0..=100.
    pub average_score: Option<f64>,
    /// How far AR would move with other test examples; null where they are too few or score alike.
    #[serde(default)]
    pub average_score_interval: Option<ScoreInterval>,
    /// BWT as Lopez-Paz and Ranzato 2017 define it, −100..=100.
    pub backward_transfer: Option<f64>,
    /// BWT as TreeLoRA's code has it: divisor T, gains cut off, −100..=0.
    #[serde(default)]
    pub backward_transfer_clipped: Option<f64>,
    /// FWT without a baseline, as SSR defines it, 0..=100.
    pub forward_transfer: Option<f64>,
    /// FWT over `baseline-scores`, as Lopez-Paz and Ranzato 2017 define it, −100..=100; null where one is not known.
    #[serde(default)]
    pub forward_transfer_over_baseline: Option<f64>,
    /// Score of the backbone alone on each task, 0..=100, known where it answered every query of the task at some stage;
    /// one per task, or empty.
    #[serde(default)]
    pub baseline_scores: Vec<Option<f64>>,
    /// Forgetting, 0..=100.
    pub forgetting: Option<f64>,
    /// R by each metric of the recipe; a task which that metric does not score is null throughout.
    pub per_metric: BTreeMap<String, MetricScores>,
    /// Null where nothing is routed.
    pub routing: Option<RoutingReport>,
    /// Null where no such queries were asked.
    pub out_of_distribution: Option<OutOfDistributionReport>,
    /// The trained experts, in the order trained.
    pub experts: Vec<ExpertReport>,
    /// Time, tokens, probes, stages.
    pub cost: Cost,
    /// What made it.
    pub provenance: Provenance,
}

/// One entry of `per-metric`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MetricScores {
    /// R by this metric.
    pub score_matrix: ScoreMatrix,
}

/// Queries of no task of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutOfDistributionReport {
    /// How many were asked.
    pub queries: u64,
    /// Share that went to the backbone, 0..=1; null without routing or without queries.
    pub to_backbone: Option<f64>,
}

/// One expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExpertReport {
    /// Task it was trained on (or a name for an expert of a whole stream).
    pub task: String,
    /// Trained parameters.
    pub parameters: u64,
    /// Bytes of its adapter on disk.
    pub bytes: u64,
    /// Training examples, rehearsed ones included.
    pub training_examples: u64,
    /// Examples that it was taught to reject, all included in `training-examples`; null for an imported expert.
    #[serde(default)]
    pub negatives: Option<Negatives>,
    /// Optimizer steps; null for an imported expert.
    #[serde(default)]
    pub steps: Option<u64>,
    /// Loss of its last step, nats a token.
    pub final_loss: Option<f64>,
}

/// What an expert was taught to reject.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Negatives {
    /// By earlier task: rehearsed examples; tasks without any are left out.
    pub of_tasks: BTreeMap<String, u64>,
    /// Examples from outside the stream (pseudo-negatives).
    pub from_outside: u64,
}

impl Negatives {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.of_tasks.values().sum::<u64>() + self.from_outside
    }
}

/// What the run cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cost {
    /// Wall time of all stages of the plan, cached ones with the time they took when they ran.
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

/// Probes asked for and probes that had to be computed (the others were in the evidence book).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeCost {
    /// Asked for by policies.
    pub asked: u64,
    /// Computed.
    pub computed: u64,
}

/// Stages run and stages found in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StageCost {
    /// Run now.
    pub run: u64,
    /// Found in the store.
    pub cached: u64,
}

/// Versions and digests of all that made the run.
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
    /// Version it gives of itself.
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
    /// Reads `report.json`. Keys that are not known are passed over: a later version of the same number may add some.
    ///
    /// # Errors
    /// Not a report, a newer `format-version`, parts that do not fit the number of tasks.
    pub fn from_json(json: &str) -> Result<Self, EvalError> {
        refuse_newer(json, REPORT_FORMAT_VERSION)?;
        let report: Self = serde_json::from_str(json).map_err(EvalError::Malformed)?;
        report.check()?;
        Ok(report)
    }

    /// The text of `report.json`: indented, one line a matrix row, a line feed at the end.
    ///
    /// # Errors
    /// Parts that do not fit the number of tasks.
    pub fn to_json(&self) -> Result<String, EvalError> {
        self.check()?;
        crate::render::json(self)
    }

    /// Whether every part has one entry a task.
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
                // One column more than tasks, the backbone.
                fits("a row of confusion", row.len().saturating_sub(1))?;
            }
        }
        Ok(())
    }
}

/// Looks at the version of a file before anything else of it: a newer file may have another shape.
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
