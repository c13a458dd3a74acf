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
    /// Values of `seed`.
    #[schemars(extend("uniqueItems" = true))]
    pub seeds: Vec<u64>,
    /// Values of `stream.order`, each with a name.
    pub orders: BTreeMap<String, Order>,
}
