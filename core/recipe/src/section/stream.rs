//! `[stream]`: the dataset, its tasks and their order.

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
    /// The dataset's folder, or `hf://datasets/ORG/NAME[@REVISION][/FOLDER]` on Hugging Face's Hub, which is downloaded
    /// into the local Hub cache if it is not there. `$NAME` and `~` are expanded; a relative path starts at the folder
    /// of the file that contains it. Built-in formats have no path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub path: Option<PathBuf>,
    /// The order: a list of task names, or the name of an order that the format defines.
    #[serde(default)]
    pub order: Order,
    /// Maximum number of examples per task.
    #[serde(default)]
    pub limits: Limits,
    /// The prompt template: `plain`, `alpaca`, `chat` (the tokenizer's own template), or
    /// `{ file = "my.jinja" }`.
    #[serde(default)]
    pub template: Template,
    /// Names of the fields of a row (`jsonl` and `parquet`), or of the field with the messages (`chat`).
    #[serde(default)]
    pub fields: FieldMap,
    /// The seed of the shuffle that draws examples of limited tasks. Default: the recipe's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// The order in which tasks are learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// An order that the format defines; `default` is its standard order.
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

/// Maximum number of examples per task, drawn by a seeded shuffle.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// Maximum number of training examples. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub train: Option<usize>,
    /// Maximum number of test examples. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub test: Option<usize>,
}

/// The template that turns instruction and input into a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Template {
    /// The instruction, an empty line, the input.
    #[default]
    Plain,
    /// The template of Stanford Alpaca.
    Alpaca,
    /// The chat template of the tokenizer.
    Chat,
    /// A Jinja template with the variables `instruction`, `input`, `task` and `turns` (earlier messages, each with
    /// `role` and `content`).
    File(#[schemars(extend("format" = "path"))] PathBuf),
}
