//! `[indicator]`: the tokens by which an expert accepts or rejects a query. It never sees a tokenizer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tokens by which an expert says whether a query is its own. They stand between prompt and response; their
/// probabilities are the expert's claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// How many times as much as any other token the indicator's tokens count in the loss of an expert. An indicator is
    /// one token beside a response of many: with 1, a batch of long responses teaches little about whose query it is.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1000.0))]
    pub loss_weight: f64,
    /// Words that the backbone knows, from whose embedding and head rows the rows of new tokens start. Without it they
    /// start at the mean row of the vocabulary. Only with `kind = "new-token"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_from: Option<IndicatorWords>,
}

/// Words that stand for acceptance and for rejection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IndicatorWords {
    /// The accepting token starts at the mean row of this text's tokens.
    #[schemars(length(min = 1))]
    pub accept: String,
    /// The rejecting token starts at the mean row of this text's tokens.
    #[schemars(length(min = 1))]
    pub reject: String,
}

impl Default for Indicator {
    fn default() -> Self {
        Self {
            accept: "<accept>".to_owned(),
            reject: "<reject>".to_owned(),
            kind: IndicatorKind::NewToken,
            loss_weight: 1.0,
            start_from: None,
        }
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
