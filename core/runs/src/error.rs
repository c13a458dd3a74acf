//! Everything that can go wrong with the runs as a whole, with its place. A run that cannot be read is no error of the
//! index: it is listed with its problem.

use std::path::PathBuf;

use cadre_store::StoreError;

/// Why something could not be done with runs. Messages fit after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// A file or folder could not be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or folder could not be written, renamed or removed.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A JSON file does not hold what its name promises.
    #[error("read {}, line {}: {source}", path.display(), source.line())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A file was written by a newer Cadre.
    #[error("read {}: it has format-version {found}, and this program reads up to {known}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest this program reads.
        known: u64,
    },
    /// A filter, or the name of a column, cannot be understood.
    #[error("read {what} `{text}`, column {column}: {problem}")]
    Query {
        /// `--where`, `--sort` or `--columns`.
        what: &'static str,
        /// All of it.
        text: String,
        /// Where, counted in characters from one.
        column: usize,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// No run or sweep of this name.
    #[error("find {what} `{id}`: {advice}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// What was asked for.
        id: String,
        /// What there is.
        advice: String,
    },
    /// Several runs begin so.
    #[error("choose the run `{id}`: {} begin so: {}", found.len(), few(found))]
    Ambiguous {
        /// What was asked for.
        id: String,
        /// The ids that begin so.
        found: Vec<String>,
    },
    /// A run is being worked on.
    #[error("delete run {id}: process {pid} works on its stage {stage}; stop it first")]
    AtWork {
        /// The run.
        id: String,
        /// The process (0: not known).
        pid: u32,
        /// The stage.
        stage: String,
    },
    /// A tag that cannot be typed back in a filter.
    #[error(
        "tag a run `{tag}`: a tag is 1 to 64 letters, digits or any of `-_.:/`, and begins with a letter or a digit"
    )]
    BadTag {
        /// The tag.
        tag: String,
    },
    /// A folder of runs that used the store is not there.
    #[error(
        "find the folder of runs {}: without it nobody can tell what its runs need; mount it, or say `--forget {}` \
         if it is gone for good",
        folder.display(), folder.display()
    )]
    FolderGone {
        /// The folder.
        folder: PathBuf,
    },
    /// A run has a report and no plan.
    #[error(
        "tell what run {} needs: it has a report.json and no plan.json; `cadre run` it again, or delete it",
        folder.display()
    )]
    NoPlan {
        /// Its folder.
        folder: PathBuf,
    },
    /// A table cannot be written in a format.
    #[error("write {}: {problem}", path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        problem: String,
    },
    /// SQLite failed at something that is no matter of a damaged index.
    #[error("query the index of runs: {source}")]
    Index {
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunsError {
    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }
}

impl From<rusqlite::Error> for RunsError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Index { source }
    }
}

/// The first of many names.
fn few(names: &[String]) -> String {
    match names {
        [a, b, c, d, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c}, {d} and {} more", rest.len()),
        all => all.join(", "),
    }
}
