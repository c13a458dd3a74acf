//! `[stream]`: the tasks, in the order in which they are learned. It never reads a dataset.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::source::FieldMap;

/// The task stream: a dataset, and the order in which its tasks are learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stream {
    /// The dataset format: `synthetic`, `jsonl`, `parquet`, `alpaca`, `chat`, `superni`, `natural-instructions` or
    /// `trace`.
    #[schemars(length(min = 1))]
    pub format: String,
    /// The dataset's folder, or `hf://datasets/ORG/NAME[@REVISION][/FOLDER]` of Hugging Face's Hub: from its cache, or
    /// fetched into it. `$NAME` and `~` are expanded; a relative path starts at the file that names it. Built-in formats
    /// need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub path: Option<PathBuf>,
    /// The order: a list of task names, or the name of an order that the format knows.
    #[serde(default)]
    pub order: Order,
    /// The most examples of a task.
    #[serde(default)]
    pub limits: Limits,
    /// How instruction and input become a prompt: `plain`, `alpaca`, `chat` (the tokenizer's own template), or
    /// `{ file = "my.jinja" }`.
    #[serde(default)]
    pub template: Template,
    /// Names of the fields of a row (`jsonl` and `parquet`), or of the list of messages (`chat`).
    #[serde(default)]
    pub fields: FieldMap,
    /// The seed by which limited tasks are drawn; the recipe's where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// The order in which tasks are learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// An order the format knows; `default` is its own.
    Named(String),
    /// These tasks.
    Tasks(Vec<String>),
}

impl Default for Order {
    fn default() -> Self {
        Self::Named("default".to_owned())
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(name) => serializer.serialize_str(name),
            Self::Tasks(tasks) => tasks.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Order;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of tasks, or the name of an order")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Order, E> {
                Ok(Order::Named(name.to_owned()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, tasks: A) -> Result<Order, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(tasks)).map(Order::Tasks)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Order {
    fn schema_name() -> Cow<'static, str> {
        "Order".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1, "uniqueItems": true },
            ],
            "x-expected": "a list of tasks, or the name of an order",
        })
    }
}

/// The most examples of a task; drawn by a seeded shuffle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// The most training examples; all where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// The most test examples; all where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub test: Option<usize>,
}

/// How instruction and input become a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// The instruction, an empty line, the input.
    #[default]
    Plain,
    /// The template of Stanford Alpaca.
    Alpaca,
    /// The chat template that the tokenizer brings.
    Chat,
    /// A Jinja file, given `instruction`, `input`, `task` and `turns` (earlier messages, each with `role` and `content`).
    File(#[schemars(extend("format" = "path"))] PathBuf),
}
