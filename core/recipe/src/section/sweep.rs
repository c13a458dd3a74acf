//! `[sweep]`: the same recipe, many times. It never runs one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stream::Order;

/// The same recipe at every point of a grid, for every seed and every order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Sweep {
    /// Values of keys: `{ "routing.router.threshold" = [0.3, 0.5] }`. All combinations are run.
    pub grid: BTreeMap<String, Vec<Value>>,
    /// Values of keys that go together: the first of each list, the second of each, and so on. All lists are equally
    /// long; each row of them is combined with every point of the grid.
    pub zip: BTreeMap<String, Vec<Value>>,
    /// Values that are drawn, each draw a row as one of `zip` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomSearch>,
    /// Values of `seed`. Runs that differ in nothing but seed and order are replicates: a report gives their mean and
    /// deviation.
    #[schemars(extend("uniqueItems" = true))]
    pub seeds: Vec<u64>,
    /// Values of `stream.order`, each with a name.
    pub orders: BTreeMap<String, Order>,
    /// What the others are compared with: the name of a recipe or a setting (`see[threshold=0.5]`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub baseline: Option<String>,
}

/// Random search: rows of values drawn by a seed of its own (Bergstra & Bengio 2012).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RandomSearch {
    /// How many rows.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: u32,
    /// The seed of the draw. More rows go on where fewer end: the first ten of twenty are the ten of ten.
    #[serde(default)]
    pub seed: u64,
    /// From where each key's value is drawn.
    pub keys: BTreeMap<String, Draw>,
}

/// Where a value is drawn from: a list, or a range. Exactly one of `choice` and `between`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Draw {
    /// One of these, each as likely as the others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choice: Vec<Value>,
    /// A number from the first, which is the smaller, to the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<[f64; 2]>,
    /// Whether orders of magnitude are as likely as each other, in place of numbers; both bounds are above 0 then.
    pub log: bool,
    /// Whether the number is a whole one.
    pub integer: bool,
}
