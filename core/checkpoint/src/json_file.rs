//! Reads JSON files of a checkpoint or an adapter, up to a size limit.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::CheckpointError;

/// Size limit of a configuration in bytes; real ones have a few kilobytes.
pub const LARGEST_CONFIG: u64 = 16 << 20;

/// Reads a file of at most `most` bytes.
///
/// # Errors
/// A missing, too large or malformed file.
pub fn read_json<T: DeserializeOwned>(path: &Path, most: u64) -> Result<T, CheckpointError> {
    let access = |source| CheckpointError::File { path: path.into(), source };
    let bytes = std::fs::metadata(path).map_err(access)?.len();
    if bytes > most {
        return Err(CheckpointError::TooLarge { path: path.into(), bytes, most });
    }
    let text = std::fs::read(path).map_err(access)?;
    serde_json::from_slice(&text).map_err(|source| CheckpointError::Json { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_CONFIG, read_json};

    #[test]
    fn a_file_larger_than_any_real_one_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("adapter_config.json");
        std::fs::write(&path, " ".repeat(LARGEST_CONFIG as usize + 1)).expect("written");
        let error = read_json::<serde_json::Value>(&path, LARGEST_CONFIG).expect_err("too large");
        assert!(error.to_string().contains("16777217 bytes; at most 16777216"), "{error}");
    }
}
