//! `[indicator]`: the tokens by which an expert accepts or rejects a query. It never sees a tokenizer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tokens by which an expert says whether a query is its own. They stand between prompt and response; their
/// probabilities are the expert's claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Indicator {
    /// What stands before the response to a query of the expert's own task.
    #[schemars(length(min = 1))]
    pub accept: String,
    /// What stands after a query that is not the expert's.
    #[schemars(length(min = 1))]
    pub reject: String,
    /// What the two are to the tokenizer.
    pub kind: IndicatorKind,
}

impl Default for Indicator {
    fn default() -> Self {
        Self { accept: "<accept>".to_owned(), reject: "<reject>".to_owned(), kind: IndicatorKind::NewToken }
    }
}

/// What indicators are to the tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IndicatorKind {
    /// New tokens, whose embedding and head rows are trained and belong to the expert.
    NewToken,
    /// Single tokens that the tokenizer has already.
    ExistingToken,
    /// Any text, of one token or several.
    Text,
}
