//! Atomic file writes: a reader sees the old content or the new, never a mixture, even if the process is killed.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::StoreError;

/// Writes `bytes` to `path` atomically: writes a temporary file beside it, syncs it and renames it. Creates the folder
/// if it does not exist.
///
/// # Errors
/// On any I/O error, including a full disk; an existing file is then unchanged.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let folder = parent(path);
    fs::create_dir_all(folder).map_err(StoreError::write(folder))?;
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .permissions(Permissions::from_mode(0o666)) // less the umask, as for any file
        .tempfile_in(folder)
        .map_err(StoreError::write(path))?;
    file.write_all(bytes).map_err(StoreError::write(path))?;
    file.as_file().sync_all().map_err(StoreError::write(path))?;
    file.persist(path).map_err(|problem| StoreError::write(path)(problem.error))?;
    sync_folder(folder)
}

/// Syncs `folder`, so that renames and new entries survive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(StoreError::write(folder))
}

pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_files_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn an_error_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        let path = folder.path().join("file/below");
        let message = write_atomic(&path, b"x").unwrap_err().to_string();
        assert!(message.contains("file"), "{message}");
    }
}
