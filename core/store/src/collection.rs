//! Garbage collection. What no plan references is renamed into `trash/` under its key's lock; the plans are read once
//! more, entries that are needed by now are moved back, and the rest is deleted. A kill at any point leaves a
//! consistent store; the next collection continues with the trash. The caller decides what is needed.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::artifact::MANIFEST;
use crate::draft::remove_folder;
use crate::{ArtifactStore, Digest, KeyLock, StoreError};

/// Number of hexadecimal digits in a key.
const DIGITS: usize = 64;

/// Options of a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectionOptions {
    /// Count only; the store is not modified.
    pub dry_run: bool,
    /// Keep anything written within this period before now.
    pub keep: Duration,
    /// Also remove evidence whose subject cannot be traced to an artifact in the store: that of mixtures, and of
    /// experts that were deleted long ago.
    pub untraced_evidence: bool,
}

/// Kinds of entries that a collection removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Garbage {
    /// Artifacts, complete or not.
    Artifact,
    /// Checkpoints of unfinished work.
    Workspace,
    /// Drafts whose processes are gone.
    Draft,
    /// Damaged artifacts in quarantine.
    Damaged,
    /// Evidence of models: cached claims, answers, embeddings and losses.
    Evidence,
    /// Leftovers in the trash of an interrupted collection.
    Trash,
}

impl Garbage {
    /// Display name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Artifact => "artifacts",
            Self::Workspace => "workspaces",
            Self::Draft => "drafts",
            Self::Damaged => "damaged",
            Self::Evidence => "evidence",
            Self::Trash => "trash",
        }
    }

    fn shelf(self) -> &'static str {
        match self {
            Self::Artifact => "objects",
            Self::Workspace => "work",
            Self::Draft => "drafts",
            Self::Damaged => "quarantine",
            Self::Evidence => "evidence",
            Self::Trash => "trash",
        }
    }
}

/// A count and a total size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of entries.
    pub count: u64,
    /// Total size in bytes.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// What a collection did, or would do in a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// What was (or would be) removed, by kind; empty kinds are omitted.
    pub removed: BTreeMap<Garbage, Amount>,
    /// What is kept.
    pub kept: BTreeMap<Garbage, Amount>,
    /// Keys that a process is working on, with its id (0: unknown); left alone.
    pub locked: Vec<(Digest, u32)>,
    /// Evidence that is kept because its subject cannot be traced.
    pub untraced: Amount,
    /// Entries moved back from the trash because a plan now references them.
    pub put_back: u64,
    /// Files and folders that do not belong to the store; left alone.
    pub foreign: Vec<PathBuf>,
}

/// A collection in progress; at most one per store.
#[derive(Debug)]
pub struct Collection<'a> {
    store: &'a ArtifactStore,
    options: CollectionOptions,
    now: SystemTime,
    collected: Collected,
    _alone: Option<KeyLock>,
}

impl ArtifactStore {
    /// Starts a collection. Modifies nothing yet.
    ///
    /// # Errors
    /// If another collection is in progress, or the file system does not support locks.
    pub fn collect(&self, options: CollectionOptions) -> Result<Collection<'_>, StoreError> {
        let path = self.root().join("locks").join("collection.lock");
        match look_or_take(&path, options)? {
            Ok(alone) => {
                let (now, collected) = (SystemTime::now(), Collected::default());
                Ok(Collection { store: self, options, now, collected, _alone: alone })
            }
            Err(pid) => Err(StoreError::Collecting { root: self.root().to_path_buf(), pid }),
        }
    }
}

/// Takes a lock, or returns the process that holds it (0: unknown). A dry run takes no lock: it must work on a
/// read-only store.
fn look_or_take(path: &Path, options: CollectionOptions) -> Result<Result<Option<KeyLock>, u32>, StoreError> {
    if options.dry_run {
        return Ok(KeyLock::holder_of(path)?.map_or(Ok(None), Err));
    }
    Ok(KeyLock::try_take(path)?.map(Some))
}

