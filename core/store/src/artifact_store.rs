//! The store: the layout of artifacts, drafts, workspaces, locks, evidence and quarantine, and how entries are found.
//! Everything it returns is verified; a damaged artifact is never partly used.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::artifact::{MANIFEST, MANIFEST_FORMAT, Manifest};
use crate::atomic::write_atomic;
use crate::{Artifact, Digest, Draft, FileDigests, KeyLock, Segments, StoreError};

/// Version of the layout that this build writes, and the newest it reads.
pub const STORE_FORMAT: u64 = 1;

/// Result of looking up a key.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, handed straight on")]
pub enum Lookup {
    /// There is no artifact.
    Missing,
    /// A complete artifact, every file verified.
    Whole(Artifact),
    /// A damaged artifact; it was moved to quarantine and must be made again.
    Damaged {
        /// The damaged file.
        file: String,
        /// What is wrong with it.
        problem: String,
        /// Where the artifact was moved to.
        moved_to: PathBuf,
    },
}

/// A folder of artifacts by key:
/// `objects/ab/<key>/`, `drafts/`, `work/<key>/`, `locks/`, `evidence/ab/`, `quarantine/`, `trash/`, `roots/`, `FORMAT`.
#[derive(Debug)]
pub struct ArtifactStore {
    root: PathBuf,
    verified: Mutex<HashSet<Digest>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Format {
    format_version: u64,
}

const FOLDERS: [&str; 8] = ["objects", "drafts", "work", "locks", "evidence", "quarantine", "trash", "roots"];

impl ArtifactStore {
    /// Opens the store at `root`. Creates it if the folder is empty or missing.
    ///
    /// # Errors
    /// If it was written by a newer version, is not a store, or cannot be read or written.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(StoreError::write(root))?;
        let root = fs::canonicalize(root).map_err(StoreError::read(root))?;
        let path = root.join("FORMAT");
        match fs::read(&path) {
            Ok(text) => {
                let format: Format =
                    serde_json::from_slice(&text).map_err(|_| StoreError::DamagedFormat {
                        path: path.clone(),
                        found: String::from_utf8_lossy(&text).chars().take(60).collect(),
                        known: STORE_FORMAT,
                    })?;
                if format.format_version > STORE_FORMAT {
                    let found = format.format_version;
                    return Err(StoreError::NewerFormat { path, found, known: STORE_FORMAT });
                }
            }
            Err(problem) if problem.kind() == ErrorKind::NotFound => {
                if is_foreign(&root)? {
                    return Err(StoreError::NotAStore { path: root });
                }
                write_atomic(&path, format!("{{\"format-version\":{STORE_FORMAT}}}\n").as_bytes())?;
            }
            Err(source) => return Err(StoreError::read(&path)(source)),
        }
        for name in FOLDERS {
            let folder = root.join(name);
            match fs::create_dir_all(&folder) {
                Ok(()) => {}
                // Continue read-only; a later write reports the error.
                Err(problem)
                    if matches!(
                        problem.kind(),
                        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied
                    ) => {}
                Err(source) => return Err(StoreError::write(&folder)(source)),
            }
        }
        Ok(Self { root, verified: Mutex::new(HashSet::new()) })
    }

    /// Whether files can be created in the store: not on a read-only disk, nor in another user's store. Reading works
    /// in either case.
    #[must_use]
    pub fn can_be_written(&self) -> bool {
        tempfile::tempfile_in(self.root.join("locks")).is_ok()
    }

    /// The folder of the store.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this key's artifact looks complete: an intact manifest, and every file present with the right length.
    /// Contents are not read; [`ArtifactStore::get`] verifies them.
    ///
    /// # Errors
    /// On an I/O error.
    pub fn contains(&self, key: &Digest) -> Result<bool, StoreError> {
        Ok(self.manifest(key)?.is_some())
    }

    /// The manifest of this key if its artifact looks complete, as in [`ArtifactStore::contains`].
    ///
    /// # Errors
    /// On an I/O error, or if a newer version wrote the artifact.
    pub fn manifest(&self, key: &Digest) -> Result<Option<Manifest>, StoreError> {
        let folder = self.object(key);
        match inspect_manifest(key, &folder) {
            Ok(Some(manifest)) if lengths_differ(&folder, &manifest).is_none() => Ok(Some(manifest)),
            Ok(_) | Err(Flaw::Damage { .. }) => Ok(None),
            Err(Flaw::Trouble(problem)) => Err(problem),
        }
    }

