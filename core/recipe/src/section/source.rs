//! A set of examples a recipe reads beside its stream: a corpus, pseudo-negatives, out-of-distribution queries. It
//! never reads a file.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Examples read from a dataset: which format, where, which of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Source {
    /// The dataset format, as in `stream.format`, or `instructions` or `text` for a corpus.
    #[schemars(length(min = 1))]
    pub format: String,
    /// The file or folder, or `hf://datasets/ORG/NAME` of Hugging Face's Hub. `$NAME` and `~` are expanded; a relative
    /// path starts at the file that names it. Built-in formats need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "path"))]
    pub path: Option<PathBuf>,
    /// The tasks to read; empty for all.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// Which part of the dataset to read.
    #[serde(default)]
    pub split: Split,
    /// At most so many examples, drawn by a seeded shuffle; all where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub limit: Option<usize>,
    /// How many of them each task takes (pseudo-negatives); all where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub count: Option<usize>,
    /// Names of the fields of a row (`jsonl` and `parquet`), or of the list of messages (`chat`).
    #[serde(default)]
    pub fields: FieldMap,
}

/// Which part of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// What is trained on.
    #[default]
    Train,
    /// What is evaluated on.
    Test,
}

/// Under which names a row of `jsonl` or `parquet` keeps its parts, and one of `chat` its messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct FieldMap {
    /// The field of the instruction.
    #[schemars(length(min = 1))]
    pub instruction: String,
    /// The field of the input; a row may lack it.
    #[schemars(length(min = 1))]
    pub input: String,
    /// The field of the response; a list gives several references, of which the first is learned.
    #[schemars(length(min = 1))]
    pub output: String,
    /// The field of a conversation's messages (`chat` only); `messages`, or else `conversations`, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub messages: Option<String>,
}

impl FieldMap {
    /// The fields that rows of a format have to name; none for most.
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
