//! Digests of files outside the store, remembered by path, length, time of change and inode, so that planning
//! does not read gigabytes again. What is remembered is only ever a saving: losing it changes no result.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::atomic::write_atomic;
use crate::{Digest, StoreError};

const FORMAT: u64 = 1;

/// A file changed this recently may change again within one tick of its clock and keep its stamp.
const SETTLED: Duration = Duration::from_secs(2);

/// Digests of files, remembered in a file.
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
    bytes: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
    inode: u64,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Remembered {
    format_version: u64,
    files: BTreeMap<PathBuf, Entry>,
}

impl FileDigests {
    /// Digests remembered in the file `path`, which need not be there yet. A file that cannot be understood
    /// (damaged, or of another version) counts as empty.
    ///
    /// # Errors
    /// When the file is there and the system refuses to read it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let known = load(path)?;
        Ok(Self { path: Some(path.to_path_buf()), state: Mutex::new(State { known, changed: false }) })
    }

    /// Digests remembered only as long as this lives.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { path: None, state: Mutex::new(State::default()) }
    }

    /// Digest of the file at `path`.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn of(&self, path: &Path) -> Result<Digest, StoreError> {
        let path = fs::canonicalize(path).map_err(StoreError::read(path))?;
        let stamp = fs::metadata(&path).map_err(StoreError::read(&path))?;
        if let Some(entry) = self.state().known.get(&path)
            && entry.matches(&stamp)
        {
            return Ok(entry.digest);
        }
        let digest = Digest::of_file(&path)?;
        let settled = stamp
            .modified()
            .ok()
            .and_then(|modified| SystemTime::now().duration_since(modified).ok())
            .is_some_and(|age| age >= SETTLED);
        if settled {
            let mut state = self.state();
            state.known.insert(path, Entry::new(&stamp, digest));
            state.changed = true;
        }
        Ok(digest)
    }

    /// Writes down what was learned since opening, beside what others have written meanwhile.
    ///
    /// # Errors
    /// When the file cannot be written.
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
            tracing::debug!(%problem, "digests of files are not remembered");
        }
    }
}

impl Entry {
    fn new(stamp: &Metadata, digest: Digest) -> Self {
        Self {
            bytes: stamp.len(),
            modified_seconds: stamp.mtime(),
            modified_nanoseconds: stamp.mtime_nsec(),
            inode: stamp.ino(),
            digest,
        }
    }

    fn matches(&self, stamp: &Metadata) -> bool {
        *self == Self::new(stamp, self.digest)
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
            tracing::debug!(path = %path.display(), %problem, "remembered digests are damaged; starting anew");
            BTreeMap::new()
        }
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    fn age(path: &Path, seconds: u64) {
        let when = SystemTime::now() - Duration::from_secs(seconds);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_times(FileTimes::new().set_modified(when))
            .unwrap();
    }

    #[test]
    fn remembers_settled_files_until_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let (file, memory) = (folder.path().join("data"), folder.path().join("digests.json"));
        fs::write(&file, b"one").unwrap();
        age(&file, 100);
        assert_eq!(FileDigests::open(&memory).unwrap().of(&file).unwrap(), Digest::of_bytes(b"one"));

        // Same length, same stamp: only the memory can give this answer, which shows that it is used.
        fs::write(&file, b"two").unwrap();
        let known = load(&memory).unwrap();
        let entry = known.values().next().unwrap();
        let stamp = Duration::new(entry.modified_seconds as u64, entry.modified_nanoseconds as u32);
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + stamp))
            .unwrap();
        assert_eq!(FileDigests::open(&memory).unwrap().of(&file).unwrap(), Digest::of_bytes(b"one"));

        age(&file, 50);
        assert_eq!(FileDigests::open(&memory).unwrap().of(&file).unwrap(), Digest::of_bytes(b"two"));
    }

    #[test]
    fn does_not_trust_a_file_that_was_just_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data");
        fs::write(&file, b"one").unwrap();
        let digests = FileDigests::in_memory();
        digests.of(&file).unwrap();
        assert!(digests.state().known.is_empty());
    }

    #[test]
    fn a_damaged_memory_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, memory) = (folder.path().join("data"), folder.path().join("digests.json"));
        fs::write(&memory, b"{\"format-ver").unwrap();
        fs::write(&file, b"one").unwrap();
        assert_eq!(FileDigests::open(&memory).unwrap().of(&file).unwrap(), Digest::of_bytes(b"one"));
        assert!(matches!(FileDigests::in_memory().of(Path::new("/nowhere/x")), Err(StoreError::Read { .. })));
    }
}
