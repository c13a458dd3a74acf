//! An artifact in the making: a folder beside the objects that becomes one by a single rename, after every
//! file is synced and the manifest is written. A draft that is dropped or killed never becomes an artifact.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use crate::artifact::{MANIFEST, Manifest};
use crate::atomic::{parent, sync_folder, write_atomic};
use crate::{Artifact, Digest, FileEntry, ManifestFacts, StoreError};

/// A folder in which an artifact is being made.
#[derive(Debug)]
pub struct Draft {
    key: Digest,
    folder: TempDir,
    // Locked while the draft lives, so that a sweep knows it from one whose maker is gone.
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

    /// The key it is for.
    #[must_use]
    pub fn key(&self) -> &Digest {
        &self.key
    }

    /// The folder; everything in it becomes part of the artifact.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where to write the file `name`. Folders on the way are the writer's to make.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the file `name` (`/` between folders, which are made).
    ///
    /// # Errors
    /// When the name leads out of the draft or the file cannot be written.
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

    /// Syncs and digests every file, writes the manifest, and gives the folder its final name. If an artifact
    /// of this key is there by now (another process was faster), that one stays and is returned.
    /// The key's workspace is removed.
    ///
    /// # Errors
    /// When a file cannot be read, synced or renamed; the draft is then gone and nothing was committed.
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

    /// Renames the draft into place, or finds that a whole one is there already.
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

/// Syncs every file below `folder` and notes its length and digest.
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

/// Removes drafts of `key` whose makers are gone.
fn sweep(key: &Digest, drafts: &Path) -> Result<(), StoreError> {
    let prefix = format!("{key}-");
    for entry in fs::read_dir(drafts).map_err(StoreError::read(drafts))? {
        let entry = entry.map_err(StoreError::read(drafts))?;
        if !entry.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        let path = entry.path();
        // A maker that has just made its folder and not yet locked it would lose it here; makers of one key
        // hold the key's lock, so there is none.
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
