//! Errors of the store, each with the file it concerns.

use std::io;
use std::path::{Path, PathBuf};

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file or folder could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        source: io::Error,
    },
    /// A file or folder could not be written, renamed or removed.
    #[error("write {}{}", path.display(), space_hint(source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The underlying I/O error.
        source: io::Error,
    },
    /// A lock could not be taken.
    #[error("lock {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The underlying I/O error.
        source: io::Error,
    },
    /// The store, or a file in it, was written by a newer version of Cadre.
    #[error("read {}: it has format version {found}, and this build reads versions up to {known}", path.display())]
    NewerFormat {
        /// The file that contains the version.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version this build reads.
        known: u64,
    },
    /// The folder is not empty, and is not a store.
    #[error("open {} as a store: the folder is not empty and has no FORMAT file", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// The file that marks a folder as a store is damaged.
    #[error(
        "open a store: {} contains {found:?}, expected `{{\"format-version\":{known}}}`; write that into the file if the \
         folder is a store of this version (its artifacts have digests of their own), or name another folder with `--store`",
        path.display()
    )]
    DamagedFormat {
        /// The file.
        path: PathBuf,
        /// The start of its content.
        found: String,
        /// The version that this build writes.
        known: u64,
    },
    /// A file is malformed.
    #[error("read {}: not in the expected form", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A file does not start with its format's header line.
    #[error("read {}: it starts with {found:?}, expected {expected:?}", path.display())]
    UnknownHeader {
        /// The file.
        path: PathBuf,
        /// The start of the file.
        found: String,
        /// The expected header.
        expected: String,
    },
    /// A value cannot be serialized as JSON.
    #[error("write {name} of {kind}: the value has no JSON form")]
    NoJsonForm {
        /// The file name.
        name: String,
        /// Kind of the value.
        kind: String,
        /// The serializer's error.
        source: serde_json::Error,
    },
    /// A text is not a digest.
    #[error("read {text:?} as a digest: expected 64 hexadecimal digits")]
    NotADigest {
        /// The text.
        text: String,
    },
    /// Another process is collecting the store's garbage.
    #[error("collect the garbage of {}: process {pid} is already collecting it", root.display())]
    Collecting {
        /// The store.
        root: PathBuf,
        /// The process id (0: unknown).
        pid: u32,
    },
    /// A file name that leads out of its artifact.
    #[error(
        "use {name:?} as the name of a file in an artifact: it must be relative, without `..`, and not manifest.json"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// The manifest of an artifact does not list the requested file.
    #[error("read {name} of artifact {key} ({stage}): it has {}", present.join(", "))]
    NoSuchFile {
        /// Short key of the artifact.
        key: String,
        /// The stage that made it.
        stage: String,
        /// The requested name.
        name: String,
        /// The names in the manifest.
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
        io::ErrorKind::StorageFull => " (free some space and run again: what was finished is kept)",
        io::ErrorKind::QuotaExceeded => " (the quota is used up: what was finished is kept)",
        io::ErrorKind::FileTooLarge => " (the limit on file size is reached: what was finished is kept)",
        _ => "",
    }
}
