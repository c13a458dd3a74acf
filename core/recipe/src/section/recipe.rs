//! The whole recipe: its head and its sections. It never checks one against another.

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

/// An experiment in continual fine-tuning: which model, which stream of tasks, how experts are trained, what is
/// rehearsed, how queries are routed, what is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// The name of the experiment; runs are named after it. Letters, digits, `-`, `_` and `.`; the file's name where
    /// it is left out. It is not inherited.
    #[schemars(extend("format" = "name"))]
    pub name: String,
    /// The paper the method is from. It is not inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The method in a sentence, for the report. It is not inherited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The seed from which everything random is derived, but for the backbone.
    #[serde(default)]
    pub seed: u64,
    /// Where it is computed.
    #[serde(default)]
    pub device: Device,
    /// The frozen model under all experts.
    pub backbone: Backbone,
    /// The tasks, in the order in which they are learned.
    pub stream: Stream,
    /// What is trained; nothing where it is left out (zero-shot).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert: Option<Expert>,
    /// The tokens by which experts claim queries; experts claim nothing where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub indicator: Option<Indicator>,
    /// What is kept of earlier tasks; nothing where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsal>,
    /// Who answers a query; needed where there is an expert a task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// What is measured.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// The same recipe, many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<Sweep>,
}
