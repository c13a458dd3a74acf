//! The layout `<path>/<task>/{train,test}.<ending>`: a folder a task. Lists and locates; reads no row.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::example::Split;
use crate::format::unknown_task;

/// Names of the folders of `path` that hold a train or test file, sorted; or the name of `path` itself where the
/// files lie in it.
pub(super) fn tasks(path: &Path, ending: &str) -> Result<Vec<String>, DataError> {
    if has_split(path, ending) {
        return Ok(vec![name_of(path)]);
    }
    let mut names = Vec::new();
    for entry in entries(path, || expected(ending))? {
        if has_split(&entry, ending) {
            names.push(name_of(&entry));
        }
    }
    if names.is_empty() {
        return Err(DataError::Empty { file: path.to_owned(), expected: expected(ending) });
    }
    Ok(names)
}

/// The file of a split of a task.
pub(super) fn file(path: &Path, task: &str, split: Split, ending: &str) -> Result<PathBuf, DataError> {
    let known = tasks(path, ending)?;
    if !known.iter().any(|name| name == task) {
        return Err(unknown_task(task, path.display().to_string(), known));
    }
    let name = format!("{}.{ending}", split.name());
    let file = if has_split(path, ending) { path.join(name) } else { path.join(task).join(name) };
    if file.is_file() {
        Ok(file)
    } else {
        Err(DataError::NotThere { file, expected: format!("the {} rows of task `{task}`", split.name()) })
    }
}

/// What lies in a folder, sorted by name. `expected` says what the folder should hold if it is not there.
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

/// The files with one of these endings that `path` holds, or `path` itself if it is a file.
pub(super) fn files_with(path: &Path, endings: &[&str], expected: &str) -> Result<Vec<PathBuf>, DataError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = entries(path, || expected.to_owned())?;
    found.retain(|file| {
        file.is_file()
            && file
                .extension()
                .and_then(|ending| ending.to_str())
                .is_some_and(|ending| endings.contains(&ending))
    });
    if found.is_empty() {
        return Err(DataError::Empty { file: path.to_owned(), expected: expected.to_owned() });
    }
    Ok(found)
}

/// The last part of a path, for a folder; without its ending, for a file. A folder of Hugging Face's cache, which is
/// called by a commit, has the name of its data set.
pub(super) fn name_of(path: &Path) -> String {
    if let Some(name) = hub_name(path) {
        return name;
    }
    let name = if path.is_file() { path.file_stem() } else { path.file_name() };
    name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The name of the data set whose snapshot this is: `…/datasets--org--name/snapshots/<commit>`.
fn hub_name(path: &Path) -> Option<String> {
    let snapshots = path.parent().filter(|parent| parent.ends_with("snapshots"))?;
    let repository = snapshots.parent()?.file_name()?.to_str()?.strip_prefix("datasets--")?;
    repository.rsplit("--").next().filter(|name| !name.is_empty()).map(str::to_owned)
}

fn has_split(folder: &Path, ending: &str) -> bool {
    [Split::Train, Split::Test]
        .iter()
        .any(|split| folder.join(format!("{}.{ending}", split.name())).is_file())
}

fn expected(ending: &str) -> String {
    format!("a folder for each task with train.{ending} and test.{ending}")
}
