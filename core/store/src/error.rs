//! Everything that can go wrong in the store, each with the file it went wrong at. Never swallows a cause.

use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder could not be read.
    #[error("read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder could not be written, renamed or removed.
    #[error("write {}: {source}{}", path.display(), space_hint(source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A lock could neither be taken nor found held.
    #[error("lock {}: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The store, or a file in it, was written by a newer Cadre.
    #[error("read {}: it has format version {found}, and this build knows versions up to {known}", path.display())]
    NewerFormat {
        /// The file that carries the version.
        path: PathBuf,
        /// The version it carries.
        found: u64,
        /// The newest version this build reads.
        known: u64,
    },
    /// The folder holds something, and it is not a store.
    #[error("open {} as a store: the folder is not empty and has no FORMAT file", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// A file does not hold what its name promises.
    #[error("read {}: not in the expected form: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A file starts with something else than its format's first line.
    #[error("read {}: it starts with {found:?}, expected {expected:?}", path.display())]
    UnknownHeader {
        /// The file.
        path: PathBuf,
        /// What it starts with.
        found: String,
        /// What it should start with.
        expected: String,
    },
    /// A value that has no JSON form was to be written.
    #[error("write {name} of {kind}: the value has no JSON form: {source}")]
    NoJsonForm {
        /// What was to be written.
        name: String,
        /// Of which kind of thing.
        kind: String,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// A text that should be a digest is none.
    #[error("read {text:?} as a digest: expected 64 hexadecimal digits")]
    NotADigest {
        /// The text.
        text: String,
    },
    /// Another process collects the garbage of the store.
    #[error("collect the garbage of {}: process {pid} is at it", root.display())]
    Collecting {
        /// The store.
        root: PathBuf,
        /// The process (0: not known).
        pid: u32,
    },
    /// A name that would lead out of its artifact.
    #[error(
        "use {name:?} as the name of a file in an artifact: it must be relative, without `..`, and not manifest.json"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// An artifact was asked for a file that its manifest does not list.
    #[error("read {name} of artifact {key} ({stage}): it has {}", present.join(", "))]
    NoSuchFile {
        /// Short key of the artifact.
        key: String,
        /// The stage that made it.
        stage: String,
        /// The name asked for.
        name: String,
        /// The names it has.
        present: Vec<String>,
    },
    /// A file was damaged between verification and use, or a commit could not be read back.
    #[error("read {} of artifact {key}: {problem}", path.display())]
    DamagedArtifact {
        /// Short key of the artifact.
        key: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl StoreError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Write { path, source }
    }

    pub(crate) fn lock(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Lock { path, source }
    }
}

fn space_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull => "; free some space and run again: what was finished is kept",
        io::ErrorKind::QuotaExceeded => "; the quota is used up: what was finished is kept",
        io::ErrorKind::FileTooLarge => "; the limit on file size is reached: what was finished is kept",
        _ => "",
    }
}
