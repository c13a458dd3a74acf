//! Examples from outside the stream: a pretraining corpus, pseudo-negatives, out-of-distribution queries.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Examples of a dataset: its format, its path, and the selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    /// The dataset format, as in `stream.format`, or `instructions` or `text` for a corpus.
    #[schemars(length(min = 1))]
    pub format: String,
    /// The file or folder, or `hf://datasets/ORG/NAME` on Hugging Face's Hub. `$NAME` and `~` are expanded; a relative
    /// path starts at the folder of the file that contains it. Built-in formats have no path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub path: Option<PathBuf>,
    /// The tasks to read; an empty list means all.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// The split to read.
    #[serde(default)]
    pub split: Split,
    /// Maximum number of examples, drawn by a seeded shuffle. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<usize>,
    /// Number of examples that each task draws from them (only for pseudo-negatives). Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub count: Option<usize>,
    /// Names of the fields of a row (`jsonl` and `parquet`), or of the field with the messages (`chat`).
    #[serde(default)]
    pub fields: FieldMap,
}

/// A split of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The training examples.
    #[default]
    Train,
    /// The test examples.
    Test,
}

/// The field names of a row of `jsonl` or `parquet`, and of the messages in a row of `chat`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FieldMap {
    /// The field of the instruction.
    #[schemars(length(min = 1))]
    pub instruction: String,
    /// The field of the input, which is optional in a row.
    #[schemars(length(min = 1))]
    pub input: String,
    /// The field of the response. A list holds several references, of which the first is the training target.
    #[schemars(length(min = 1))]
    pub output: String,
    /// The field of a conversation's messages (`chat` only). Default: `messages`, or else `conversations`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub messages: Option<String>,
}

impl FieldMap {
    /// The configurable field names of a format; empty for most formats.
    pub(crate) fn of_format(format: &str) -> &'static [&'static str] {
        match format {
            "jsonl" | "parquet" => &["instruction", "input", "output"],
            "chat" => &["messages"],
            _ => &[],
        }
    }
}

impl Default for FieldMap {
    fn default() -> Self {
        Self {
            instruction: "instruction".to_owned(),
            input: "input".to_owned(),
            output: "output".to_owned(),
            messages: None,
        }
    }
}
