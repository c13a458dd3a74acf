//! An artifact being written: a folder beside the objects that becomes an artifact by a single rename, after every
//! file is synced and the manifest is written. A draft that is dropped or killed never becomes an artifact.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use crate::artifact::{MANIFEST, Manifest};
use crate::atomic::{parent, sync_folder, write_atomic};
use crate::{Artifact, Digest, FileEntry, ManifestFacts, StoreError};

/// A folder in which an artifact is being written.
#[derive(Debug)]
pub struct Draft {
    key: Digest,
    folder: TempDir,
    // Locked while the draft exists, so that a sweep can tell it from one whose process is gone.
    _alive: File,
    target: PathBuf,
    workspace: PathBuf,
    quarantine: PathBuf,
}

impl Draft {
    pub(crate) fn new(
        key: Digest,
        drafts: &Path,
        target: PathBuf,
        workspace: PathBuf,
        quarantine: PathBuf,
    ) -> Result<Self, StoreError> {
        sweep(&key, drafts)?;
        let folder = tempfile::Builder::new()
            .prefix(&format!("{key}-"))
            .tempdir_in(drafts)
            .map_err(StoreError::write(drafts))?;
        let alive = File::open(folder.path()).map_err(StoreError::write(folder.path()))?;
        alive.lock().map_err(StoreError::lock(folder.path()))?;
        Ok(Self { key, folder, _alive: alive, target, workspace, quarantine })
    }

    /// The key of the future artifact.
    #[must_use]
    pub fn key(&self) -> &Digest {
        &self.key
    }

    /// The folder; everything in it becomes part of the artifact.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Path at which to write the file `name`. The caller creates intermediate folders.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the file `name` (with `/` as the separator) and creates intermediate folders.
    ///
    /// # Errors
    /// If the name leads out of the draft or the file cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let proper = !name.is_empty()
            && name != MANIFEST
            && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
        if !proper {
            return Err(StoreError::BadName { name: name.to_owned() });
        }
        let path = self.path(name);
        let folder = parent(&path);
        fs::create_dir_all(folder).map_err(StoreError::write(folder))?;
        fs::write(&path, bytes).map_err(StoreError::write(&path))
    }

    /// Syncs and digests every file, writes the manifest, and renames the folder to its final name. If an artifact
    /// with this key exists by now (another process was faster), that one is kept and returned. Removes the key's
    /// workspace.
    ///
    /// # Errors
    /// If a file cannot be read, synced or renamed; the draft is then deleted and nothing is committed.
    pub fn commit(self, facts: ManifestFacts) -> Result<Artifact, StoreError> {
        let mut files = BTreeMap::new();
        seal(self.folder.path(), "", &mut files)?;
        let manifest = Manifest::new(self.key, facts, files)?;
        let text = serde_json::to_vec_pretty(&manifest).map_err(|source| StoreError::NoJsonForm {
            name: MANIFEST.to_owned(),
            kind: manifest.kind.clone(),
            source,
        })?;
        write_atomic(&self.folder.path().join(MANIFEST), &text)?;

        let shelf = parent(&self.target);
        fs::create_dir_all(shelf).map_err(StoreError::write(shelf))?;
        let manifest = self.settle(manifest)?;
        sync_folder(shelf)?;
        remove_folder(&self.workspace)?;
        let Self { key, folder, target, .. } = self;
        let _renamed_away = folder.keep();
        Ok(Artifact { key, folder: target, manifest })
    }

    /// Renames the draft into place, or uses the complete artifact that is already there.
    fn settle(&self, manifest: Manifest) -> Result<Manifest, StoreError> {
        use std::io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
        match fs::rename(self.folder.path(), &self.target) {
            Ok(()) => return Ok(manifest),
            Err(problem) if matches!(problem.kind(), AlreadyExists | DirectoryNotEmpty) => {}
            Err(source) => return Err(StoreError::write(&self.target)(source)),
        }
        match crate::artifact_store::inspect_manifest(&self.key, &self.target) {
            Ok(Some(other)) => {
                remove_folder(self.folder.path())?;
                Ok(other)
            }
            Ok(None) | Err(_) => {
                crate::artifact_store::set_aside(&self.target, &self.quarantine, &self.key)?;
                fs::rename(self.folder.path(), &self.target).map_err(StoreError::write(&self.target))?;
                Ok(manifest)
            }
        }
    }
}

/// Syncs every file below `folder` and records its length and digest.
fn seal(folder: &Path, prefix: &str, files: &mut BTreeMap<String, FileEntry>) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(StoreError::read(folder))? {
        let entry = entry.map_err(StoreError::read(folder))?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(StoreError::read(&path))?;
        if kind.is_dir() {
            seal(&path, &format!("{name}/"), files)?;
            continue;
        }
        if !kind.is_file() || name == MANIFEST {
            return Err(StoreError::BadName { name });
        }
        let file = File::open(&path).map_err(StoreError::read(&path))?;
        file.sync_all().map_err(StoreError::write(&path))?;
        let bytes = file.metadata().map_err(StoreError::read(&path))?.len();
        files.insert(name, FileEntry { bytes, digest: Digest::of_file(&path)? });
    }
    sync_folder(folder)
}

/// Removes drafts of `key` whose processes are gone.
fn sweep(key: &Digest, drafts: &Path) -> Result<(), StoreError> {
    let prefix = format!("{key}-");
    for entry in fs::read_dir(drafts).map_err(StoreError::read(drafts))? {
        let entry = entry.map_err(StoreError::read(drafts))?;
        if !entry.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        let path = entry.path();
        // A draft whose folder exists but is not locked yet would be removed here. This cannot happen: a process that
        // makes a draft holds the key's lock.
        let gone = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if gone {
            remove_folder(&path)?;
        }
    }
    Ok(())
}

pub(crate) fn remove_folder(path: &Path) -> Result<(), StoreError> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::write(path)(source)),
    }
}
