//! Errors of datasets, templates and tokenizers, with the location and what was expected there.

use std::path::PathBuf;

use thiserror::Error;

/// An error in reading, rendering or tokenising data. Messages fit after "failed to {…}: ".
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("{}", file.display())]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A required file or folder does not exist.
    #[error("{}: not found; expected {expected}", file.display())]
    NotThere {
        /// The expected location.
        file: PathBuf,
        /// What should be there.
        expected: String,
    },
    /// A row of a text file does not conform to the format.
    #[error("{}:{line}: expected {expected}, found `{snippet}`", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What was expected.
        expected: String,
        /// The beginning of the row, or the place where it breaks.
        snippet: String,
    },
    /// A row of a table does not conform to the format.
    #[error("{}, row {row}: expected {expected}, found `{snippet}`", file.display())]
    TableRow {
        /// The file.
        file: PathBuf,
        /// Row number, from 1.
        row: usize,
        /// What was expected.
        expected: String,
        /// The beginning of the row.
        snippet: String,
    },
    /// A table lacks a required column.
    #[error("{}: no column `{wanted}`; the columns are {}", file.display(), columns.join(", "))]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The required column.
        wanted: String,
        /// The table's columns.
        columns: Vec<String>,
    },
    /// A column has a type that examples cannot be made of.
    #[error("{}: column `{column}` is {found}; expected text, numbers, booleans, lists of these, or a list of messages", file.display())]
    ColumnType {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// The column's type.
        found: String,
    },
    /// A file exceeds a limit for external files.
    #[error("{place}: {found}; the limit is {limit}")]
    Bound {
        /// The file, with the line or row if there is one.
        place: String,
        /// What was found.
        found: String,
        /// The limit, and what to do.
        limit: String,
    },
    /// The number of a file's rows changed between two reads.
    #[error("{}: the number of rows changed from {before} to {after} while it was being read", place.display())]
    Changed {
        /// The file or folder.
        place: PathBuf,
        /// Number of rows in the first read.
        before: usize,
        /// Number of rows in the second read.
        after: usize,
    },
    /// A Parquet file that cannot be read.
    #[error("{}: not a readable Parquet file: {problem}", file.display())]
    Parquet {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A task has no files for a split. Files with another name are never used for it.
    #[error("{}: no {rows}; found {files}", folder.display())]
    NoSplitFiles {
        /// The folder of the task.
        folder: PathBuf,
        /// The split, its task, and the expected file name.
        rows: String,
        /// The files of rows in the folder, and what to do with them.
        files: String,
    },
    /// Several files could be a split.
    #[error("{}: several files could be the {split} rows: {}; keep one of them, or set `path` to it", folder.display(), files.join(", "))]
    SeveralFiles {
        /// The folder.
        folder: PathBuf,
        /// `train` or `test`.
        split: &'static str,
        /// The files.
        files: Vec<String>,
    },
    /// Parts of a split are missing.
    #[error("{}: found {there} of {of} parts of the {split} rows; missing: {missing}", folder.display())]
    PartsMissing {
        /// The folder.
        folder: PathBuf,
        /// `train` or `test`.
        split: &'static str,
        /// Number of parts found.
        there: usize,
        /// Number of parts expected.
        of: usize,
        /// The first missing part.
        missing: String,
    },
    /// A text that begins like a name on the Hub but is not one.
    #[error("{name}: {problem}")]
    HubName {
        /// The text.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A name on the Hub that is neither complete in the cache nor available for download.
    #[error("{name}: {problem}")]
    Hub {
        /// The name.
        name: String,
        /// What is missing in which cache folder, why it could not be fetched, and what to do.
        problem: String,
    },
    /// A file or folder without examples.
    #[error("{}: contains no examples; expected {expected}", file.display())]
    Empty {
        /// The file or folder.
        file: PathBuf,
        /// What should be in it.
        expected: String,
    },
    /// The dataset format is unknown.
    #[error("no dataset format `{name}`; the formats are {}", known.join(", "))]
    UnknownFormat {
        /// The requested name.
        name: String,
        /// The known names.
        known: Vec<&'static str>,
    },
    /// A task that the source does not have.
    #[error("no task `{task}` in {place}; its tasks are {}", known.join(", "))]
    UnknownTask {
        /// The requested name.
        task: String,
        /// The format, or the folder.
        place: String,
        /// The source's tasks.
        known: Vec<String>,
    },
    /// The format has no order with this name.
    #[error("format `{format}` has no order `{order}`; {}", list_orders(known))]
    UnknownOrder {
        /// The format.
        format: &'static str,
        /// The requested name.
        order: String,
        /// The format's orders.
        known: Vec<&'static str>,
    },
    /// A task is listed twice in an order.
    #[error("task `{task}` is listed twice in the order")]
    TaskTwice {
        /// The task.
        task: String,
    },
    /// A format that reads files has no path.
    #[error("format `{format}` needs a path: {expected}")]
    PathNeeded {
        /// The format.
        format: &'static str,
        /// What the path should refer to.
        expected: &'static str,
    },
    /// The rows of a source are not split into train and test, but a stream needs both.
    #[error("format `{format}` has no separate test rows here ({}): {advice}", file.display())]
    NoSplit {
        /// The format.
        format: &'static str,
        /// The file.
        file: PathBuf,
        /// The solution.
        advice: &'static str,
    },
    /// A Cadre file has another format version or kind.
    #[error("{}:1: expected {kind} of format-version {version}, found `{found}`", file.display())]
    FormatVersion {
        /// The file.
        file: PathBuf,
        /// The expected kind of file.
        kind: &'static str,
        /// The version that this build reads.
        version: u32,
        /// The first line, shortened.
        found: String,
    },
    /// A tokenizer file that cannot be used.
    #[error("tokenizer {}: {problem}", file.display())]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The end-of-sequence token (or another special token) of a tokenizer is not defined.
    #[error("tokenizer {}: {token} is not defined in {}", folder.display(), searched.join(", "))]
    NoSpecialToken {
        /// The tokenizer's folder.
        folder: PathBuf,
        /// The token's key, such as `eos_token`.
        token: &'static str,
        /// The files that were searched.
        searched: Vec<String>,
    },
    /// A tokenizer could not be trained.
    #[error("train a tokenizer of {size} tokens: {problem}")]
    TokenizerTraining {
        /// The requested size.
        size: u32,
        /// What is wrong.
        problem: String,
    },
    /// Text the tokenizer cannot encode or decode.
    #[error("tokenise `{snippet}`: {problem}")]
    Tokenise {
        /// The beginning of the text.
        snippet: String,
        /// The tokenizer's error.
        problem: String,
    },
    /// An indicator configured as an existing token is several tokens.
    #[error("indicator `{token}` is not one token of this tokenizer but {}: {}; use kind = \"text\" or \"new-token\"", pieces.len(), pieces.join(" | "))]
    SplitToken {
        /// The indicator.
        token: String,
        /// The tokens it is split into.
        pieces: Vec<String>,
    },
    /// An indicator configured as a new token already exists.
    #[error(
        "indicator `{token}` is already a token of this tokenizer (id {id}); use kind = \"existing-token\""
    )]
    TokenExists {
        /// The indicator.
        token: String,
        /// Its id.
        id: u32,
    },
    /// One of the indicators is empty or a prefix of the other.
    #[error(
        "indicators `{accept}` and `{reject}` cannot be distinguished: neither may be empty or begin with the other"
    )]
    IndicatorsAlike {
        /// The accepting indicator.
        accept: String,
        /// The rejecting indicator.
        reject: String,
    },
    /// A text contains a token that the backbone has no embedding for.
    #[error(
        "{place} has the token `{token}` (id {id}), but the backbone's embedding has only {rows} rows; remove the token from the text or the template, or use a backbone with a row for it"
    )]
    NoRow {
        /// The token.
        token: String,
        /// Its id.
        id: u32,
        /// Number of rows of the embedding.
        rows: u32,
        /// Where the token occurs: the beginning of the text, or the example.
        place: String,
    },
    /// The text of an example cannot be encoded.
    #[error("example `{id}`")]
    Example {
        /// The example.
        id: String,
        /// What is wrong with it.
        source: Box<DataError>,
    },
    /// An example's target has an indicator, but no indicator is configured.
    #[error("example `{id}` needs an indicator, but none is configured")]
    NoIndicator {
        /// The example.
        id: String,
    },
    /// A template does not parse or render.
    #[error("template {name}: {problem}")]
    Template {
        /// The template's file or name, with the line if known.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// An example has earlier turns, but the template shows only the last message.
    #[error(
        "template {template} does not show the {turns} earlier turns of example `{id}`: use template = \"chat\", or a file that writes out `turns`"
    )]
    TurnsNotShown {
        /// The template.
        template: String,
        /// The example.
        id: String,
        /// Number of turns before the last message.
        turns: usize,
    },
    /// The template's own text exceeds the maximum prompt length.
    #[error("template {name} alone takes {tokens} tokens; max-prompt is {most}")]
    TemplateTooLong {
        /// The template's file or name.
        name: String,
        /// Number of tokens with empty fields.
        tokens: usize,
        /// Maximum length of a prompt in tokens.
        most: usize,
    },
    /// A batch or step without rows.
    #[error("batch ({batch}) and accumulate ({accumulate}) must be at least 1")]
    NoBatch {
        /// Rows per batch.
        batch: usize,
        /// Batches per step.
        accumulate: usize,
    },
}

fn list_orders(known: &[&'static str]) -> String {
    if known.is_empty() {
        "it has no named orders; list the tasks".into()
    } else {
        format!("its orders are {}", known.join(", "))
    }
}