    /// Looks up a key and verifies every file against the manifest (once per process and key). A damaged artifact is
    /// moved to `quarantine/`.
    ///
    /// # Errors
    /// If files cannot be read or moved, or a newer version wrote the artifact.
    pub fn get(&self, key: &Digest) -> Result<Lookup, StoreError> {
        let folder = self.object(key);
        match self.verify(key, &folder) {
            Ok(None) => Ok(Lookup::Missing),
            Ok(Some(manifest)) => Ok(Lookup::Whole(Artifact { key: *key, folder, manifest })),
            Err(Flaw::Trouble(problem)) => Err(problem),
            Err(Flaw::Damage { file, problem }) => {
                self.verified().remove(key);
                match set_aside(&folder, &self.root.join("quarantine"), key)? {
                    Some(moved_to) => Ok(Lookup::Damaged { file, problem, moved_to }),
                    None => Ok(Lookup::Missing),
                }
            }
        }
    }

    /// The folder for checkpoints of the work on `key`. It survives a kill and is removed when an artifact with this
    /// key is committed.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn workspace(&self, key: &Digest) -> Result<PathBuf, StoreError> {
        let folder = self.work(key);
        fs::create_dir_all(&folder).map_err(StoreError::write(&folder))?;
        Ok(folder)
    }

    /// Whether earlier work on `key` left checkpoints to resume from.
    #[must_use]
    pub fn has_workspace(&self, key: &Digest) -> bool {
        fs::read_dir(self.work(key)).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// Creates a draft for `key` and removes drafts of this key whose processes are gone. The caller must hold the
    /// key's lock.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn draft(&self, key: &Digest) -> Result<Draft, StoreError> {
        let quarantine = self.root.join("quarantine");
        Draft::new(*key, &self.root.join("drafts"), self.object(key), self.work(key), quarantine)
    }

    /// Waits for the lock of `key`. `on_wait` is called once per wait with the process that holds it (0: unknown).
    ///
    /// # Errors
    /// If the file system does not support locks.
    pub fn lock(&self, key: &Digest, on_wait: &mut dyn FnMut(u32)) -> Result<KeyLock, StoreError> {
        KeyLock::take(&self.lock_path(key), on_wait)
    }

    /// Takes the lock of `key` if it is free.
    ///
    /// # Errors
    /// If the file system does not support locks.
    pub fn try_lock(&self, key: &Digest) -> Result<Option<KeyLock>, StoreError> {
        Ok(self.lock_or_holder(key)?.ok())
    }

    /// Takes the lock of `key`, or returns the process that holds it (0: unknown).
    ///
    /// # Errors
    /// If the file system does not support locks.
    pub fn lock_or_holder(&self, key: &Digest) -> Result<Result<KeyLock, u32>, StoreError> {
        KeyLock::try_take(&self.lock_path(key))
    }

    /// The append-only segments of `subject`.
    #[must_use]
    pub fn segments(&self, subject: &Digest) -> Segments {
        let (file, lock) = (self.evidence_file(subject), self.evidence_lock(subject));
        Segments::new(file, lock, self.root.join("quarantine"))
    }

    /// The key to lock while evidence of `subject` is computed, so that two processes do not compute the same
    /// evidence.
    #[must_use]
    pub fn evidence_key(subject: &Digest) -> Digest {
        Digest::of_bytes(format!("evidence of {subject}").as_bytes())
    }

    /// The process that is working on `key` (0: unknown), or `None`. Takes no lock.
    ///
    /// # Errors
    /// If the lock file cannot be read.
    pub fn worker(&self, key: &Digest) -> Result<Option<u32>, StoreError> {
        KeyLock::holder_of(&self.lock_path(key))
    }

    /// The cache of file digests in this store.
    ///
    /// # Errors
    /// If the cache cannot be read.
    pub fn file_digests(&self) -> Result<FileDigests, StoreError> {
        FileDigests::open(&self.root.join("file-digests.json"))
    }

    pub(crate) fn object(&self, key: &Digest) -> PathBuf {
        let name = key.to_string();
        self.root.join("objects").join(&name[..2]).join(name)
    }

    pub(crate) fn evidence_file(&self, subject: &Digest) -> PathBuf {
        let name = subject.to_string();
        self.root.join("evidence").join(&name[..2]).join(format!("{name}.segments"))
    }

    pub(crate) fn evidence_lock(&self, subject: &Digest) -> PathBuf {
        self.root.join("locks").join(format!("evidence-{subject}.lock"))
    }

    pub(crate) fn work(&self, key: &Digest) -> PathBuf {
        self.root.join("work").join(key.to_string())
    }

    pub(crate) fn lock_path(&self, key: &Digest) -> PathBuf {
        self.root.join("locks").join(format!("{key}.lock"))
    }

    fn verified(&self) -> std::sync::MutexGuard<'_, HashSet<Digest>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify(&self, key: &Digest, folder: &Path) -> Result<Option<Manifest>, Flaw> {
        let Some(manifest) = inspect_manifest(key, folder)? else { return Ok(None) };
        if let Some(flaw) = lengths_differ(folder, &manifest) {
            return Err(flaw);
        }
        if self.verified().contains(key) {
            return Ok(Some(manifest));
        }
        for (name, entry) in &manifest.files {
            let found = Digest::of_file(&folder.join(name)).map_err(Flaw::Trouble)?;
            if found != entry.digest {
                let (is, was) = (found.short(), entry.digest.short());
                let problem = format!("its content has digest {is}, and {was} was written");
                return Err(Flaw::Damage { file: name.clone(), problem });
            }
        }
        self.verified().insert(*key);
        Ok(Some(manifest))
    }
}