impl Collection<'_> {
    /// Moves everything that is not in `live` (stage keys) to the trash, except for recent and locked entries. A dry
    /// run only counts.
    ///
    /// # Errors
    /// If a folder cannot be read or an entry cannot be renamed; what was renamed stays in the trash.
    pub fn set_aside(&mut self, live: &HashSet<Digest>) -> Result<(), StoreError> {
        self.left_over(live)?;
        let gone = self.objects(live)?;
        self.workspaces(live)?;
        self.drafts()?;
        self.damaged()?;
        self.evidence(live, &gone)
    }

    /// Moves back what is in `live` by now (read the plans again: a run may have started meanwhile), deletes the rest
    /// of the trash, and returns a summary. A dry run only returns what would be done.
    ///
    /// # Errors
    /// If an entry cannot be renamed or deleted; the next collection continues with it.
    pub fn finish(mut self, live: &HashSet<Digest>) -> Result<Collected, StoreError> {
        let mut put_back = 0;
        for kind in [Garbage::Artifact, Garbage::Workspace, Garbage::Evidence] {
            for path in entries(&self.trash(kind))? {
                let Some(key) = key_of(&path).filter(|key| live.contains(key)) else { continue };
                let home = match kind {
                    Garbage::Artifact => self.store.object(&key),
                    Garbage::Workspace => self.store.work(&key),
                    _ => self.store.evidence_file(&key),
                };
                if self.options.dry_run || home.exists() {
                    continue;
                }
                match fs::rename(&path, &home) {
                    Ok(()) => put_back += 1,
                    // Another process has made it again meanwhile: that one stays.
                    Err(problem)
                        if matches!(
                            problem.kind(),
                            ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty
                        ) => {}
                    Err(source) => return Err(StoreError::write(&home)(source)),
                }
            }
        }
        self.collected.put_back = put_back;
        if !self.options.dry_run {
            for shelf in entries(&self.store.root().join("trash"))? {
                remove(&shelf)?;
            }
        }
        self.collected.locked.sort();
        self.collected.locked.dedup();
        Ok(self.collected)
    }

    /// Handles what an interrupted collection left in the trash.
    fn left_over(&mut self, live: &HashSet<Digest>) -> Result<(), StoreError> {
        for shelf in entries(&self.store.root().join("trash"))? {
            for path in entries(&shelf)? {
                if key_of(&path).is_none_or(|key| !live.contains(&key)) {
                    let bytes = size(&path)?;
                    self.collected.removed.entry(Garbage::Trash).or_default().add(bytes);
                }
            }
        }
        Ok(())
    }

    /// Collects artifacts; returns the keys of those that are removed.
    fn objects(&mut self, live: &HashSet<Digest>) -> Result<HashSet<Digest>, StoreError> {
        let mut gone = HashSet::new();
        for shelf in entries(&self.store.root().join("objects"))? {
            for path in entries(&shelf)? {
                let Some(key) = self.own(&path) else { continue };
                let written = modified(&path.join(MANIFEST))?.or(modified(&path)?);
                if live.contains(&key) || self.is_young(written) {
                    self.keep(Garbage::Artifact, &path)?;
                } else if self.discard(Garbage::Artifact, &path, Some(&key))? {
                    gone.insert(key);
                }
            }
        }
        Ok(gone)
    }

    fn workspaces(&mut self, live: &HashSet<Digest>) -> Result<(), StoreError> {
        for path in entries(&self.store.root().join("work"))? {
            let Some(key) = self.own(&path) else { continue };
            if live.contains(&key) || self.is_young(newest(&path)?) {
                self.keep(Garbage::Workspace, &path)?;
            } else {
                self.discard(Garbage::Workspace, &path, Some(&key))?;
            }
        }
        Ok(())
    }

    /// Drafts of processes that are gone: a draft is never resumed, even if its key is needed.
    fn drafts(&mut self) -> Result<(), StoreError> {
        for path in entries(&self.store.root().join("drafts"))? {
            let Some(key) = self.own(&path) else { continue };
            let deserted = match File::open(&path) {
                Ok(folder) => folder.try_lock().is_ok(),
                Err(problem) if problem.kind() == ErrorKind::NotFound => continue,
                Err(source) => return Err(StoreError::read(&path)(source)),
            };
            if !deserted || self.is_young(modified(&path)?) {
                self.keep(Garbage::Draft, &path)?;
            } else {
                self.discard(Garbage::Draft, &path, Some(&key))?;
            }
        }
        Ok(())
    }

    fn damaged(&mut self) -> Result<(), StoreError> {
        for path in entries(&self.store.root().join("quarantine"))? {
            if self.is_young(modified(&path)?) {
                self.keep(Garbage::Damaged, &path)?;
            } else {
                self.discard(Garbage::Damaged, &path, None)?;
            }
        }
        Ok(())
    }

    /// Evidence is removed together with the artifact it belongs to.
    fn evidence(&mut self, live: &HashSet<Digest>, gone: &HashSet<Digest>) -> Result<(), StoreError> {
        for shelf in entries(&self.store.root().join("evidence"))? {
            for path in entries(&shelf)? {
                let Some(subject) = self.own(&path) else { continue };
                let needed = live.contains(&subject)
                    || (!gone.contains(&subject) && self.store.object(&subject).exists());
                if needed || self.is_young(modified(&path)?) {
                    self.keep(Garbage::Evidence, &path)?;
                    continue;
                }
                if !gone.contains(&subject) && !self.options.untraced_evidence {
                    let bytes = size(&path)?;
                    self.collected.untraced.add(bytes);
                    continue;
                }
                // Computing evidence of a subject locks its evidence key; appending locks the file.
                let appending = match look_or_take(&self.store.evidence_lock(&subject), self.options)? {
                    Ok(lock) => lock,
                    Err(pid) => {
                        self.collected.locked.push((subject, pid));
                        continue;
                    }
                };
                self.discard(Garbage::Evidence, &path, Some(&ArtifactStore::evidence_key(&subject)))?;
                drop(appending);
            }
        }
        Ok(())
    }

    /// The key in an entry's name; entries without one do not belong to the store.
    fn own(&mut self, path: &Path) -> Option<Digest> {
        let key = key_of(path);
        if key.is_none() {
            self.collected.foreign.push(path.to_path_buf());
        }
        key
    }

    fn is_young(&self, written: Option<SystemTime>) -> bool {
        let age = written.and_then(|written| self.now.duration_since(written).ok());
        // A modification time that is in the future or unavailable counts as recent.
        !self.options.keep.is_zero() && age.is_none_or(|age| age < self.options.keep)
    }

    fn keep(&mut self, kind: Garbage, path: &Path) -> Result<(), StoreError> {
        let bytes = size(path)?;
        self.collected.kept.entry(kind).or_default().add(bytes);
        Ok(())
    }

    /// Renames an entry into the trash under the lock of `key`; returns false if the lock is held.
    fn discard(&mut self, kind: Garbage, path: &Path, key: Option<&Digest>) -> Result<bool, StoreError> {
        let options = self.options;
        let _lock = match key.map(|key| (key, look_or_take(&self.store.lock_path(key), options))) {
            None => None,
            Some((_, Ok(Ok(lock)))) => lock,
            Some((key, Ok(Err(pid)))) => {
                self.collected.locked.push((*key, pid));
                return Ok(false);
            }
            Some((_, Err(problem))) => return Err(problem),
        };
        let bytes = size(path)?;
        if !self.options.dry_run {
            let shelf = self.trash(kind);
            fs::create_dir_all(&shelf).map_err(StoreError::write(&shelf))?;
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let mut target = shelf.join(&name);
            let mut attempt = 0u32;
            while target.exists() {
                attempt += 1;
                target = shelf.join(format!("{name}.{attempt}"));
            }
            match fs::rename(path, &target) {
                Ok(()) => {}
                // Its owner removed it meanwhile.
                Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(true),
                Err(source) => return Err(StoreError::write(path)(source)),
            }
        }
        self.collected.removed.entry(kind).or_default().add(bytes);
        Ok(true)
    }

    fn trash(&self, kind: Garbage) -> PathBuf {
        self.store.root().join("trash").join(kind.shelf())
    }
}

