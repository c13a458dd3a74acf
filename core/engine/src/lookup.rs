//! Folders of runs and sweeps, found by what a person types: an id, the beginning of one, or a path. Looks at names and
//! dates; reads nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::EngineError;

/// What kind of folder is looked for.
pub(crate) struct FolderKind {
    /// What it is called.
    what: &'static str,
    /// The file that makes a folder one.
    marker: &'static str,
    /// What makes one.
    command: &'static str,
}

/// Runs.
pub(crate) const RUN: FolderKind =
    FolderKind { what: "run", marker: "plan.json", command: "cadre run RECIPE" };

/// Sweeps.
pub(crate) const SWEEP: FolderKind =
    FolderKind { what: "sweep", marker: "sweep-plan.json", command: "cadre sweep RECIPE…" };

impl FolderKind {
    /// The folder of this id; of several that begin so, the one in which something happened last.
    ///
    /// # Errors
    /// When none fits; says which there are.
    pub(crate) fn find(&self, id: &str, within: &Path) -> Result<PathBuf, EngineError> {
        let direct = Path::new(id);
        if direct.join(self.marker).is_file() {
            return Ok(direct.to_owned());
        }
        let all = self.all(within);
        if let Some(exact) = all.iter().find(|name| *name == id) {
            return Ok(within.join(exact));
        }
        let fitting = all.iter().filter(|name| name.starts_with(id)).map(|name| within.join(name));
        fitting.max_by_key(|folder| self.touched(folder)).ok_or_else(|| EngineError::NotFound {
            what: self.what,
            name: id.to_owned(),
            advice: match all.as_slice() {
                [] => format!("there is none in {}; `{}` makes one", within.display(), self.command),
                some => format!("there are {}", some.join(", ")),
            },
        })
    }

    /// The names of all there are, sorted.
    fn all(&self, within: &Path) -> Vec<String> {
        let entries = fs::read_dir(within).into_iter().flatten().flatten();
        let mut all: Vec<String> = entries
            .filter(|entry| entry.path().join(self.marker).is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        all.sort();
        all
    }

    /// When something last happened: the points of a sweep have no events of their own.
    fn touched(&self, folder: &Path) -> Option<SystemTime> {
        let when = |name| fs::metadata(folder.join(name)).and_then(|file| file.modified()).ok();
        ["events.jsonl", self.marker].into_iter().filter_map(when).max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_id_its_beginning_and_a_path_lead_to_the_folder() {
        let runs = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for (age, name) in [(9, "see-1"), (1, "see-12"), (5, "see-13"), (0, "other")] {
            let folder = runs.path().join(name);
            fs::create_dir(&folder).unwrap();
            let marker = fs::File::create(folder.join("plan.json")).unwrap();
            marker.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        fs::create_dir(runs.path().join("see-no-run")).unwrap();
        let found = |id: &str| {
            RUN.find(id, runs.path()).map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(found("see-1").unwrap(), "see-1", "the exact name before those that begin so");
        assert_eq!(found("see").unwrap(), "see-12", "the last touched");
        assert_eq!(found(runs.path().join("other").to_str().unwrap()).unwrap(), "other");
        let events = fs::File::create(runs.path().join("see-13/events.jsonl")).unwrap();
        events.set_modified(now).unwrap();
        assert_eq!(found("see").unwrap(), "see-13", "events count");
        let error = found("nothing").unwrap_err().to_string();
        assert!(error.contains("see-12") && !error.contains("see-no-run"), "{error}");
    }
}
