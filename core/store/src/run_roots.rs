//! Which folders of runs use this store: `roots/`, one small file per folder. Garbage collection keeps what those runs
//! need.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomic;
use crate::{ArtifactStore, Digest, StoreError};

/// Version of a file in `roots/`.
const ROOT_FORMAT: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Root {
    format_version: u64,
    runs: PathBuf,
}

impl ArtifactStore {
    /// Registers a folder of runs that uses this store. The path is made absolute; registering twice has no effect.
    ///
    /// # Errors
    /// If the folder does not exist or the store cannot be written.
    pub fn remember_runs(&self, folder: &Path) -> Result<(), StoreError> {
        let runs = fs::canonicalize(folder).map_err(StoreError::read(folder))?;
        let path = self.root_file(&runs);
        if path.exists() {
            return Ok(());
        }
        let root = Root { format_version: ROOT_FORMAT, runs };
        let text = serde_json::to_vec(&root).map_err(|source| StoreError::NoJsonForm {
            name: path.display().to_string(),
            kind: "a folder of runs".to_owned(),
            source,
        })?;
        write_atomic(&path, &text)
    }

    /// Removes a folder of runs from the registry, whether or not it still exists. Returns whether it was registered.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn forget_runs(&self, folder: &Path) -> Result<bool, StoreError> {
        let runs = fs::canonicalize(folder)
            .or_else(|_| std::path::absolute(folder))
            .map_err(StoreError::read(folder))?;
        let path = self.root_file(&runs);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(StoreError::write(&path)(source)),
        }
    }

    /// The registered folders of runs, sorted by name.
    ///
    /// # Errors
    /// If a file cannot be read, is damaged or has a newer version: no folder may be overlooked.
    pub fn known_runs(&self) -> Result<Vec<PathBuf>, StoreError> {
        let folder = self.root().join("roots");
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(StoreError::read(&folder))? {
            let path = entry.map_err(StoreError::read(&folder))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path).map_err(StoreError::read(&path))?;
            let root: Root = serde_json::from_slice(&text)
                .map_err(|source| StoreError::Malformed { path: path.clone(), source })?;
            if root.format_version > ROOT_FORMAT {
                let found = root.format_version;
                return Err(StoreError::NewerFormat { path, found, known: ROOT_FORMAT });
            }
            found.push(root.runs);
        }
        found.sort();
        Ok(found)
    }

    fn root_file(&self, runs: &Path) -> PathBuf {
        let name = Digest::of_bytes(runs.as_os_str().as_encoded_bytes());
        self.root().join("roots").join(format!("{name}.json"))
    }
}
