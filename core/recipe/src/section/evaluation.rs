//! `[evaluation]`: tasks, metrics and decoding.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use super::source::Source;

/// The tasks and metrics of evaluation, and when it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Evaluation {
    /// When to evaluate: after each task (all rows of the score matrix R), or only after the last one.
    pub when: When,
    /// The tasks to score: those learned so far, or all (required for forward transfer).
    pub on: On,
    /// The metrics: a list, or a table from task to list with a `default`. The first metric of a list fills R.
    pub metrics: MetricChoice,
    /// How answers are generated.
    pub decoding: Decoding,
    /// Queries that belong to no task of the stream and should be answered by the backbone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_distribution: Option<Source>,
    /// Number of predictions per task that are kept for reading.
    pub predictions: u32,
    /// Examples held out of training, on which the loss is measured while an expert is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            when: When::EachTask,
            on: On::Seen,
            metrics: MetricChoice::default(),
            decoding: Decoding::default(),
            out_of_distribution: None,
            predictions: 20,
            validation: None,
        }
    }
}

/// A validation split: examples of each task that are held out of its training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Validation {
    /// Examples of each task that are held out: the last of its training rows, after they were shuffled and limited.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count: u32,
    /// Optimizer steps between two measurements of their loss. The last step is measured too.
    #[schemars(range(min = 1))]
    pub every: u32,
    /// The weights that an expert ends with: those with the lowest validation loss, or those of the last step.
    #[serde(default)]
    pub keep: Keep,
    /// Stops training early, after this many measurements in a row without a lower loss. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub patience: Option<u32>,
}

/// The weights that an expert ends with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those with the lowest validation loss.
    #[default]
    Best,
    /// Those of the last step.
    Last,
}

/// When tasks are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// After each task: all rows of R.
    EachTask,
    /// After the last task: its last row.
    End,
}

/// Which tasks are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    /// The tasks learned so far.
    Seen,
    /// All tasks of the stream.
    All,
}

/// The metrics of each task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricChoice {
    /// The metrics of every task that is not in `tasks`.
    pub default: Vec<String>,
    /// The metrics of individual tasks.
    pub tasks: BTreeMap<String, Vec<String>>,
}

impl MetricChoice {
    /// The metrics of a task; the first fills R.
    pub fn of(&self, task: &str) -> &[String] {
        self.tasks.get(task).unwrap_or(&self.default)
    }
}

impl Default for MetricChoice {
    fn default() -> Self {
        Self { default: vec!["rouge-l".to_owned()], tasks: BTreeMap::new() }
    }
}

impl Serialize for MetricChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.tasks.is_empty() {
            return self.default.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.tasks.len() + 1))?;
        map.serialize_entry("default", &self.default)?;
        for (task, metrics) in &self.tasks {
            map.serialize_entry(task, metrics)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MetricChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = MetricChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of metrics, or a table from task to list")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, metrics: A) -> Result<MetricChoice, A::Error> {
                let default = Vec::deserialize(de::value::SeqAccessDeserializer::new(metrics))?;
                Ok(MetricChoice { default, tasks: BTreeMap::new() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, table: A) -> Result<MetricChoice, A::Error> {
                let mut tasks: BTreeMap<String, Vec<String>> =
                    BTreeMap::deserialize(de::value::MapAccessDeserializer::new(table))?;
                let default = tasks.remove("default").unwrap_or_else(|| MetricChoice::default().default);
                Ok(MetricChoice { default, tasks })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for MetricChoice {
    fn schema_name() -> Cow<'static, str> {
        "MetricChoice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let list = json_schema!({
            "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "uniqueItems": true,
        });
        json_schema!({
            "oneOf": [list, { "type": "object", "additionalProperties": list }],
            "x-expected": "a list of metrics, or a table from task to list",
        })
    }
}

/// How answers are generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Decoding {
    /// Maximum number of tokens of an answer.
    #[schemars(range(min = 1))]
    pub max_new_tokens: u32,
    /// `greedy`, or `{ sample = { temperature = 0.9, top-p = 0.6 } }`.
    pub strategy: Strategy,
    /// Queries per batch. Affects speed and memory, not answers.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch: u32,
}

impl Default for Decoding {
    fn default() -> Self {
        Self { max_new_tokens: 512, strategy: Strategy::Greedy, batch: 32 }
    }
}

/// How the next token is chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The most probable token.
    Greedy,
    /// A token sampled from the distribution, with a seed derived from the query.
    Sample(Sampling),
}

/// Sampling of the next token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Sampling {
    /// Divisor of the logits: below 1 sharpens the distribution, above 1 flattens it.
    #[schemars(range(max = 100.0), extend("exclusiveMinimum" = 0.0))]
    pub temperature: f64,
    /// Nucleus sampling: samples from the most probable tokens that together reach this probability.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub top_p: f64,
    /// Divisor of the logits of tokens that were already generated; 1 disables it.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub repetition_penalty: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, repetition_penalty: 1.0 }
    }
}
