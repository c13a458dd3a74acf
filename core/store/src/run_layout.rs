//! Paths of the files of a run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Digest, StoreError};

/// `runs/<recipe>-<short key>/` and the files in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLayout {
    folder: PathBuf,
}

impl RunLayout {
    /// The layout of the run `run_key` of the recipe `name` in the folder `runs`. Characters of the name that are not
    /// allowed in a folder name become `-`.
    #[must_use]
    pub fn new(runs: &Path, name: &str, run_key: &Digest) -> Self {
        let keep = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let name: String = name.chars().map(keep).collect();
        let name = name.trim_matches('.');
        Self { folder: runs.join(format!("{name}-{}", run_key.short())) }
    }

    /// The layout of an existing run folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Creates the folder.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(&self) -> Result<(), StoreError> {
        fs::create_dir_all(&self.folder).map_err(StoreError::write(&self.folder))
    }

    /// The folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The run's id: the name of its folder.
    #[must_use]
    pub fn id(&self) -> String {
        self.folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The expanded recipe.
    #[must_use]
    pub fn recipe(&self) -> PathBuf {
        self.folder.join("recipe.toml")
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> PathBuf {
        self.folder.join("plan.json")
    }

    /// The sweeps that contain the run: `{"format-version": 1, "sweeps": [ID]}`.
    #[must_use]
    pub fn sweeps(&self) -> PathBuf {
        self.folder.join("sweeps.json")
    }

    /// The event log, one event per line.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    /// The machine-readable report.
    #[must_use]
    pub fn report_json(&self) -> PathBuf {
        self.folder.join("report.json")
    }

    /// The report as terminal text.
    #[must_use]
    pub fn report_md(&self) -> PathBuf {
        self.folder.join("report.md")
    }

    /// The report as HTML.
    #[must_use]
    pub fn report_html(&self) -> PathBuf {
        self.folder.join("report.html")
    }

    /// The tags that the user gave the run.
    #[must_use]
    pub fn tags(&self) -> PathBuf {
        self.folder.join("tags.json")
    }

    /// The folder of predictions.
    #[must_use]
    pub fn predictions(&self) -> PathBuf {
        self.folder.join("predictions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_folders() {
        let key = Digest::of_bytes(b"");
        let run = RunLayout::new(Path::new("runs"), "see/ü 1", &key);
        assert_eq!(run.id(), "see-ü-1-af1349b9f5f9");
        assert_eq!(run.report_json(), Path::new("runs/see-ü-1-af1349b9f5f9/report.json"));
        assert_eq!(RunLayout::new(Path::new("runs"), "..", &key).id(), "-af1349b9f5f9");
    }
}
