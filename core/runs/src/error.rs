//! Errors of operations on runs. An unreadable run is not an error of the index: it is listed with its problem.

use std::path::PathBuf;

use cadre_store::StoreError;

/// Why an operation on runs failed. Messages fit after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// A file or folder could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// A file or folder could not be written, renamed or removed.
    #[error("write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        source: std::io::Error,
    },
    /// A JSON file is malformed.
    #[error("read {}, line {}", path.display(), source.line())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A file was written by a newer version of Cadre.
    #[error("read {}: it has format-version {found}, and this program reads up to {known}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Format version of the file.
        found: u64,
        /// Newest version this build supports.
        known: u64,
    },
    /// A filter or a column name is invalid.
    #[error("read {what} `{text}`, column {column}: {problem}")]
    Query {
        /// `--where`, `--sort` or `--columns`.
        what: &'static str,
        /// The whole text.
        text: String,
        /// Position of the error, in characters from 1.
        column: usize,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// No run or sweep has this name.
    #[error("find {what} `{id}`: {advice}")]
    NotFound {
        /// `run` or `sweep`.
        what: &'static str,
        /// The id that was given.
        id: String,
        /// A suggestion, or the existing ids.
        advice: String,
    },
    /// Several runs match a prefix.
    #[error("choose the run `{id}`: it matches {} runs: {}", found.len(), few(found))]
    Ambiguous {
        /// The prefix that was given.
        id: String,
        /// The matching ids.
        found: Vec<String>,
    },
    /// A process is working on the run.
    #[error("delete run {id}: process {pid} works on its stage {stage}; stop it first")]
    AtWork {
        /// The run.
        id: String,
        /// The process id (0: unknown).
        pid: u32,
        /// The stage.
        stage: String,
    },
    /// A tag that could not be typed in a filter.
    #[error(
        "tag a run `{tag}`: a tag is 1 to 64 letters, digits or any of `-_.:/`, and begins with a letter or a digit"
    )]
    BadTag {
        /// The tag.
        tag: String,
    },
    /// A registered folder of runs does not exist.
    #[error(
        "find the folder of runs {}: it is needed to determine which artifacts its runs use; mount it, or pass `--forget {}` \
         if it is gone for good",
        folder.display(), folder.display()
    )]
    FolderGone {
        /// The folder.
        folder: PathBuf,
    },
    /// A run has a report but no plan.
    #[error(
        "determine which artifacts run {} uses: it has a report.json but no plan.json; `cadre run` it again, or delete it",
        folder.display()
    )]
    NoPlan {
        /// The run's folder.
        folder: PathBuf,
    },
    /// A table cannot be exported.
    #[error("write {}: {problem}", path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// The writer's error.
        problem: String,
    },
    /// SQLite failed for a reason other than a damaged index.
    #[error("query the index of runs")]
    Index {
        /// The underlying SQLite error.
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

/// The first few of many names.
fn few(names: &[String]) -> String {
    match names {
        [a, b, c, d, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c}, {d} and {} more", rest.len()),
        all => all.join(", "),
    }
}
