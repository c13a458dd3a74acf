//! Lists the contents of data folders and derives task names from paths.

use std::path::{Path, PathBuf};

use super::folder_contents::describe;
use super::opened::{self, PACKED};
use crate::error::DataError;

/// The contents of a folder, sorted by name. `expected` describes the folder for the error if it is missing.
pub(super) fn entries(folder: &Path, expected: impl Fn() -> String) -> Result<Vec<PathBuf>, DataError> {
    let trouble = |source: std::io::Error| {
        if source.kind() == std::io::ErrorKind::NotFound {
            DataError::NotThere { file: folder.to_owned(), expected: expected() }
        } else {
            DataError::Read { file: folder.to_owned(), source }
        }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(&trouble)? {
        paths.push(entry.map_err(&trouble)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The files with one of these endings in `path`, or `path` itself if it is a file.
pub(super) fn files_with(path: &Path, endings: &[&str], expected: &str) -> Result<Vec<PathBuf>, DataError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = entries(path, || expected.to_owned())?;
    found.retain(|file| {
        file.is_file() && opened::ending(file).is_some_and(|ending| endings.contains(&ending))
    });
    if found.is_empty() {
        let there = describe(path, endings).map(|there| format!("; found {there}")).unwrap_or_default();
        return Err(DataError::Empty { file: path.to_owned(), expected: format!("{expected}{there}") });
    }
    Ok(found)
}

/// For a folder, the last component of its path; for a file, the name without its ending (and that of its compression).
/// A folder in Hugging Face's cache, which is named after a commit, has the name of its data set.
pub(super) fn name_of(path: &Path) -> String {
    if let Some(name) = hub_name(path) {
        return name;
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    if !path.is_file() {
        return name;
    }
    let inner =
        PACKED.iter().find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.')).unwrap_or(&name);
    Path::new(inner).file_stem().map_or_else(|| inner.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// The name of the data set of a snapshot in the cache: `…/datasets--org--name/snapshots/<commit>`.
fn hub_name(path: &Path) -> Option<String> {
    let snapshots = path.parent().filter(|parent| parent.ends_with("snapshots"))?;
    let repository = snapshots.parent()?.file_name()?.to_str()?.strip_prefix("datasets--")?;
    repository.rsplit("--").next().filter(|name| !name.is_empty()).map(str::to_owned)
}
