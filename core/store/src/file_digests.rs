//! A cache of digests of files outside the store, by path and [`FileStamp`], so that planning does not read gigabytes
//! again. Losing the cache must not change any result.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomic;
use crate::{Digest, FileStamp, StoreError, chain};

/// Version 2: entries contain the inode's change time. An older file counts as empty.
const FORMAT: u64 = 2;

/// A persistent cache of file digests.
#[derive(Debug)]
pub struct FileDigests {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<PathBuf, Entry>,
    changed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    stamp: FileStamp,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Remembered {
    format_version: u64,
    files: BTreeMap<PathBuf, Entry>,
}

impl FileDigests {
    /// Opens the cache in the file `path`, which need not exist. A file that cannot be parsed (damaged, or another
    /// version) counts as empty.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let known = load(path)?;
        Ok(Self { path: Some(path.to_path_buf()), state: Mutex::new(State { known, changed: false }) })
    }

    /// An in-memory cache, not saved to disk.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { path: None, state: Mutex::new(State::default()) }
    }

    /// Digest of the file at `path`.
    ///
    /// # Errors
    /// If it does not exist or cannot be read.
    pub fn of(&self, path: &Path) -> Result<Digest, StoreError> {
        self.of_at(path, SystemTime::now())
    }

    /// [`Self::of`] with an explicit current time.
    fn of_at(&self, path: &Path, now: SystemTime) -> Result<Digest, StoreError> {
        let path = fs::canonicalize(path).map_err(StoreError::read(path))?;
        let stamp = FileStamp::of(&path)?;
        if let Some(entry) = self.state().known.get(&path)
            && entry.stamp == stamp
        {
            return Ok(entry.digest);
        }
        let digest = Digest::of_file(&path)?;
        // A file that was modified while it was read has a digest that matches no version of its content.
        if stamp.settled_at(now) && FileStamp::of(&path)? == stamp {
            let mut state = self.state();
            state.known.insert(path, Entry { stamp, digest });
            state.changed = true;
        }
        Ok(digest)
    }

    /// Saves entries added since opening, merged with what other processes saved meanwhile.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self) -> Result<(), StoreError> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut state = self.state();
        if !state.changed {
            return Ok(());
        }
        let mut files = load(path)?;
        files.extend(state.known.iter().map(|(path, entry)| (path.clone(), entry.clone())));
        files.retain(|path, _| path.exists());
        let text = serde_json::to_vec(&Remembered { format_version: FORMAT, files }).map_err(|source| {
            StoreError::NoJsonForm {
                name: path.display().to_string(),
                kind: "file digests".to_owned(),
                source,
            }
        })?;
        write_atomic(path, &text)?;
        state.changed = false;
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FileDigests {
    fn drop(&mut self) {
        if let Err(problem) = self.save() {
            tracing::debug!(problem = chain(&problem), "file digests were not saved");
        }
    }
}

fn load(path: &Path) -> Result<BTreeMap<PathBuf, Entry>, StoreError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(StoreError::read(path)(source)),
    };
    Ok(match serde_json::from_slice::<Remembered>(&text) {
        Ok(remembered) if remembered.format_version == FORMAT => remembered.files,
        Ok(_) => BTreeMap::new(),
        Err(problem) => {
            tracing::debug!(path = %path.display(), %problem, "the cache of file digests is damaged; starting with an empty one");
            BTreeMap::new()
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::time::Duration;

    use super::*;

    /// A time at which everything written until now counts as settled.
    fn later() -> SystemTime {
        SystemTime::now() + Duration::from_secs(60)
    }

    fn set_time(path: &Path, when: SystemTime) {
        let times = FileTimes::new().set_modified(when);
        File::options().write(true).open(path).unwrap().set_times(times).unwrap();
    }

    #[test]
    fn cached_digests_are_used() {
        let folder = tempfile::tempdir().unwrap();
        let (file, memory) = (folder.path().join("data"), folder.path().join("digests.json"));
        fs::write(&file, b"one").unwrap();
        assert_eq!(
            FileDigests::open(&memory).unwrap().of_at(&file, later()).unwrap(),
            Digest::of_bytes(b"one")
        );

        // A wrong digest in the cache shows that the cache is used.
        let other = Digest::of_bytes(b"another");
        let mut files = load(&memory).unwrap();
        files.values_mut().for_each(|entry| entry.digest = other);
        let text = serde_json::to_vec(&Remembered { format_version: FORMAT, files }).unwrap();
        fs::write(&memory, text).unwrap();
        assert_eq!(FileDigests::open(&memory).unwrap().of(&file).unwrap(), other);
    }

    #[test]
    fn an_in_place_edit_that_keeps_size_time_and_inode_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let (file, memory) = (folder.path().join("data"), folder.path().join("digests.json"));
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        fs::write(&file, b"one").unwrap();
        set_time(&file, old);
        let digests = FileDigests::open(&memory).unwrap();
        assert_eq!(digests.of_at(&file, later()).unwrap(), Digest::of_bytes(b"one"));
        let before = FileStamp::of(&file).unwrap();
        // Wait for the file system clock to tick. In real use, an edit comes at least the settling time after the
        // first digest.
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&file, b"two").unwrap();
        set_time(&file, old);
        assert!(FileStamp::of(&file).unwrap() != before);
        assert_eq!(digests.of_at(&file, later()).unwrap(), Digest::of_bytes(b"two"));
    }

    #[test]
    fn a_recently_written_file_is_not_trusted_whatever_its_modification_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data");
        fs::write(&file, b"one").unwrap();
        set_time(&file, SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let digests = FileDigests::in_memory();
        digests.of(&file).unwrap();
        assert!(digests.state().known.is_empty());
    }

    #[test]
    fn a_damaged_or_outdated_cache_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (file, memory) = (folder.path().join("data"), folder.path().join("digests.json"));
        fs::write(&file, b"one").unwrap();
        let old = r#"{"format-version":1,"files":{"/x":{"bytes":1,"modified-seconds":1,"modified-nanoseconds":1,"inode":1,"digest":"0"}}}"#;
        for text in ["{\"format-ver", old] {
            fs::write(&memory, text).unwrap();
            assert!(load(&memory).unwrap().is_empty());
            assert_eq!(FileDigests::open(&memory).unwrap().of(&file).unwrap(), Digest::of_bytes(b"one"));
        }
        assert!(matches!(FileDigests::in_memory().of(Path::new("/nowhere/x")), Err(StoreError::Read { .. })));
    }
}
