//! Collecting garbage: what no plan names is renamed into `trash/` under its key's lock, the plans are read once
//! more, what has come to be needed meanwhile goes back, and the rest is deleted. A kill at any moment leaves a
//! whole store: the next collection goes on with the trash. It never decides what is needed: its caller does.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::artifact::MANIFEST;
use crate::draft::remove_folder;
use crate::{ArtifactStore, Digest, KeyLock, StoreError};

/// Digits of a key.
const DIGITS: usize = 64;

/// How a collection is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectionOptions {
    /// Count only; the store stays as it is.
    pub dry_run: bool,
    /// What was written in this time before now stays.
    pub keep: Duration,
    /// Also remove evidence whose subject can be traced to no artifact of the store: that of mixtures, and of
    /// experts that are long gone.
    pub untraced_evidence: bool,
}

/// What a collection found to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Garbage {
    /// Artifacts, whole or not.
    Artifact,
    /// Checkpoints of work that was never finished.
    Workspace,
    /// Drafts whose makers are gone.
    Draft,
    /// What was set aside as damaged.
    Damaged,
    /// What models were found to say.
    Evidence,
    /// What an interrupted collection had put into the trash.
    Trash,
}

impl Garbage {
    /// What a person calls it.
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

/// How many, and how large together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Things.
    pub count: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// What was (or would be) removed, by kind; kinds of which there is nothing are left out.
    pub removed: BTreeMap<Garbage, Amount>,
    /// What stays.
    pub kept: BTreeMap<Garbage, Amount>,
    /// Keys somebody is working on, with the process (0: not known); left alone.
    pub locked: Vec<(Digest, u32)>,
    /// Evidence that stays because its subject cannot be traced.
    pub untraced: Amount,
    /// What had been put into the trash and went back, for a plan names it now.
    pub put_back: u64,
    /// Files and folders that are not the store's; left alone.
    pub foreign: Vec<PathBuf>,
}

/// A collection under way; one a store at a time.
#[derive(Debug)]
pub struct Collection<'a> {
    store: &'a ArtifactStore,
    options: CollectionOptions,
    now: SystemTime,
    collected: Collected,
    _alone: Option<KeyLock>,
}

impl ArtifactStore {
    /// Begins a collection. Nothing is touched yet.
    ///
    /// # Errors
    /// When another one is under way, or the file system cannot lock.
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

/// Takes a lock, or says which process holds it (0: not known). A dry run takes none: it writes nothing, also where nothing
/// can be written.
fn look_or_take(path: &Path, options: CollectionOptions) -> Result<Result<Option<KeyLock>, u32>, StoreError> {
    if options.dry_run {
        return Ok(KeyLock::holder_of(path)?.map_or(Ok(None), Err));
    }
    Ok(KeyLock::try_take(path)?.map(Some))
}

impl Collection<'_> {
    /// Puts everything that is not in `live` (keys of stages) into the trash, but for what is young or locked. In a
    /// dry run, counts it.
    ///
    /// # Errors
    /// When a folder cannot be read or a thing cannot be renamed; what was renamed stays in the trash.
    pub fn set_aside(&mut self, live: &HashSet<Digest>) -> Result<(), StoreError> {
        self.left_over(live)?;
        let gone = self.objects(live)?;
        self.workspaces(live)?;
        self.drafts()?;
        self.damaged()?;
        self.evidence(live, &gone)
    }

    /// Puts back what is in `live` by now (read it anew: a run may have begun meanwhile), deletes the rest of the
    /// trash, and says what was done. A dry run only says what would be.
    ///
    /// # Errors
    /// When something cannot be renamed or deleted; the next collection goes on with it.
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
                    // Somebody was faster and has made it again: theirs stays.
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

    /// What an interrupted collection left and nobody needs.
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

    /// Artifacts; gives the keys of those that go.
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

    /// Drafts of makers that are gone: nobody goes on with one, whoever needs the key.
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

    /// Evidence goes with the artifact it is about.
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
                // Whoever computes evidence of a subject holds its key; whoever appends holds the file's lock.
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

    /// The key in a thing's name; what has none is not the store's.
    fn own(&mut self, path: &Path) -> Option<Digest> {
        let key = key_of(path);
        if key.is_none() {
            self.collected.foreign.push(path.to_path_buf());
        }
        key
    }

    fn is_young(&self, written: Option<SystemTime>) -> bool {
        let age = written.and_then(|written| self.now.duration_since(written).ok());
        // A time in the future, or one that cannot be told, is young where anything may be.
        !self.options.keep.is_zero() && age.is_none_or(|age| age < self.options.keep)
    }

    fn keep(&mut self, kind: Garbage, path: &Path) -> Result<(), StoreError> {
        let bytes = size(path)?;
        self.collected.kept.entry(kind).or_default().add(bytes);
        Ok(())
    }

    /// Renames a thing into the trash under the lock of `key`; false where somebody holds that.
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
                // Its owner has removed it meanwhile.
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

/// The key at the beginning of a name.
fn key_of(path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    Digest::parse(name.get(..DIGITS)?).ok()
}

/// What is in a folder, by name; nothing where it is no folder or not there.
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

/// When a file or folder was last written; none when it is not there.
fn modified(path: &Path) -> Result<Option<SystemTime>, StoreError> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(found.modified().ok()),
        Err(problem) if problem.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::read(path)(source)),
    }
}

/// When anything right in a folder was last written.
fn newest(folder: &Path) -> Result<Option<SystemTime>, StoreError> {
    let mut newest = modified(folder)?;
    for path in entries(folder)? {
        newest = newest.max(modified(&path)?);
    }
    Ok(newest)
}

/// Bytes of a file, or of all files below a folder; links are not followed.
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
