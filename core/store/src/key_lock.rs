//! One lock per key, with at most one holder on this machine: an advisory `flock`, which the system releases whenever
//! its owner ends. Stale locks therefore never need manual removal.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::StoreError;

/// A held lock; dropping it releases it.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct KeyLock {
    path: PathBuf,
    // Open for its lock: closing the file releases it.
    _file: File,
}

impl KeyLock {
    pub(crate) fn try_take(path: &Path) -> Result<Result<Self, u32>, StoreError> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Err(holder(file))),
                Err(TryLockError::Error(source)) => return Err(StoreError::lock(path)(source)),
            }
            if let Some(lock) = Self::confirm(path, file)? {
                return Ok(Ok(lock));
            }
        }
    }

    pub(crate) fn take(path: &Path, on_wait: &mut dyn FnMut(u32)) -> Result<Self, StoreError> {
        loop {
            match Self::try_take(path)? {
                Ok(lock) => return Ok(lock),
                Err(pid) => on_wait(pid),
            }
            let file = open(path)?;
            file.lock().map_err(StoreError::lock(path))?;
            if let Some(lock) = Self::confirm(path, file)? {
                return Ok(lock);
            }
        }
    }

    /// The process that holds the lock (0: unknown), or `None` if it is free. Does not create the file.
    pub(crate) fn holder_of(path: &Path) -> Result<Option<u32>, StoreError> {
        let file = match OpenOptions::new().read(true).open(path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::lock(path)(source)),
        };
        // A shared lock, released immediately: another process that takes the lock meanwhile waits only until then.
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(holder(file))),
            Err(TryLockError::Error(source)) => Err(StoreError::lock(path)(source)),
        }
    }

    /// A holder removes the file when it releases the lock, so the locked file may have been unlinked. The lock counts
    /// only if the path still refers to it.
    fn confirm(path: &Path, mut file: File) -> Result<Option<Self>, StoreError> {
        let locked = file.metadata().map_err(StoreError::lock(path))?;
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (locked.dev(), locked.ino()) => {}
            Ok(_) => return Ok(None),
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::lock(path)(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(StoreError::lock(path))?;
        Ok(Some(Self { path: path.to_path_buf(), _file: file }))
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        // Remove the file while it is still locked; a file that stays (a read-only disk) is harmless.
        if let Err(problem) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %problem, "lock file was not removed");
        }
    }
}

fn open(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(StoreError::lock(path))
}

/// The process id written into the lock file; 0 if it has not been written yet.
fn holder(mut file: File) -> u32 {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => text.trim().parse().unwrap_or(0),
        Err(_) => 0,
    }
}
