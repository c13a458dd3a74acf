//! Files outside the store that a stage reads: verifies that what was read is what the plan names. Otherwise, a file
//! that changes between plan and stage would be stored under the key of its old content.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cadre_scheduler::{CheckpointPlace, FileUse, checkpoint_file_names};
use cadre_store::{Artifact, Digest, FileDigests, FileStamp};
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// File in a backbone's artifact that lists the files of its checkpoint.
pub(crate) const CHECKPOINT: &str = "checkpoint.json";

/// Newest format version of [`CHECKPOINT`].
const FORMAT_VERSION: u32 = 1;

/// Runs `body`, which reads `files`, and returns its result if each file had the planned content before, during and
/// after reading.
///
/// # Errors
/// [`EngineError::FileChanged`] names the first file that changed, whatever `body` returned; otherwise the error of
/// `body`.
pub(crate) fn read_planned<T>(
    files: &[FileUse],
    digests: &FileDigests,
    body: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let before = files.iter().map(|file| check_content(file, digests)).collect::<Result<Vec<_>, _>>()?;
    let outcome = body();
    for (file, stamp) in files.iter().zip(before) {
        // An unchanged, settled stamp means unchanged content.
        if stamp.is_none_or(|stamp| FileStamp::of(&file.path).ok() != Some(stamp)) {
            same_content(file, Digest::of_file(&file.path).ok())?;
        }
    }
    outcome
}

/// Like [`read_planned`], and verifies the list of files too: `list` returns the files that `body` would read, which
/// must be the planned ones.
///
/// # Errors
/// As for [`read_planned`], and errors of `list`.
pub(crate) fn read_listed<T>(
    files: &[FileUse],
    digests: &FileDigests,
    list: impl Fn() -> Result<Vec<PathBuf>, EngineError>,
    body: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let outcome = read_planned(files, digests, body);
    if let Err(changed @ EngineError::FileChanged { .. }) = outcome {
        return Err(changed);
    }
    let planned: BTreeSet<&Path> = files.iter().map(|file| file.path.as_path()).collect();
    match list()?.into_iter().find(|path| !planned.contains(path.as_path())) {
        Some(path) => Err(EngineError::FileChanged { path, how: "it was not there".to_owned() }),
        None => outcome,
    }
}

/// Runs `body` with the folder of a backbone: that of its checkpoint ([`read_checkpoint`]) if it has one, or else its
/// artifact's.
///
/// # Errors
/// As for [`read_planned`].
pub(crate) fn read_backbone<T>(
    backbone: &Artifact,
    checkpoint: Option<&CheckpointPlace>,
    digests: &FileDigests,
    body: impl FnOnce(&Path) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    match checkpoint {
        Some(place) => read_checkpoint(backbone, &place.path, digests, || body(&place.path)),
        None => body(backbone.folder()),
    }
}

/// Like [`read_planned`], for the checkpoint folder behind a backbone's artifact.
///
/// # Errors
/// As for [`read_planned`].
pub(crate) fn read_checkpoint<T>(
    backbone: &Artifact,
    folder: &Path,
    digests: &FileDigests,
    body: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let listed: Listed = backbone.read_json(CHECKPOINT)?;
    if listed.format_version > FORMAT_VERSION {
        return Err(EngineError::NewerListing {
            path: backbone.path(CHECKPOINT),
            found: listed.format_version,
        });
    }
    let of =
        |file: ListedFile| FileUse { path: folder.join(&file.name), name: file.name, digest: file.digest };
    let files: Vec<FileUse> = listed.files.into_iter().map(of).collect();
    read_listed(&files, digests, || checkpoint_files(folder), body)
}

/// The files of a checkpoint folder that determine its outputs.
pub(crate) fn checkpoint_files(folder: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let names = checkpoint_file_names(folder)
        .map_err(|source| EngineError::Read { path: folder.to_owned(), source })?;
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

/// The content of [`CHECKPOINT`] for these files.
pub(crate) fn listing(files: &[FileUse]) -> Result<Vec<u8>, EngineError> {
    let of = |file: &FileUse| ListedFile { name: file.name.clone(), digest: file.digest };
    let listed = Listed { format_version: FORMAT_VERSION, files: files.iter().map(of).collect() };
    serde_json::to_vec(&listed).map_err(|source| EngineError::NoJson { what: "a checkpoint's files", source })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Listed {
    format_version: u32,
    files: Vec<ListedFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ListedFile {
    name: String,
    digest: Digest,
}

/// Compares a file with the plan. Returns its stamp if any later change is certain to change the stamp.
fn check_content(file: &FileUse, digests: &FileDigests) -> Result<Option<FileStamp>, EngineError> {
    let stamp = FileStamp::of(&file.path).ok();
    let settled = stamp.filter(|stamp| stamp.settled());
    same_content(file, digests.of(&file.path).ok())?;
    Ok(settled)
}

fn same_content(file: &FileUse, found: Option<Digest>) -> Result<(), EngineError> {
    let how = match found {
        Some(found) if found == file.digest => return Ok(()),
        Some(found) => format!("its digest was {} and is now {}", file.digest.short(), found.short()),
        None => "it existed and can no longer be read".to_owned(),
    };
    Err(EngineError::FileChanged { path: file.path.clone(), how })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn planned(path: &Path) -> FileUse {
        let digest = Digest::of_file(path).unwrap();
        FileUse { path: path.to_owned(), name: "data".to_owned(), digest }
    }

    fn changed<T: std::fmt::Debug>(outcome: Result<T, EngineError>) -> PathBuf {
        match outcome {
            Err(EngineError::FileChanged { path, .. }) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_that_changes_before_or_while_it_is_read_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "one").unwrap();
        let (files, digests) = ([planned(&path)], FileDigests::in_memory());
        let read = || Ok(fs::read_to_string(&path).unwrap());
        assert_eq!(read_planned(&files, &digests, read).unwrap(), "one");

        // Changed while it is read, even if the reader fails because of it.
        let torn = || {
            fs::write(&path, "two").unwrap();
            Err::<(), _>(EngineError::Interrupted)
        };
        assert_eq!(changed(read_planned(&files, &digests, torn)), path);
        // Changed before.
        assert_eq!(changed(read_planned(&files, &digests, read)), path);
        // Deleted.
        fs::remove_file(&path).unwrap();
        assert_eq!(changed(read_planned(&files, &digests, || Ok(()))), path);
        // Restored.
        fs::write(&path, "one").unwrap();
        assert_eq!(read_planned(&files, &digests, read).unwrap(), "one");
    }

    #[test]
    fn a_file_added_to_the_planned_ones_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("data"), folder.path().join("more"));
        fs::write(&path, "one").unwrap();
        let (files, digests) = ([planned(&path)], FileDigests::in_memory());
        let list = || Ok(fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect());
        assert!(read_listed(&files, &digests, list, || Ok(())).is_ok());
        fs::write(&other, "two").unwrap();
        assert_eq!(changed(read_listed(&files, &digests, list, || Ok(()))), other);
    }
}
