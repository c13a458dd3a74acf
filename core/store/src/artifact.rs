//! A committed artifact and its manifest, the small JSON file whose presence means that the artifact is complete.
//! Read-only.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Digest, StoreError};

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const MANIFEST_FORMAT: u64 = 1;

/// Metadata from the stage that made an artifact.
#[derive(Clone, Debug, PartialEq)]
pub struct ManifestFacts {
    /// Name of the stage, such as `train/sort`.
    pub stage: String,
    /// Kind of the stage, such as `train`.
    pub kind: String,
    /// Key of the run that made it.
    pub made_by: String,
    /// Wall time in seconds. Informational only.
    pub wall_seconds: f64,
    /// Facts that later stages or the report need without opening the files.
    pub facts: Value,
}

/// One file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileEntry {
    /// Length in bytes.
    pub bytes: u64,
    /// Digest of the content.
    pub digest: Digest,
}

/// The content of `manifest.json` of an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Format version of the manifest; 1.
    pub format_version: u64,
    /// Key under which the artifact is stored.
    pub key: Digest,
    /// Name of the stage that made it.
    pub stage: String,
    /// Kind of the stage.
    pub kind: String,
    /// Key of the run that made it.
    pub made_by: String,
    /// Wall time in seconds.
    pub wall_seconds: f64,
    /// Facts recorded by the stage.
    pub facts: Value,
    /// Files by name, with `/` as the separator.
    pub files: BTreeMap<String, FileEntry>,
    /// Digest of all fields above; detects damage to the manifest itself.
    pub check: Digest,
}

impl Manifest {
    pub(crate) fn new(
        key: Digest,
        facts: ManifestFacts,
        files: BTreeMap<String, FileEntry>,
    ) -> Result<Self, StoreError> {
        let mut manifest = Self {
            format_version: MANIFEST_FORMAT,
            key,
            stage: facts.stage,
            kind: facts.kind,
            made_by: facts.made_by,
            wall_seconds: if facts.wall_seconds.is_finite() { facts.wall_seconds } else { 0.0 },
            facts: facts.facts,
            files,
            check: key,
        };
        manifest.check = manifest.computed_check()?;
        Ok(manifest)
    }

    /// Digest of every field except `check`.
    pub(crate) fn computed_check(&self) -> Result<Digest, StoreError> {
        let mut value = self.to_value()?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("check");
        }
        Ok(Digest::of_value("cadre manifest 1", &value))
    }

    pub(crate) fn to_value(&self) -> Result<Value, StoreError> {
        serde_json::to_value(self).map_err(|source| StoreError::NoJsonForm {
            name: MANIFEST.to_owned(),
            kind: self.kind.clone(),
            source,
        })
    }

    /// Total size of all files in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

/// A complete, verified artifact. Its files must not be modified.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub(crate) key: Digest,
    pub(crate) folder: PathBuf,
    pub(crate) manifest: Manifest,
}

impl Artifact {
    /// The artifact's key.
    #[must_use]
    pub fn key(&self) -> &Digest {
        &self.key
    }

    /// The folder that holds its files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The artifact's manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Path of the file `name`, which need not exist.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The content of the file `name`.
    ///
    /// # Errors
    /// If the artifact has no such file, or it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        if !self.manifest.files.contains_key(name) {
            return Err(StoreError::NoSuchFile {
                key: self.key.short(),
                stage: self.manifest.stage.clone(),
                name: name.to_owned(),
                present: self.manifest.files.keys().cloned().collect(),
            });
        }
        let path = self.path(name);
        fs::read(&path).map_err(StoreError::read(&path))
    }

    /// The JSON content of the file `name`.
    ///
    /// # Errors
    /// As for [`Artifact::read`], and if the content is not a valid `T`.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        let bytes = self.read(name)?;
        serde_json::from_slice(&bytes)
            .map_err(|source| StoreError::Malformed { path: self.path(name), source })
    }
}
