//! Resolves a name (an id, a recipe's name, an id prefix, `NAME@N` or a folder) to a run or sweep. Looks only at names and
//! modification times.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cadre_store::RunLayout;

use crate::RunsError;
use crate::run_record::run_folders;

/// The kind of folder to look for.
#[derive(Debug, Clone, Copy)]
pub struct FolderKind {
    /// Name of the kind, for messages.
    what: &'static str,
    /// The file that identifies such a folder.
    marker: &'static str,
    /// The command that creates one.
    command: &'static str,
    /// The command that lists them, if there is one.
    list: Option<&'static str>,
}

/// Runs.
pub const RUN: FolderKind =
    FolderKind { what: "run", marker: "plan.json", command: "cadre run RECIPE", list: Some("cadre runs") };

/// Sweeps.
pub const SWEEP: FolderKind =
    FolderKind { what: "sweep", marker: "sweep-plan.json", command: "cadre sweep RECIPE…", list: None };

impl FolderKind {
    /// The folder with this id; else every folder of the recipe with this name; else every folder whose name starts with
    /// it, sorted by name. `NAME@N` is the N-th most recently modified of them, counted from 1. A path to such a folder
    /// resolves to that folder.
    ///
    /// # Errors
    /// If none matches, or the folder `within` cannot be read.
    pub fn fitting(&self, id: &str, within: &Path) -> Result<Vec<PathBuf>, RunsError> {
        let numbered = id
            .rsplit_once('@')
            .filter(|(name, _)| !name.contains('/'))
            .and_then(|(name, number)| Some((name, number.parse::<usize>().ok()?)));
        let Some((name, number)) = numbered else { return self.named(id, within) };
        let found = self.by_age(name, within)?;
        let count = found.len();
        let picked = number.checked_sub(1).and_then(|index| found.into_iter().nth(index));
        picked.map(|folder| vec![folder]).ok_or_else(|| RunsError::NotFound {
            what: self.what,
            id: id.to_owned(),
            advice: format!("there are `{name}@1`, the most recent, to `{name}@{count}`"),
        })
    }

    fn named(&self, id: &str, within: &Path) -> Result<Vec<PathBuf>, RunsError> {
        let direct = Path::new(id);
        // A bare name is an id, even if the current folder contains an entry of that name.
        let bare = direct.file_name().is_some_and(|name| name == id) || id.is_empty();
        if !bare && direct.join(self.marker).is_file() {
            return Ok(vec![direct.to_owned()]);
        }
        let mut known: Vec<String> = Vec::new();
        for name in run_folders(within)? {
            // Collect only the first 100 others for the suggestion; there may be ten thousand.
            if (name.starts_with(id) || known.len() < 100) && within.join(&name).join(self.marker).is_file() {
                if name == id {
                    return Ok(vec![within.join(name)]);
                }
                known.push(name);
            }
        }
        let of_recipe = |name: &&String| is_of_recipe(name, id);
        let exact = known.iter().any(|name| is_of_recipe(name, id));
        let fitting = known.iter().filter(|name| !id.is_empty() && name.starts_with(id));
        let fitting = fitting.filter(|name| !exact || of_recipe(name));
        let fitting: Vec<PathBuf> = fitting.map(|name| within.join(name)).collect();
        if fitting.is_empty() {
            return Err(RunsError::NotFound {
                what: self.what,
                id: id.to_owned(),
                advice: self.advice(id, &known, within),
            });
        }
        Ok(fitting)
    }

    /// Like [`FolderKind::fitting`], but picks the most recently modified of several matches and returns how many there
    /// are: suitable for reading, not for modifying.
    ///
    /// # Errors
    /// Like [`FolderKind::fitting`].
    pub fn latest(&self, id: &str, within: &Path) -> Result<(PathBuf, usize), RunsError> {
        let fitting = self.by_age(id, within)?;
        let count = fitting.len();
        // There is at least one.
        Ok((fitting.into_iter().next().unwrap_or_default(), count))
    }

    /// The matches, the most recently modified first.
    fn by_age(&self, id: &str, within: &Path) -> Result<Vec<PathBuf>, RunsError> {
        let mut fitting = self.fitting(id, within)?;
        fitting.sort_by_cached_key(|folder| std::cmp::Reverse(self.touched(folder)));
        Ok(fitting)
    }

    fn advice(&self, id: &str, known: &[String], within: &Path) -> String {
        let near = known
            .iter()
            .map(|name| (strsim::normalized_damerau_levenshtein(name, id), name))
            .filter(|(alike, _)| *alike >= 0.6)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match (near, known, self.list) {
            (Some((_, near)), ..) => format!("did you mean `{near}`?"),
            (None, [], _) => format!("there is none in {}; `{}` makes one", within.display(), self.command),
            (None, some, Some(list)) if some.len() > 8 => format!("`{list}` lists them"),
            (None, some, _) => format!("there are {}", some.join(", ")),
        }
    }

    /// When the folder was last modified: the points of a sweep have no events of their own.
    fn touched(&self, folder: &Path) -> Option<SystemTime> {
        let when = |name| fs::metadata(folder.join(name)).and_then(|file| file.modified()).ok();
        ["events.jsonl", self.marker].into_iter().filter_map(when).max()
    }
}

/// Whether a folder is of a recipe of exactly this name: the name, a hyphen and the first digits of a key.
fn is_of_recipe(folder: &str, name: &str) -> bool {
    let key = folder.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    key.is_some_and(|key| key.len() >= 8 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Every run that matches an id or id prefix; see [`FolderKind::fitting`].
///
/// # Errors
/// If none matches, or the folder cannot be read.
pub fn find_runs(runs: &Path, id: &str) -> Result<Vec<RunLayout>, RunsError> {
    Ok(RUN.fitting(id, runs)?.iter().map(|folder| RunLayout::at(folder)).collect())
}

/// The one run that matches an id or id prefix.
///
/// # Errors
/// If none or several match, or the folder cannot be read.
pub fn find_run(runs: &Path, id: &str) -> Result<RunLayout, RunsError> {
    let mut found = find_runs(runs, id)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        _ => {
            Err(RunsError::Ambiguous { id: id.to_owned(), found: found.iter().map(RunLayout::id).collect() })
        }
    }
}
