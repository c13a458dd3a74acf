//! What the stages read that measure: rows of R, queries of no task, the report.

use std::path::PathBuf;

use cadre_recipe::{Fallback, IndicatorKind, Precision, Strategy};
use cadre_store::Digest;
use serde::{Deserialize, Serialize};

use super::parts::{IndicatorWork, ModelWork, PluginWork, PromptWork};

/// Scores one row of R: what can be answered after `learned` tasks, on `queries`. Inputs: `backbone`; `prepare/…` of the
/// queried tasks; the adapters that may answer (`train/…`, oldest first) and their `describe/…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EvaluateWork {
    /// The tasks learned so far, oldest first.
    pub learned: Vec<String>,
    /// The tasks that are scored, in the order of the stream, each with its metrics.
    pub queries: Vec<TaskMetrics>,
    /// Who answers.
    pub answering: Answering,
    /// How prompts are made.
    pub prompt: PromptWork,
    /// How answers are generated.
    pub decoding: DecodingWork,
    /// How many predictions of each task are kept to be read.
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
    /// Its metrics; the first is its score in R.
    pub metrics: Vec<String>,
}

/// Who answers queries.
#[expect(clippy::large_enum_variant, reason = "a plan holds a few dozen of them, none in a loop")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answering {
    /// The backbone: nothing was trained.
    Backbone,
    /// The one adapter there is, the only `train/…` input.
    Adapter,
    /// Whom the router names.
    Routed(RoutingWork),
}

/// Who answers a query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoutingWork {
    /// The router.
    pub router: PluginWork,
    /// Who answers what no expert takes.
    pub fallback: Fallback,
    /// Whether the router may know the true task of a query.
    pub grant_task: bool,
    /// How often it may ask about one query.
    pub max_rounds: u32,
    /// The indicator tokens, where experts claim.
    pub indicator: Option<IndicatorWork>,
}

/// How answers are generated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecodingWork {
    /// The most tokens of an answer.
    pub max_new_tokens: u32,
    /// How the next token is chosen.
    pub strategy: Strategy,
    /// The recipe's seed; none where decoding draws nothing.
    pub seed: Option<u64>,
    /// What changes nothing but speed and memory.
    pub pace: DecodingPace,
}

/// In which pieces answers are generated. Not part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecodingPace {
    /// Queries answered together.
    pub batch: u32,
}

/// Routes queries of no task, after the last task. Inputs: `prepare-out-of-distribution`; where there is a router,
/// `backbone` and all `train/…` and `describe/…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutOfDistributionWork {
    /// The tasks learned, oldest first.
    pub learned: Vec<String>,
    /// Who answers.
    pub answering: Answering,
    /// How prompts are made; none without a router.
    pub prompt: Option<PromptWork>,
    /// How answers are generated, should the router ask for one; none without a router.
    pub decoding: Option<DecodingWork>,
    /// How many queries are kept to be read.
    pub predictions: u32,
    /// The model; none without a router.
    pub model: Option<ModelWork>,
}

/// Writes the report. Inputs: every other stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportWork {
    /// Key of the run: stages whose manifest says `made-by` this count as run, the others as cached.
    pub run: Digest,
    /// Name of the recipe.
    pub name: String,
    /// The paper.
    pub reference: Option<String>,
    /// The method in a sentence.
    pub summary: Option<String>,
    /// The recipe's seed.
    pub seed: u64,
    /// The tasks, in the order of the stream.
    pub tasks: Vec<String>,
    /// What the report needs to know of the method to judge the run.
    pub method: MethodWork,
    /// What the run was made with.
    pub provenance: Provenance,
}

/// What a report needs to know of a method to show its claims and to diagnose it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MethodWork {
    /// The router; none where nothing is routed.
    pub router: Option<PluginWork>,
    /// What indicators are to the tokenizer; none where experts claim nothing.
    pub indicator: Option<IndicatorKind>,
    /// Optimizer steps over which the learning rate of experts rises; none where none is trained.
    pub warmup: Option<u32>,
}

/// What a run was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Provenance {
    /// The backend's name.
    pub backend: String,
    /// The numbers.
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
    /// Where it lay. Under this name it is part of the report's key.
    pub file: PathBuf,
    /// Digest of its content.
    pub digest: Digest,
}