/// Why an artifact cannot be returned.
pub(crate) enum Flaw {
    /// It is damaged.
    Damage { file: String, problem: String },
    /// It cannot be read.
    Trouble(StoreError),
}

/// Reads the manifest in `folder` and checks it against itself and `key`; `None` if the folder does not exist.
pub(crate) fn inspect_manifest(key: &Digest, folder: &Path) -> Result<Option<Manifest>, Flaw> {
    let path = folder.join(MANIFEST);
    let damage = |problem: String| Flaw::Damage { file: MANIFEST.to_owned(), problem };
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == ErrorKind::NotFound => {
            return if folder.exists() { Err(damage("it is missing".to_owned())) } else { Ok(None) };
        }
        Err(source) => return Err(Flaw::Trouble(StoreError::read(&path)(source))),
    };
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|problem| damage(format!("it is not JSON: {problem}")))?;
    if let Some(found) = value["format-version"].as_u64().filter(|found| *found > MANIFEST_FORMAT) {
        return Err(Flaw::Trouble(StoreError::NewerFormat { path, found, known: MANIFEST_FORMAT }));
    }
    let manifest: Manifest = serde_json::from_value(value)
        .map_err(|problem| damage(format!("it does not have the expected form: {problem}")))?;
    if manifest.computed_check().map_err(Flaw::Trouble)? != manifest.check {
        return Err(damage("its checksum does not match".to_owned()));
    }
    if manifest.key != *key {
        return Err(damage(format!("it belongs to key {}", manifest.key.short())));
    }
    Ok(Some(manifest))
}

fn lengths_differ(folder: &Path, manifest: &Manifest) -> Option<Flaw> {
    manifest.files.iter().find_map(|(name, entry)| {
        let problem = match fs::metadata(folder.join(name)) {
            Ok(found) if found.len() == entry.bytes => return None,
            Ok(found) => format!("it has {} bytes, and {} were written", found.len(), entry.bytes),
            Err(problem) if problem.kind() == ErrorKind::NotFound => "it is missing".to_owned(),
            Err(source) => return Some(Flaw::Trouble(StoreError::read(&folder.join(name))(source))),
        };
        Some(Flaw::Damage { file: name.clone(), problem })
    })
}

/// Moves `folder` into `quarantine` under a free name; `None` if another process moved it first.
pub(crate) fn set_aside(
    folder: &Path,
    quarantine: &Path,
    key: &Digest,
) -> Result<Option<PathBuf>, StoreError> {
    for attempt in 0u32.. {
        let target = quarantine.join(format!("{key}-{attempt}"));
        if target.exists() {
            continue;
        }
        match fs::rename(folder, &target) {
            Ok(()) => {
                tracing::warn!(key = %key.short(), to = %target.display(), "damaged artifact set aside");
                return Ok(Some(target));
            }
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
            Err(problem)
                if matches!(problem.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty) => {}
            Err(source) => return Err(StoreError::write(&target)(source)),
        }
    }
    Ok(None)
}

/// Whether `root` contains anything other than parts of a store being created (two processes may create it at once).
fn is_foreign(root: &Path) -> Result<bool, StoreError> {
    for entry in fs::read_dir(root).map_err(StoreError::read(root))? {
        let name = entry.map_err(StoreError::read(root))?.file_name();
        let name = name.to_string_lossy();
        if name != "FORMAT" && !name.starts_with(".partial-") && !FOLDERS.contains(&name.as_ref()) {
            return Ok(true);
        }
    }
    Ok(false)
}
