//! `[indicator]`: the tokens with which an expert accepts or rejects a query.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tokens with which an expert accepts or rejects a query. They stand between prompt and response; their
/// probabilities are the expert's claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Indicator {
    /// The token or text before the response to a query of the expert's own task.
    #[schemars(length(min = 1))]
    pub accept: String,
    /// The token or text after a query of another task.
    #[schemars(length(min = 1))]
    pub reject: String,
    /// How the tokenizer represents the two.
    pub kind: IndicatorKind,
    /// Weight of the indicator's tokens in the loss of an expert, relative to other tokens. An indicator is one token
    /// beside a response of many: with a weight of 1, a batch of long responses teaches little about which queries to
    /// accept.
    #[schemars(extend("exclusiveMinimum" = 0.0), range(max = 1000.0))]
    pub loss_weight: f64,
    /// Words of the backbone's vocabulary whose embedding and head rows initialise the rows of new tokens. Default: the
    /// mean row of the vocabulary. Only with `kind = "new-token"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_from: Option<IndicatorWords>,
}

/// Words that initialise the rows of the two new tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IndicatorWords {
    /// The accepting token is initialised with the mean row of this text's tokens.
    #[schemars(length(min = 1))]
    pub accept: String,
    /// The rejecting token is initialised with the mean row of this text's tokens.
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

/// How the tokenizer represents indicators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IndicatorKind {
    /// New tokens, whose embedding and head rows are trained and belong to the expert.
    NewToken,
    /// Single tokens of the existing vocabulary.
    ExistingToken,
    /// Any text, of one token or several.
    Text,
}
