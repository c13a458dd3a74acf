//! File metadata that reveals a change of content without reading the file.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Minimum age of the last change for a stamp to be trusted. File systems record time in ticks (1 ms to 2 s): a file
/// that was read in the same tick in which it changed could change once more and keep its stamp.
const SETTLED: Duration = Duration::from_secs(3);

/// Length, times and inode of a file. Equal stamps of the same path mean equal content, provided that the first was
/// taken when it was [settled](Self::settled). Programs cannot set the inode's change time (ctime): an in-place edit
/// that restores the modification time still changes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FileStamp {
    bytes: u64,
    inode: u64,
    modified_seconds: i64,
    modified_nanoseconds: i64,
    changed_seconds: i64,
    changed_nanoseconds: i64,
}

impl FileStamp {
    /// Reads the stamp of the file at `path`, following links.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let found = fs::metadata(path).map_err(StoreError::read(path))?;
        Ok(Self {
            bytes: found.len(),
            inode: found.ino(),
            modified_seconds: found.mtime(),
            modified_nanoseconds: found.mtime_nsec(),
            changed_seconds: found.ctime(),
            changed_nanoseconds: found.ctime_nsec(),
        })
    }

    /// Whether the last change is old enough that any later change produces a different stamp.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.settled_at(SystemTime::now())
    }

    /// Whether the last change, as of `now`, is old enough that any later change produces a different stamp. A change
    /// in the future (a server whose clock is ahead) is never settled.
    pub(crate) fn settled_at(&self, now: SystemTime) -> bool {
        let Ok(seconds) = u64::try_from(self.changed_seconds) else { return false };
        let nanoseconds = u32::try_from(self.changed_nanoseconds).unwrap_or(0);
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        now.duration_since(changed).is_ok_and(|age| age >= SETTLED)
    }
}
