//! The recipe: its top-level keys and its sections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backbone::Backbone;
use super::device::Device;
use super::evaluation::Evaluation;
use super::expert::Expert;
use super::indicator::Indicator;
use super::rehearsal::Rehearsal;
use super::routing::Routing;
use super::stream::Stream;
use super::sweep::Sweep;

/// An experiment in continual fine-tuning: the model, the stream of tasks, the training of experts, rehearsal, routing
/// and evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// The name of the experiment, from which the names of its runs derive: letters, digits, `-`, `_` and `.`. Default:
    /// the name of the file. Not inherited.
    #[schemars(extend("format" = "name"))]
    pub name: String,
    /// The paper that describes the method. Not inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The method in one sentence, for the report. Not inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The seed from which all random numbers derive, except those of the pretrained backbone.
    #[serde(default)]
    pub seed: u64,
    /// Backend and precision.
    #[serde(default)]
    pub device: Device,
    /// The frozen model that all experts share.
    pub backbone: Backbone,
    /// The dataset, its tasks and their order.
    pub stream: Stream,
    /// The adapters to train. Without it, nothing is trained (zero-shot).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<Expert>,
    /// The tokens with which experts claim or reject queries. Without it, experts make no claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indicator: Option<Indicator>,
    /// The replay buffer: examples kept from earlier tasks. Without it, nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// The choice of the expert that answers a query. Required with one expert per task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Tasks, metrics and decoding.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// Variations of the recipe that are run together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}
