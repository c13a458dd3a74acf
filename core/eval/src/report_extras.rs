//! What a reader of the report's page wants beyond `report.json`: curves, claims, predictions. No program relies on it.

use serde::{Deserialize, Serialize};

/// Everything the page shows that is not in [`crate::Report`]. Every part may be empty; the page then leaves it out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ReportExtras {
    /// One sentence on what the recipe is.
    pub summary: Option<String>,
    /// Paper or page that the recipe follows.
    pub reference: Option<String>,
    /// Name of the metric behind each task's column of R, one a task (or empty).
    pub task_metrics: Vec<String>,
    /// Training loss, one curve an expert.
    pub loss_curves: Vec<LossCurve>,
    /// Claims that experts made at the last stage.
    pub claims: Vec<ClaimSample>,
    /// What `claims` count.
    pub claim_scale: ClaimScale,
    /// Claim on that scale from which on the router takes an expert, 0..=1; `None` where that is not known.
    pub threshold: Option<f64>,
    /// Predictions of the last stage to read.
    pub predictions: Vec<PredictionRow>,
    /// The expanded recipe, TOML.
    pub recipe: Option<String>,
}

/// What the number of a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimScale {
    /// accept / (accept + reject); 0 where both are 0.
    #[default]
    Renormalised,
    /// The probability of the accepting indicator over the whole vocabulary.
    Raw,
}

/// Training loss of one expert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LossCurve {
    /// Task (or the name of an expert of a whole stream).
    pub task: String,
    /// (step from 1, loss in nats a token).
    pub points: Vec<(u64, f64)>,
}

/// What one expert claimed of one query.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClaimSample {
    /// True task of the query, counted from 0; `None` is out of distribution.
    pub task: Option<usize>,
    /// Expert that was asked, by its task's index.
    pub expert: usize,
    /// The claim on the scale of `claim_scale`, 0..=1.
    pub score: f64,
}

/// One prediction to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PredictionRow {
    /// Id of the example.
    pub id: String,
    /// True task, counted from 0; `None` is out of distribution.
    pub task: Option<usize>,
    /// The prompt as the model read it.
    pub prompt: String,
    /// Right responses.
    pub references: Vec<String>,
    /// The response that was generated.
    pub prediction: String,
    /// Who answered, by its task's index; `None` is the backbone. Not shown for runs without routing.
    pub expert: Option<usize>,
    /// By the task's first metric, 0..=100; `None` where nothing was to be scored.
    pub score: Option<f64>,
    /// Claims in the order asked: (expert, claim on the scale of `claim_scale`, 0..=1).
    pub claims: Vec<(usize, f64)>,
}
