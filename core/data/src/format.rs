//! The dataset formats: one table line and one file each. Only reads; tells no format from another but here.

mod alpaca;
mod bounds;
mod cell;
mod chat;
mod csv_rows;
mod field_rows;
mod instructions;
mod json;
mod json_rows;
mod jsonl;
mod lying;
mod natural_instructions;
mod opened;
mod parquet;
mod parquet_file;
mod rows;
mod sink;
mod superni;
mod synthetic;
mod task_files;
mod task_folders;
mod text;
mod trace;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::example::Split;
pub(crate) use json_rows::{parse_lines as parse_json_lines, read as read_file, shorten};
pub(crate) use opened::ending as row_ending;
pub(crate) use rows::ENDINGS as ROW_ENDINGS;
pub use sink::{Note, Sink};

/// Where examples come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SourceSpec {
    /// Name of a format of [`FORMATS`].
    pub format: String,
    /// File or folder, with variables and `~` already put in; none for a built-in format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Names of the fields, for formats that leave them open (`jsonl`, `parquet`, `chat`).
    #[serde(default)]
    pub fields: FieldMap,
}

/// Names of a row's fields. A field that is named must stand in every row; one that is not named is looked for
/// under its own name, and only `output` must then be there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FieldMap {
    /// What is to be done; default `instruction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// What it is to be done to; default `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The answer, or a list of right answers of which the first is learnt; default `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The messages of a conversation; default `messages`, else `conversations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
}

/// One dataset format.
#[derive(Debug, Clone, Copy)]
pub struct FormatEntry {
    /// Name in recipes.
    pub name: &'static str,
    /// Version of what it makes of its files, or of its own rows where it is built in: part of stage keys, raised
    /// when rows change.
    pub version: u32,
    /// What it is and how its files lie.
    pub doc: &'static str,
    /// Paper or repository the layout comes from; empty where there is none.
    pub reference: &'static str,
    /// Whether it is a corpus, not a stream: its rows are not divided into train and test, and both splits give all.
    pub corpus: bool,
    /// Whether its examples may have earlier turns, which not every template can show.
    pub turns: bool,
    /// Whether `path` must be given.
    pub needs_path: bool,
    /// Tasks there are.
    pub tasks: fn(&SourceSpec) -> Result<Vec<String>, DataError>,
    /// Named orders of tasks; the first is the default where the source has all of its tasks.
    pub orders: &'static [(&'static str, &'static [&'static str])],
    /// Files a split of a task is read from; their digests go into stage keys.
    pub files: fn(&SourceSpec, &str, Split) -> Result<Vec<PathBuf>, DataError>,
    /// Gives a split of a task to a sink, in the order of the files.
    pub visit: fn(&SourceSpec, &str, Split, &mut Sink) -> Result<(), DataError>,
    /// All of a corpus in one pass.
    pub whole: Option<WholeSource>,
}

/// How a corpus is read at once, whatever tasks it holds.
#[derive(Debug, Clone, Copy)]
pub struct WholeSource {
    /// All its files; no row is read for it.
    pub files: fn(&SourceSpec) -> Result<Vec<PathBuf>, DataError>,
    /// Gives all its rows to a sink.
    pub visit: fn(&SourceSpec, &mut Sink) -> Result<(), DataError>,
}

