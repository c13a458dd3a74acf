//! Which recipe was meant by a path that leads to none: one with `.toml`, one of a similar name, one in another folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::diagnostics::expectation::{did_you_mean, listed, nearest};
use crate::read::path_value::{clean, recipes_folder};

/// Recipes that are looked at, and listed.
const MAX_FILES: usize = 2000;
const MAX_LISTED: usize = 5;
/// Folders below `recipes` that are looked into.
const DEEPEST: usize = 3;

/// What to suggest for a recipe that cannot be read at `path`.
pub(crate) fn suggestion(path: &Path) -> Option<String> {
    if path.is_dir() {
        let there = recipes_in(path, 1);
        let names: Vec<String> =
            there.iter().take(MAX_LISTED).map(|file| file.display().to_string()).collect();
        let listed = listed(names.iter().map(String::as_str), "or");
        return Some(match there.len() {
            0 => "this is a folder; a recipe is a TOML file".to_owned(),
            1..=MAX_LISTED => format!("this is a folder; a recipe in it is {listed}"),
            more => format!("this is a folder; {more} recipes are in it, among them {listed}"),
        });
    }
    if path.exists() {
        return None;
    }
    meant(path).map(|file| did_you_mean(&file.display().to_string()))
}

/// The recipe that is nearest to a path that leads nowhere.
fn meant(path: &Path) -> Option<PathBuf> {
    let mut with_ending = path.as_os_str().to_owned();
    with_ending.push(".toml");
    let with_ending = PathBuf::from(with_ending);
    if with_ending.is_file() {
        return Some(with_ending);
    }
    let stem = path.file_stem()?.to_str()?;
    let beside = recipes_in(path.parent().unwrap_or(Path::new("")), 1);
    let elsewhere = || search_folder(path).map(|folder| recipes_in(&folder, DEEPEST)).unwrap_or_default();
    of_stem(stem, &beside).or_else(|| {
        let all = elsewhere();
        let exact = all.iter().find(|file| stem_of(file) == Some(stem)).cloned();
        exact.or_else(|| like(stem, &beside)).or_else(|| like(stem, &all))
    })
}

fn of_stem(stem: &str, files: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    files.iter().find(|file| stem_of(file) == Some(stem)).cloned()
}

fn like(stem: &str, files: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    let near = nearest(stem, files.iter().filter_map(|file| stem_of(file)))?;
    of_stem(near, files)
}

fn stem_of(file: &Path) -> Option<&str> {
    file.file_stem()?.to_str()
}

/// The folder `recipes` around the path, or else in the current folder.
fn search_folder(path: &Path) -> Option<PathBuf> {
    let around = recipes_folder(path.parent().unwrap_or(Path::new(""))).map(Path::to_path_buf);
    let beside = path.ancestors().skip(1).map(|folder| folder.join("recipes"));
    around
        .filter(|folder| folder.is_dir())
        .or_else(|| beside.map(|folder| clean(&folder)).find(|folder| folder.is_dir()))
}

/// The TOML files of a folder and of those below it, down to a depth.
fn recipes_in(folder: &Path, depth: usize) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![(folder.to_path_buf(), 1)];
    while let Some((folder, level)) = folders.pop() {
        // A relative path without a folder means the current one.
        let place = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        for entry in std::fs::read_dir(place).into_iter().flatten().filter_map(Result::ok).take(MAX_FILES) {
            let path = folder.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && level < depth => folders.push((path, level + 1)),
                Ok(_)
                    if path.extension().is_some_and(|ending| ending == "toml") && found.len() < MAX_FILES =>
                {
                    found.insert(path);
                }
                _ => {}
            }
        }
    }
    found
}
