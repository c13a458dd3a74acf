//! Where the files of tasks lie, for formats of rows: `<task>/{train,test}.<ending>`, the layouts of Hugging Face's
//! Hub (parts as `train-00000-of-00002.parquet`, in `data/`, in a folder a configuration, or `train/0000.parquet`),
//! one folder, one file. Lists and locates; reads no row, and takes no `validation` for `test`.

use std::path::{Path, PathBuf};

use super::task_folders::{entries, name_of};
use crate::error::DataError;
use crate::example::Split;
use crate::format::unknown_task;

/// The words that formats of this layout share in their docs.
macro_rules! layout_doc {
    () => {
        "a folder a task, or a configuration, with its train and test rows, or one such folder (one task, named as the folder or the data set): as `train.<ending>`, in parts as `train-00000-of-00002.<ending>`, or as `train/0000.<ending>`, there or in `data/`; or one file (one task, named as the file, all rows in whichever split; not for a stream). `validation` is never taken for test"
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
            files if files.is_empty() => "no files of rows".to_owned(),
            files => files.join(", "),
        };
        return Err(DataError::NoSplitFiles {
            folder: folder.clone(),
            rows: format!("{split} rows of task `{task}` ({split}.{ending})"),
            files: format!("{listed}; what is to be the {split} rows must be named so"),
        });
    }
    Ok(found)
}

/// Every task with the folder its files lie in, or the one file.
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
        let file = path.to_owned();
        return Err(match row_files(path, endings).as_slice() {
            [] => DataError::Empty { file, expected: expected() },
            files => DataError::Empty {
                file,
                expected: format!(
                    "{}; there are {}, of which none is named train or test",
                    expected(),
                    files.join(", ")
                ),
            },
        });
    }
    Ok(found)
}

/// Whether a folder holds rows of a split.
fn has_rows(folder: &Path, endings: &[&str]) -> bool {
    let splits = [Split::Train, Split::Test];
    splits.iter().any(|split| endings.iter().any(|ending| !matching(folder, *split, ending).is_empty()))
}

/// A file of a split, and which part it is of how many.
struct Part {
    file: PathBuf,
    place: Option<(usize, usize)>,
}

/// The files of a split; of several endings the first that has any.
fn split_files(folder: &Path, split: Split, endings: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let found = endings.iter().map(|ending| matching(folder, split, ending)).find(|found| !found.is_empty());
    let parts = found.unwrap_or_default();
    if let Some((_, of)) = parts.iter().find_map(|part| part.place) {
        let there: Vec<usize> = parts.iter().filter_map(|part| part.place.map(|(place, _)| place)).collect();
        let missing = (0..of).find(|place| there.iter().filter(|there| *there == place).count() != 1);
        if missing.is_some() || parts.iter().any(|part| part.place.is_none_or(|(_, all)| all != of)) {
            let missing = match missing {
                Some(place) => format!("part {place:05} of {of:05}, or it is there twice"),
                None => "a whole: files of several divisions lie side by side".to_owned(),
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

/// The files of a split with this ending, sorted by name.
fn matching(folder: &Path, split: Split, ending: &str) -> Vec<Part> {
    let listed = |folder: &Path| -> Vec<(String, PathBuf)> {
        let Ok(all) = entries(folder, String::new) else { return Vec::new() };
        let named = all.into_iter().filter(|file| file.is_file()).filter_map(|file| {
            let stem = file.file_name()?.to_str()?.strip_suffix(ending)?.strip_suffix('.')?.to_owned();
            Some((stem, file))
        });
        named.collect()
    };
    let of_split = |(stem, file): (String, PathBuf)| -> Option<Part> {
        let rest = stem.strip_prefix(split.name())?;
        if rest.is_empty() {
            return Some(Part { file, place: None });
        }
        Some(Part { file, place: Some(part_of(rest)?) })
    };
    let found: Vec<Part> = listed(folder).into_iter().filter_map(of_split).collect();
    if !found.is_empty() {
        return found;
    }
    // As the Hub converts what was uploaded in another form.
    let numbered = |(stem, file): (String, PathBuf)| {
        let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(Part { file, place: None })
    };
    listed(&folder.join(split.name())).into_iter().filter_map(numbered).collect()
}

/// `-00001-of-00004`, and what older uploads have behind it: `-0a1b2c3d4e5f6071`.
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

/// The names of all files of rows in a folder, for messages.
fn row_files(folder: &Path, endings: &[&str]) -> Vec<String> {
    const LISTED: usize = 12;
    let Ok(all) = entries(folder, String::new) else { return Vec::new() };
    let mut names: Vec<String> = all
        .iter()
        .filter(|file| {
            let ending = file.extension().and_then(|ending| ending.to_str());
            file.is_file() && ending.is_some_and(|ending| endings.contains(&ending))
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