/// The key at the start of a name.
fn key_of(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    Digest::parse(name.get(..DIGITS)?).ok()
}

/// The entries of a folder, sorted by name; empty if it does not exist or is not a folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let listed = match fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(problem) if matches!(problem.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(source) => return Err(StoreError::read(folder)(source)),
    };
    let mut found = Vec::new();
    for entry in listed {
        found.push(entry.map_err(StoreError::read(folder))?.path());
    }
    found.sort();
    Ok(found)
}

/// When a file or folder was last modified; `None` if it does not exist.
fn modified(path: &Path) -> Result<Option<SystemTime>, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.modified().ok()),
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::read(path)(source)),
    }
}

/// When a direct child of a folder was last modified.
fn newest(folder: &Path) -> Result<Option<SystemTime>, StoreError> {
    let mut newest = modified(folder)?;
    for path in entries(folder)? {
        newest = newest.max(modified(&path)?);
    }
    Ok(newest)
}

/// Size of a file, or of all files below a folder; links are not followed.
fn size(path: &Path) -> Result<u64, StoreError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(0),
        Err(source) => return Err(StoreError::read(path)(source)),
    };
    if !found.is_dir() {
        return Ok(found.len());
    }
    entries(path)?.iter().map(|path| size(path)).sum()
}

fn remove(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() && !path.is_symlink() {
        return remove_folder(path);
    }
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::write(path)(source)),
    }
}
