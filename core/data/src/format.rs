//! The dataset formats: a table with one entry per format, and one file per format. All differences between formats
//! must be in this table.

mod alpaca;
mod bounds;
mod cell;
mod chat;
mod csv_rows;
mod field_rows;
mod folder_contents;
mod instructions;
mod json;
mod json_rows;
mod jsonl;
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

/// The location and format of examples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SourceSpec {
    /// Name of a format of [`FORMATS`].
    pub format: String,
    /// File or folder, with variables and `~` already expanded; `None` for a built-in format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Names of the fields, for formats whose fields are configurable (`jsonl`, `parquet`, `chat`).
    #[serde(default)]
    pub fields: FieldMap,
}

/// Names of a row's fields. A field that is named here must be in every row. A field that is not named is looked up by
/// its default name, and only `output` is then required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FieldMap {
    /// Field of the instruction; default `instruction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Field of the input; default `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Field of the answer, or of a list of correct answers whose first is trained on; default `output`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Field of the messages of a conversation; default `messages`, or else `conversations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<String>,
}

/// A dataset format.
#[derive(Debug, Clone, Copy)]
pub struct FormatEntry {
    /// Name in recipes.
    pub name: &'static str,
    /// Version of the rows that the format produces from its files, or of its own rows if it is built in. Part of stage
    /// keys; must be raised when the rows change.
    pub version: u32,
    /// Description of the format and of its file layout.
    pub doc: &'static str,
    /// Paper or repository that the layout comes from, or empty.
    pub reference: &'static str,
    /// Whether it is a corpus, not a stream: its rows are not split into train and test, and both splits return all
    /// rows.
    pub corpus: bool,
    /// Whether its examples may have earlier turns, which not every template can show.
    pub turns: bool,
    /// Whether `path` is required.
    pub needs_path: bool,
    /// Lists the tasks of a source.
    pub tasks: fn(&SourceSpec) -> Result<Vec<String>, DataError>,
    /// Named orders of tasks. The first is the default if the source has all of its tasks.
    pub orders: &'static [(&'static str, &'static [&'static str])],
    /// Lists the files of a split of a task; their digests are part of stage keys.
    pub files: fn(&SourceSpec, &str, Split) -> Result<Vec<PathBuf>, DataError>,
    /// Passes the rows of a split of a task to a sink, in file order.
    pub visit: fn(&SourceSpec, &str, Split, &mut Sink) -> Result<(), DataError>,
    /// Reads a whole corpus in one pass.
    pub whole: Option<WholeSource>,
}

/// Reads a corpus at once, whatever its tasks.
#[derive(Debug, Clone, Copy)]
pub struct WholeSource {
    /// Lists all files without reading rows.
    pub files: fn(&SourceSpec) -> Result<Vec<PathBuf>, DataError>,
    /// Passes all rows to a sink.
    pub visit: fn(&SourceSpec, &mut Sink) -> Result<(), DataError>,
}

/// All formats, in the order of the reference documentation.
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

/// The format with this name.
///
/// # Errors
/// [`DataError::UnknownFormat`], with the known names.
pub fn format(name: &str) -> Result<&'static FormatEntry, DataError> {
    FORMATS.iter().find(|entry| entry.name == name).ok_or_else(|| DataError::UnknownFormat {
        name: name.to_owned(),
        known: FORMATS.iter().map(|entry| entry.name).collect(),
    })
}

/// Parses one JSON value, for files other than datasets.
pub(crate) fn parse_json<T: serde::de::DeserializeOwned>(
    file: &Path,
    bytes: &[u8],
    expected: &str,
) -> Result<T, DataError> {
    json_rows::parse_whole(file, bytes, expected)
}

/// Reads a file with one JSON value, for files other than datasets.
pub(crate) fn parse_json_file<T: serde::de::DeserializeOwned>(
    file: &Path,
    expected: &str,
) -> Result<T, DataError> {
    json_rows::parse_whole(file, &json_rows::read(file, expected)?, expected)
}

/// The path of a source; an error if there is none.
fn path_of<'a>(
    spec: &'a SourceSpec,
    format: &'static str,
    expected: &'static str,
) -> Result<&'a Path, DataError> {
    spec.path.as_deref().ok_or(DataError::PathNeeded { format, expected })
}

/// The error for an unknown task; it lists the most similar names first.
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
