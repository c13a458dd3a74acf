//! Locates the files of tasks for row formats: `<task>/{train,test}.<ending>`, the layouts of Hugging Face's Hub (parts
//! such as `train-00000-of-00002.parquet`, in `data/`, in one folder per configuration, or `train/0000.parquet`), a
//! single folder, a single file. `validation` must never be used as `test`.

use std::path::{Path, PathBuf};

use super::folder_contents::describe;
use super::opened::PACKED;
use super::task_folders::{entries, name_of};
use crate::error::DataError;
use crate::example::Split;
use crate::format::unknown_task;

/// The description of the layout, shared by the DOC strings of these formats.
macro_rules! layout_doc {
    () => {
        "one folder per task or configuration with its train and test rows, or a single such folder (one task, named after the folder or data set): as `train.<ending>`, in parts as `train-00000-of-00002.<ending>`, or as `train/0000.<ending>`, directly or in `data/`; text also compressed, as `train.<ending>.gz` or `.zst`; or a single file (one task, named after the file, with the same rows in both splits; not for a stream). `validation` is never used as test"
    };
}
pub(super) use layout_doc;

/// Names of the tasks, sorted.
pub(super) fn tasks(path: &Path, endings: &[&str]) -> Result<Vec<String>, DataError> {
    Ok(folders(path, endings)?.into_iter().map(|(name, _)| name).collect())
}

/// The files of a split of a task, in the order of their parts.
pub(super) fn files(
    path: &Path,
    task: &str,
    split: Split,
    endings: &[&str],
) -> Result<Vec<PathBuf>, DataError> {
    let all = folders(path, endings)?;
    let Some((_, folder)) = all.iter().find(|(name, _)| name == task) else {
        let known = all.into_iter().map(|(name, _)| name).collect();
        return Err(unknown_task(task, path.display().to_string(), known));
    };
    if folder.is_file() {
        return Ok(vec![folder.clone()]);
    }
    let found = split_files(folder, split, endings)?;
    if found.is_empty() {
        let (split, ending) = (split.name(), endings.first().unwrap_or(&""));
        let listed = match row_files(folder, endings) {
            files if files.is_empty() => describe(folder, endings).unwrap_or_else(|| "no files".to_owned()),
            files => files.join(", "),
        };
        return Err(DataError::NoSplitFiles {
            folder: folder.clone(),
            rows: format!("{split} rows of task `{task}` ({split}.{ending})"),
            files: format!("{listed}; the file with the {split} rows must have that name"),
        });
    }
    Ok(found)
}

/// Every task with its folder, or with the single file.
fn folders(path: &Path, endings: &[&str]) -> Result<Vec<(String, PathBuf)>, DataError> {
    if path.is_file() {
        return Ok(vec![(name_of(path), path.to_owned())]);
    }
    let expected = || {
        let ending = endings.join(" or ");
        format!("train and test files ending in .{ending}, or a folder for each task with them")
    };
    let inside = entries(path, expected)?;
    if has_rows(path, endings) {
        return Ok(vec![(name_of(path), path.to_owned())]);
    }
    let mut found: Vec<(String, PathBuf)> = inside
        .into_iter()
        .filter(|entry| has_rows(entry, endings))
        .map(|entry| (name_of(&entry), entry))
        .collect();
    if let [(name, _)] = found.as_mut_slice()
        && name == "data"
    {
        *name = name_of(path);
    }
    if found.is_empty() {
        let there = describe(path, endings).map(|there| format!("; found {there}")).unwrap_or_default();
        let expected = format!("{}{there}", expected());
        return Err(DataError::Empty { file: path.to_owned(), expected });
    }
    Ok(found)
}

/// Whether a folder has rows of a split.
fn has_rows(folder: &Path, endings: &[&str]) -> bool {
    let splits = [Split::Train, Split::Test];
    splits.iter().any(|split| endings.iter().any(|ending| !matching(folder, *split, ending).is_empty()))
}

/// Maximum number of names in a message.
const LISTED: usize = 12;

/// A file of a split, with its part number and the number of parts.
struct Part {
    file: PathBuf,
    /// Its ending, including that of its compression.
    kind: String,
    /// Whether the file name denotes the whole split, not one of several files in the split's folder.
    is_whole: bool,
    place: Option<(usize, usize)>,
}

