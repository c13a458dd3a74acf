//! `[rehearsal]`: what is kept of earlier tasks and mixed into the next one. It never selects.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plugin_use::PluginUse;
use super::source::Source;

/// What is kept of earlier tasks, and what a new expert learns from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rehearsal {
    /// The data-selection policy and its budget: exactly one of `share` (of a task) and `count`.
    pub selector: PluginUse,
    /// What the remembered examples are to the new expert.
    pub role: Role,
    /// Whether a negative's response is learned after the reject indicator.
    #[serde(default)]
    pub negatives_keep_response: bool,
    /// Further negatives, from outside the stream: without them the first expert has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseudo_negatives: Option<Source>,
    /// What the selector may find out beyond the data and the backbone: `experts` lets it ask experts (losses, generated
    /// text). Choosing then waits for experts, which can no longer be trained side by side.
    #[serde(default)]
    #[schemars(extend("uniqueItems" = true))]
    pub grant: Vec<RehearsalGrant>,
}

/// Something a selector may find out beyond the data and the backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RehearsalGrant {
    /// What experts say: the newest one's losses, and text that any of them generates.
    Experts,
}

/// What remembered examples are to a new expert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Queries to reject; needs `[indicator]`.
    Negative,
    /// Examples to learn again.
    Positive,
}
