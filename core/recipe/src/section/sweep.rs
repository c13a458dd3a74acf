//! `[sweep]`: the points of a sweep.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stream::Order;

/// Variations of the recipe: every point of a grid, for every seed and every order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Sweep {
    /// Values per key: `{ "routing.router.threshold" = [0.3, 0.5] }`. All combinations are run.
    pub grid: BTreeMap<String, Vec<Value>>,
    /// Values per key that vary together: the first of each list, the second of each, and so on. All lists have the
    /// same length; each row of them is combined with every point of the grid.
    pub zip: BTreeMap<String, Vec<Value>>,
    /// Random search: each draw is a row of values, combined with the grid like a row of `zip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomSearch>,
    /// Values of `seed`. Runs that differ only in seed and order are replicates, whose mean and standard deviation are
    /// reported.
    #[schemars(extend("uniqueItems" = true))]
    pub seeds: Vec<u64>,
    /// Values of `stream.order`, each with a name.
    pub orders: BTreeMap<String, Order>,
    /// The setting that the others are compared with: the name of a recipe or a setting (`see[threshold=0.5]`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub baseline: Option<String>,
}

/// Random search: rows of values drawn by a seed of its own (Bergstra & Bengio 2012).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RandomSearch {
    /// Number of rows.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: u32,
    /// The seed of the draws. The first ten rows of twenty are the rows of ten.
    #[serde(default)]
    pub seed: u64,
    /// The distribution of each key's value.
    pub keys: BTreeMap<String, Draw>,
}

/// The distribution of a value: a list or a range. Exactly one of `choice` and `between` is given.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Draw {
    /// Values of equal probability.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choice: Vec<Value>,
    /// Lower and upper bound of a uniform distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<[f64; 2]>,
    /// Whether the logarithm of the value is uniform; both bounds must be above 0.
    pub log: bool,
    /// Whether the value is a whole number.
    pub integer: bool,
}
