//! `[routing]`: who answers a query. It never routes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plugin_use::PluginUse;

/// Who answers a query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Routing {
    /// The routing policy and its settings. A router that asks experts for claims needs `[indicator]`.
    pub router: PluginUse,
    /// Who answers what no expert takes.
    #[serde(default)]
    pub fallback: Fallback,
    /// What the router may know beyond what it finds out: `task` is the true task of a query (an oracle).
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub grant: Vec<Grant>,
    /// What is noted of an expert when it has been trained, for routers that look at it.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub descriptors: Vec<Descriptor>,
    /// How often the router may ask about one query before it must answer.
    #[serde(default = "max_rounds")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_rounds: u32,
}

fn max_rounds() -> u32 {
    64
}

/// Who answers what no expert takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fallback {
    /// The backbone.
    #[default]
    Backbone,
}

/// Something a router may know that a query does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// The true task of the query.
    Task,
}

/// Something noted of an expert when it has been trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Descriptor {
    /// The L2-normalised mean of the backbone's embeddings of its training prompts.
    PromptCentroid,
}
