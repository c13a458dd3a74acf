//! `[routing]`: the router, or the merge, and its settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::method_use::MethodUse;
use super::plugin_use::PluginUse;

/// The choice of the expert that answers a query: by a router, or by merging the experts into one. Exactly one of
/// `router` and `merge`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Routing {
    /// The routing policy and its settings. A router that uses claims requires `[indicator]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<PluginUse>,
    /// A merge and its settings: after each task, the experts trained so far are merged into the weights of the
    /// backbone, and that model answers all queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MethodUse>,
    /// The model that answers a query that no expert accepts.
    #[serde(default)]
    pub fallback: Fallback,
    /// Information that the router receives in addition: `task` is the true task of a query (an oracle).
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub grant: Vec<Grant>,
    /// Descriptors that are computed for each trained expert, for routers that use them.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub descriptors: Vec<Descriptor>,
    /// Maximum number of rounds of probes per query before the router must decide.
    #[serde(default = "max_rounds")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_rounds: u32,
}

fn max_rounds() -> u32 {
    64
}

/// The model that answers a query that no expert accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The backbone.
    #[default]
    Backbone,
}

/// Information that a router receives in addition to the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// The true task of the query.
    Task,
}

/// A descriptor of a trained expert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Descriptor {
    /// The L2-normalised mean of the backbone's embeddings of its training prompts.
    PromptCentroid,
}
