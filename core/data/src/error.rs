//! What can be wrong with data, with the place and what was expected there.

use std::path::PathBuf;

use thiserror::Error;

/// Why data could not be read, rendered or tokenised. Messages fit after "failed to {…}: ".
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or folder that a format needs is not there.
    #[error("{}: not there; expected {expected}", file.display())]
    NotThere {
        /// Where it was looked for.
        file: PathBuf,
        /// What should be there.
        expected: String,
    },
    /// A row of a file is not what the format says.
    #[error("{}:{line}: expected {expected}, found `{snippet}`", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What should stand there.
        expected: String,
        /// How the row begins, or where it breaks.
        snippet: String,
    },
    /// A row of a table is not what the format says.
    #[error("{}, row {row}: expected {expected}, found `{snippet}`", file.display())]
    TableRow {
        /// The file.
        file: PathBuf,
        /// Row, from 1.
        row: usize,
        /// What should stand there.
        expected: String,
        /// How the row begins.
        snippet: String,
    },
    /// A table without a column that is needed.
    #[error("{}: no column `{wanted}`; there are {}", file.display(), columns.join(", "))]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The column asked for.
        wanted: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// A column of a type that examples are not made of.
    #[error("{}: column `{column}` is {found}; expected text, numbers, truth values, lists of these, or a list of messages", file.display())]
    ColumnType {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// More than is read of a file that anybody may have written.
    #[error("{place}: {found}; the limit is {limit}")]
    Bound {
        /// The file, with the line or row where there is one.
        place: String,
        /// What was found.
        found: String,
        /// The limit, and what to do.
        limit: String,
    },
    /// A file whose rows are others than a moment ago.
    #[error("{}: it had {before} rows and has {after}: it was changed while it was read", place.display())]
    Changed {
        /// The file or folder.
        place: PathBuf,
        /// Rows at first.
        before: usize,
        /// Rows then.
        after: usize,
    },
    /// A Parquet file that cannot be read.
    #[error("{}: no readable Parquet file: {problem}", file.display())]
    Parquet {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A task without files of a split. Files of another name are never taken for it.
    #[error("{}: no {rows}; there are {files}", folder.display())]
    NoSplitFiles {
        /// The folder of the task.
        folder: PathBuf,
        /// The split, its task, and how its file is called.
        rows: String,
        /// The files of rows there are, and what to do with them.
        files: String,
    },
    /// Files of which each could be a split.
    #[error("{}: {} could each be the {split} rows: keep one of them there, or name it by `path`", folder.display(), files.join(", "))]
    SeveralFiles {
        /// The folder.
        folder: PathBuf,
        /// `train` or `test`.
        split: &'static str,
        /// The files.
        files: Vec<String>,
    },
    /// A file that was divided into parts, some of which are missing.
    #[error("{}: {there} of {of} parts of the {split} rows are there; missing is {missing}", folder.display())]
    PartsMissing {
        /// The folder.
        folder: PathBuf,
        /// `train` or `test`.
        split: &'static str,
        /// Parts there are.
        there: usize,
        /// Parts there should be.
        of: usize,
        /// The first part that is not there.
        missing: String,
    },
    /// A text that begins as a name on the Hub does and is none.
    #[error("{name}: {problem}")]
    HubName {
        /// The text.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A name on the Hub that is neither whole in the cache nor to be had.
    #[error("{name}: {problem}")]
    Hub {
        /// The name.
        name: String,
        /// What is missing in which folder of the cache, why it could not be fetched, and what to do.
        problem: String,
    },
    /// A file or folder without a single example.
    #[error("{}: no example in it; expected {expected}", file.display())]
    Empty {
        /// The file or folder.
        file: PathBuf,
        /// What should be there.
        expected: String,
    },
    /// A format by an unknown name.
    #[error("no dataset format `{name}`; there are {}", known.join(", "))]
    UnknownFormat {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A task that the source does not have.
    #[error("no task `{task}` in {place}; there are {}", known.join(", "))]
    UnknownTask {
        /// The name asked for.
        task: String,
        /// The format, or the folder.
        place: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A named order that the format does not have.
    #[error("format `{format}` has no order `{order}`; {}", list_orders(known))]
    UnknownOrder {
        /// The format.
        format: &'static str,
        /// The name asked for.
        order: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// A task that stands twice in an order.
    #[error("task `{task}` stands twice in the order")]
    TaskTwice {
        /// The task.
        task: String,
    },
    /// A format that reads files, without a path.
    #[error("format `{format}` needs a path: {expected}")]
    PathNeeded {
        /// The format.
        format: &'static str,
        /// What the path should lead to.
        expected: &'static str,
    },
    /// A source whose rows are not divided into train and test, where a stream needs both.
    #[error("format `{format}` has no test rows of its own here ({}): {advice}", file.display())]
    NoSplit {
        /// The format.
        format: &'static str,
        /// The file.
        file: PathBuf,
        /// What to do instead.
        advice: &'static str,
    },
    /// A file of Cadre's own of another format version or kind.
    #[error("{}:1: expected {kind} of format-version {version}, found `{found}`", file.display())]
    FormatVersion {
        /// The file.
        file: PathBuf,
        /// Kind of file.
        kind: &'static str,
        /// The version this build reads.
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
    /// A tokenizer without an end-of-sequence (or other special) token.
    #[error("tokenizer {}: no {token} is named in {}", folder.display(), searched.join(", "))]
    NoSpecialToken {
        /// Folder of the tokenizer.
        folder: PathBuf,
        /// Which token: `eos_token`.
        token: &'static str,
        /// Files that were looked at or for.
        searched: Vec<String>,
    },
    /// Training a tokenizer failed.
    #[error("train a tokenizer of {size} tokens: {problem}")]
    TokenizerTraining {
        /// Size asked for.
        size: u32,
        /// What is wrong.
        problem: String,
    },
    /// Text the tokenizer cannot encode or decode.
    #[error("tokenise `{snippet}`: {problem}")]
    Tokenise {
        /// How the text begins.
        snippet: String,
        /// What the tokenizer said.
        problem: String,
    },
    /// An indicator said to be an existing token that the tokenizer splits.
    #[error("indicator `{token}` is not one token of this tokenizer but {}: {}; use kind = \"text\" or \"new-token\"", pieces.len(), pieces.join(" | "))]
    SplitToken {
        /// The indicator.
        token: String,
        /// Tokens it is split into.
        pieces: Vec<String>,
    },
    /// An indicator said to be new that the tokenizer has already.
    #[error(
        "indicator `{token}` is a token of this tokenizer already (id {id}); use kind = \"existing-token\""
    )]
    TokenExists {
        /// The indicator.
        token: String,
        /// Its id.
        id: u32,
    },
    /// Indicators of which one is empty, or the beginning of the other.
    #[error(
        "indicators `{accept}` and `{reject}` cannot be told apart: neither may be empty or begin with the other"
    )]
    IndicatorsAlike {
        /// The accepting one.
        accept: String,
        /// The rejecting one.
        reject: String,
    },
    /// A token that occurs and that the backbone has no embedding for.
    #[error(
        "{place} has the token `{token}` (id {id}), and the backbone has {rows} rows of embedding: ids from {rows} on cannot be used; take it out of the text or the template, or use a backbone with a row for it"
    )]
    NoRow {
        /// The token.
        token: String,
        /// Its id.
        id: u32,
        /// Rows of the embedding.
        rows: u32,
        /// Where it occurs: how the text begins, or the example.
        place: String,
    },
    /// An example whose text cannot be encoded.
    #[error("example `{id}`: {source}")]
    Example {
        /// The example.
        id: String,
        /// What is wrong with it.
        source: Box<DataError>,
    },
    /// An example to be marked where no indicator is set.
    #[error("example `{id}` is to be marked, but no indicator is set")]
    NoIndicator {
        /// The example.
        id: String,
    },
    /// A template that does not parse or does not render.
    #[error("template {name}: {problem}")]
    Template {
        /// Its file or name, with the line where known.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A conversation in a template that shows its last message only.
    #[error(
        "template {template} does not show the {turns} earlier turns of example `{id}`: use template = \"chat\", or a file that writes out `turns`"
    )]
    TurnsNotShown {
        /// The template.
        template: String,
        /// The example.
        id: String,
        /// How many turns it has before its last message.
        turns: usize,
    },
    /// A template whose own words exceed the longest prompt.
    #[error("template {name} alone takes {tokens} tokens; max-prompt is {most}")]
    TemplateTooLong {
        /// Its file or name.
        name: String,
        /// Tokens it takes with empty fields.
        tokens: usize,
        /// The longest prompt.
        most: usize,
    },
    /// A batch of nothing.
    #[error("batch ({batch}) and accumulate ({accumulate}) must be at least 1")]
    NoBatch {
        /// Rows of a batch.
        batch: usize,
        /// Batches of a step.
        accumulate: usize,
    },
}

fn list_orders(known: &[&'static str]) -> String {
    if known.is_empty() {
        "it has none: list the tasks".into()
    } else {
        format!("there are {}", known.join(", "))
    }
}