/// The formats, in the order of the reference.
pub const FORMATS: &[FormatEntry] = &[
    FormatEntry {
        name: "synthetic",
        version: synthetic::VERSION,
        doc: synthetic::DOC,
        reference: "",
        corpus: false,
        turns: false,
        needs_path: false,
        tasks: synthetic::tasks,
        orders: synthetic::ORDERS,
        files: |_, _, _| Ok(Vec::new()),
        visit: synthetic::visit,
        whole: None,
    },
    FormatEntry {
        name: "jsonl",
        version: 2,
        doc: jsonl::DOC,
        reference: "",
        corpus: false,
        turns: false,
        needs_path: true,
        tasks: jsonl::tasks,
        orders: &[],
        files: jsonl::files,
        visit: jsonl::visit,
        whole: None,
    },
    FormatEntry {
        name: "parquet",
        version: 2,
        doc: parquet::DOC,
        reference: "https://parquet.apache.org",
        corpus: false,
        turns: false,
        needs_path: true,
        tasks: parquet::tasks,
        orders: &[],
        files: parquet::files,
        visit: parquet::visit,
        whole: None,
    },
    FormatEntry {
        name: "alpaca",
        version: 2,
        doc: alpaca::DOC,
        reference: "https://github.com/tatsu-lab/stanford_alpaca",
        corpus: false,
        turns: true,
        needs_path: true,
        tasks: alpaca::tasks,
        orders: &[],
        files: alpaca::files,
        visit: alpaca::visit,
        whole: None,
    },
    FormatEntry {
        name: "chat",
        version: 2,
        doc: chat::DOC,
        reference: "https://huggingface.co/docs/transformers/chat_templating",
        corpus: false,
        turns: true,
        needs_path: true,
        tasks: chat::tasks,
        orders: &[],
        files: chat::files,
        visit: chat::visit,
        whole: None,
    },
    FormatEntry {
        name: "superni",
        version: 2,
        doc: superni::DOC,
        reference: "arXiv 2204.07705; task choice of arXiv 2403.01244",
        corpus: false,
        turns: false,
        needs_path: true,
        tasks: superni::tasks,
        orders: superni::ORDERS,
        files: superni::files,
        visit: superni::visit,
        whole: None,
    },
    FormatEntry {
        name: "natural-instructions",
        version: 2,
        doc: natural_instructions::DOC,
        reference: "https://github.com/allenai/natural-instructions",
        corpus: false,
        turns: false,
        needs_path: true,
        tasks: natural_instructions::tasks,
        orders: &[],
        files: natural_instructions::files,
        visit: natural_instructions::visit,
        whole: None,
    },
    FormatEntry {
        name: "trace",
        version: 2,
        doc: trace::DOC,
        reference: "arXiv 2310.06762",
        corpus: false,
        turns: false,
        needs_path: true,
        tasks: trace::tasks,
        orders: trace::ORDERS,
        files: trace::files,
        visit: trace::visit,
        whole: None,
    },
    FormatEntry {
        name: "instructions",
        version: 2,
        doc: instructions::DOC,
        reference: "",
        corpus: true,
        turns: false,
        needs_path: true,
        tasks: instructions::tasks,
        orders: &[],
        files: |spec, _, _| instructions::all_files(spec),
        visit: |spec, _, _, sink| instructions::visit(spec, sink),
        whole: Some(WholeSource { files: instructions::all_files, visit: instructions::visit }),
    },
    FormatEntry {
        name: "text",
        version: 1,
        doc: text::DOC,
        reference: "",
        corpus: true,
        turns: false,
        needs_path: true,
        tasks: text::tasks,
        orders: &[],
        files: text::files,
        visit: text::visit,
        whole: Some(WholeSource { files: text::all_files, visit: text::visit_all }),
    },
];

/// The format of this name.
///
/// # Errors
/// [`DataError::UnknownFormat`], with the names there are.
pub fn format(name: &str) -> Result<&'static FormatEntry, DataError> {
    FORMATS.iter().find(|entry| entry.name == name).ok_or_else(|| DataError::UnknownFormat {
        name: name.to_owned(),
        known: FORMATS.iter().map(|entry| entry.name).collect(),
    })
}

/// One JSON value, for what is beside datasets.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(
    file: &Path,
    bytes: &[u8],
    expected: &str,
) -> Result<T, DataError> {
    json_rows::parse_whole(file, bytes, expected)
}

/// A file of one JSON value, for what is beside datasets.
pub(crate) fn parse_json_file<T: serde::de::DeserializeOwned>(
    file: &Path,
    expected: &str,
) -> Result<T, DataError> {
    json_rows::parse_whole(file, &json_rows::read(file, expected)?, expected)
}

/// The path of a source that needs one.
fn path_of<'a>(
    spec: &'a SourceSpec,
    format: &'static str,
    expected: &'static str,
) -> Result<&'a Path, DataError> {
    spec.path.as_deref().ok_or(DataError::PathNeeded { format, expected })
}

/// The error for a task that is not there, the most similar names first.
pub(crate) fn unknown_task(task: &str, place: String, mut known: Vec<String>) -> DataError {
    const LISTED: usize = 12;
    known.sort_by_key(|name| strsim::damerau_levenshtein(name, task));
    let more = known.len().saturating_sub(LISTED);
    known.truncate(LISTED);
    if more > 0 {
        known.push(format!("{more} more"));
    }
    DataError::UnknownTask { task: task.to_owned(), place, known }
}

#[cfg(test)]
mod tests;
