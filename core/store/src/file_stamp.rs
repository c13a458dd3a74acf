//! What the system says of a file, by which a change of its content is seen without reading it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::StoreError;

/// Age of the last change from which on a stamp is trusted. File systems tell time in ticks (of 1 ms to 2 s): a file
/// that was changed within the tick in which it was looked at may change once more and keep its stamp.
const SETTLED: Duration = Duration::from_secs(3);

/// Length, times and inode of a file. Two equal stamps of one path mean equal content, if the first was taken when it was
/// [settled](Self::settled). The time of the last change of the inode (ctime) is what no program can set: an edit in place
/// that puts back the time of modification still changes it.
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
    /// The stamp of the file at `path`; links are followed.
    ///
    /// # Errors
    /// When it is not there.
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

    /// Whether the last change is so long ago that any later one gives another stamp.
    #[must_use]
    pub fn settled(&self) -> bool {
        self.settled_at(SystemTime::now())
    }

    /// Whether the last change is so long ago, at `now`, that any later one gives another stamp. A change in the future
    /// (a server's clock that is ahead) never is.
    pub(crate) fn settled_at(&self, now: SystemTime) -> bool {
        let Ok(seconds) = u64::try_from(self.changed_seconds) else { return false };
        let nanoseconds = u32::try_from(self.changed_nanoseconds).unwrap_or(0);
        let changed = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds);
        now.duration_since(changed).is_ok_and(|age| age >= SETTLED)
    }
}