/// The files of a split, which must all have the same ending.
fn split_files(folder: &Path, split: Split, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let parts: Vec<Part> = endings.iter().flat_map(|ending| matching(folder, split, ending)).collect();
    let whole: Vec<&Part> = parts.iter().filter(|part| part.is_whole).collect();
    let kinds = parts.iter().map(|part| part.kind.as_str()).collect::<std::collections::BTreeSet<_>>();
    if whole.len() > 1 || kinds.len() > 1 {
        let names = parts.iter().filter_map(|part| part.file.file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        let more = names.len().saturating_sub(LISTED);
        names.truncate(LISTED);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        return Err(DataError::SeveralFiles { folder: folder.to_owned(), split: split.name(), files: names });
    }
    if let Some((_, of)) = parts.iter().find_map(|part| part.place) {
        let there: Vec<usize> = parts.iter().filter_map(|part| part.place.map(|(place, _)| place)).collect();
        let missing = (0..of).find(|place| there.iter().filter(|there| *there == place).count() != 1);
        if missing.is_some() || parts.iter().any(|part| part.place.is_none_or(|(_, all)| all != of)) {
            let missing = match missing {
                Some(place) => format!("part {place:05} of {of:05} (or it exists twice)"),
                None => "a complete set (files with different numbers of parts are mixed)".to_owned(),
            };
            return Err(DataError::PartsMissing {
                folder: folder.to_owned(),
                split: split.name(),
                there: there.len(),
                of,
                missing,
            });
        }
    }
    Ok(parts.into_iter().map(|part| part.file).collect())
}

/// The files of a split with this ending, compressed or not, sorted by name.
fn matching(folder: &Path, split: Split, ending: &str) -> Vec<Part> {
    // Parquet compresses its own pages.
    let packings: &[&str] = if ending == "parquet" { &[] } else { &PACKED };
    let kinds: Vec<String> = std::iter::once(ending.to_owned())
        .chain(packings.iter().map(|packing| format!("{ending}.{packing}")))
        .collect();
    let listed = |folder: &Path| -> Vec<(String, String, PathBuf)> {
        let Ok(all) = entries(folder, String::new) else { return Vec::new() };
        let named = all.into_iter().filter(|file| file.is_file()).filter_map(|file| {
            let name = file.file_name()?.to_str()?;
            let found = kinds
                .iter()
                .find_map(|kind| Some((name.strip_suffix(kind.as_str())?.strip_suffix('.')?, kind)));
            let (stem, kind) = found?;
            Some((stem.to_owned(), kind.clone(), file.clone()))
        });
        named.collect()
    };
    let of_split = |(stem, kind, file): (String, String, PathBuf)| -> Option<Part> {
        let rest = stem.strip_prefix(split.name())?;
        let place = if rest.is_empty() { None } else { Some(part_of(rest)?) };
        Some(Part { file, kind, is_whole: place.is_none(), place })
    };
    let found: Vec<Part> = listed(folder).into_iter().filter_map(of_split).collect();
    if !found.is_empty() {
        return found;
    }
    // The Hub's layout for data sets that it converted from another format.
    let numbered = |(stem, kind, file): (String, String, PathBuf)| {
        let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(Part { file, kind, is_whole: false, place: None })
    };
    listed(&folder.join(split.name())).into_iter().filter_map(numbered).collect()
}

/// Parses `-00001-of-00004`, optionally followed by a digest as in older uploads: `-0a1b2c3d4e5f6071`.
fn part_of(rest: &str) -> Option<(usize, usize)> {
    let mut words = rest.strip_prefix('-')?.split('-');
    let number = |word: &str| {
        let digits = word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| word.parse().ok())?
    };
    let place = number(words.next()?)?;
    if words.next()? != "of" {
        return None;
    }
    let of = number(words.next()?)?;
    let hash = words.next().is_none_or(|word| word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    (hash && words.next().is_none() && place < of).then_some((place, of))
}

/// The names of all row files in a folder, for messages.
fn row_files(folder: &Path, endings: &[&str]) -> Vec<String> {
    let Ok(all) = entries(folder, String::new) else { return Vec::new() };
    let mut names: Vec<String> = all
        .iter()
        .filter(|file| {
            file.is_file() && super::opened::ending(file).is_some_and(|ending| endings.contains(&ending))
        })
        .filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let more = names.len().saturating_sub(LISTED);
    names.truncate(LISTED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names
}
