//! The work of evaluation stages: rows of the score matrix R, out-of-distribution queries, the report.

use std::path::PathBuf;

use cadre_recipe::{Fallback, IndicatorKind, Precision, Strategy};
use cadre_store::Digest;
use serde::{Deserialize, Serialize};

use super::parts::{IndicatorWork, ModelWork, PluginWork, PromptWork};

/// Scores one row of R: the tasks in `queries` after learning the tasks in `learned`. Inputs: `backbone`; `prepare/…`
/// of the queried tasks; the adapters that can answer (`train/…`, oldest first) and their `describe/…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EvaluateWork {
    /// The tasks learned so far, oldest first.
    pub learned: Vec<String>,
    /// The tasks that are scored, in the order of the stream, each with its metrics.
    pub queries: Vec<TaskMetrics>,
    /// The model that answers.
    pub answering: Answering,
    /// The prompt settings.
    pub prompt: PromptWork,
    /// How answers are generated.
    pub decoding: DecodingWork,
    /// Number of predictions per task that are kept for reading.
    pub predictions: u32,
    /// The model.
    pub model: ModelWork,
}

/// A task that is scored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TaskMetrics {
    /// The task.
    pub task: String,
    /// Its metrics; the first fills R.
    pub metrics: Vec<String>,
}

/// The model that answers queries.
#[expect(clippy::large_enum_variant, reason = "a plan holds a few dozen of them, none in a loop")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answering {
    /// The backbone, because nothing is trained.
    Backbone,
    /// The single adapter, which is the only `train/…` input.
    Adapter,
    /// The model of the `merge/…` input.
    Merged,
    /// The expert that the router chooses.
    Routed(RoutingWork),
}

/// Routing of queries to experts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoutingWork {
    /// The router.
    pub router: PluginWork,
    /// The model that answers a query that no expert accepts.
    pub fallback: Fallback,
    /// Whether the router receives the true task of a query.
    pub grant_task: bool,
    /// Maximum number of rounds of probes per query.
    pub max_rounds: u32,
    /// The indicator tokens, if the recipe has indicators.
    pub indicator: Option<IndicatorWork>,
}

/// How answers are generated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecodingWork {
    /// Maximum number of tokens of an answer.
    pub max_new_tokens: u32,
    /// How the next token is chosen.
    pub strategy: Strategy,
    /// The recipe's seed; `None` for greedy decoding.
    pub seed: Option<u64>,
    /// Settings that affect only speed and memory.
    pub pace: DecodingPace,
}

/// Batching of answers. Not part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecodingPace {
    /// Queries per batch.
    pub batch: u32,
}

/// Routes out-of-distribution queries after the last task. Inputs: `prepare-out-of-distribution`; with a router,
/// `backbone` and all `train/…` and `describe/…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutOfDistributionWork {
    /// The tasks learned, oldest first.
    pub learned: Vec<String>,
    /// The model that answers.
    pub answering: Answering,
    /// The prompt settings; `None` without a router.
    pub prompt: Option<PromptWork>,
    /// Decoding of answers that the router requests; `None` without a router.
    pub decoding: Option<DecodingWork>,
    /// Number of queries that are kept for reading.
    pub predictions: u32,
    /// The model; `None` without a router.
    pub model: Option<ModelWork>,
}

/// Writes the report. Inputs: every other stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportWork {
    /// Key of the run. Stages whose manifest has it as `made-by` count as executed, the others as cached.
    pub run: Digest,
    /// Name of the recipe.
    pub name: String,
    /// The paper.
    pub reference: Option<String>,
    /// The method in one sentence.
    pub summary: Option<String>,
    /// The recipe's seed.
    pub seed: u64,
    /// The tasks, in the order of the stream.
    pub tasks: Vec<String>,
    /// Properties of the method that the diagnosis uses.
    pub method: MethodWork,
    /// Backend, plugins and data of the run.
    pub provenance: Provenance,
}

/// Properties of a method that the report uses to show claims and to diagnose the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MethodWork {
    /// The router; `None` without routing.
    pub router: Option<PluginWork>,
    /// The kind of indicators; `None` without indicators.
    pub indicator: Option<IndicatorKind>,
    /// Warm-up steps of experts; `None` without training.
    pub warmup: Option<u32>,
}

/// Backend, precision, plugins and data of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Provenance {
    /// The backend's name.
    pub backend: String,
    /// The precision.
    pub precision: Precision,
    /// The policies.
    pub plugins: Vec<UsedPlugin>,
    /// The files outside the store.
    pub data: Vec<UsedData>,
}

/// A policy that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UsedPlugin {
    /// Its name.
    pub name: String,
    /// Its version, as its component says; empty where it says none.
    pub version: String,
    /// Digest of the component.
    pub digest: Digest,
}

/// A file that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UsedData {
    /// Its path, which is part of the report's key under this name.
    pub file: PathBuf,
    /// Digest of its content.
    pub digest: Digest,
}
