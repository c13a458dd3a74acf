//! Data of `report.html` beyond `report.json`: curves, claims, predictions.

use serde::{Deserialize, Serialize};

/// Data of the page that is not in [`crate::Report`]. The page leaves out empty parts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ReportExtras {
    /// One sentence that describes the recipe.
    pub summary: Option<String>,
    /// Paper or page that the recipe follows.
    pub reference: Option<String>,
    /// Name of the metric behind each task's column of R, one per task (or empty).
    pub task_metrics: Vec<String>,
    /// Training loss, one curve per expert.
    pub loss_curves: Vec<LossCurve>,
    /// Learning rate and gradient norm, one entry per expert; empty where they were not recorded.
    pub training_curves: Vec<TrainingCurve>,
    /// Claims that experts made at the last stage.
    pub claims: Vec<ClaimSample>,
    /// Definition of the claims' values.
    pub claim_scale: ClaimScale,
    /// Claim on that scale from which the router accepts an expert, 0..=1; `None` where unknown.
    pub threshold: Option<f64>,
    /// Predictions of the last stage.
    pub predictions: Vec<PredictionRow>,
    /// The expanded recipe, TOML.
    pub recipe: Option<String>,
}

/// Definition of a claim's value.
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
    /// Task, or the name of an expert of the whole stream.
    pub task: String,
    /// (step from 1, loss in nats a token).
    pub points: Vec<(u64, f64)>,
}

/// Learning rate, gradient norm and validation loss of one training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TrainingCurve {
    /// Task, or the name of an expert of the whole stream.
    pub task: String,
    /// (step from 1, learning rate); empty where not recorded.
    pub learning_rate: Vec<(u64, f64)>,
    /// (step from 1, L2 norm of the whole gradient before clipping); empty where not recorded.
    pub gradient_norm: Vec<(u64, f64)>,
    /// (step from 1, loss of held-out examples in nats per token); empty without a validation split.
    pub validation_loss: Vec<(u64, f64)>,
}

/// The claim of one expert on one query.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClaimSample {
    /// True task of the query, counted from 0; `None` is out of distribution.
    pub task: Option<usize>,
    /// The expert, by its task's index.
    pub expert: usize,
    /// The claim on the scale of `claim_scale`, 0..=1.
    pub score: f64,
}

/// One prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PredictionRow {
    /// Id of the example.
    pub id: String,
    /// True task, counted from 0; `None` is out of distribution.
    pub task: Option<usize>,
    /// The prompt as the model read it.
    pub prompt: String,
    /// Reference responses.
    pub references: Vec<String>,
    /// The response that was generated.
    pub prediction: String,
    /// The expert that answered, by its task's index; `None` is the backbone. Not shown for runs without routing.
    pub expert: Option<usize>,
    /// By the task's first metric, 0..=100; `None` where there is no score.
    pub score: Option<f64>,
    /// Claims in the order asked: (expert, claim on the scale of `claim_scale`, 0..=1).
    pub claims: Vec<(usize, f64)>,
}
