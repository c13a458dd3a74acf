//! Where the files of one run lie. Only names places; makes nothing but the folder itself.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Digest, StoreError};

/// `runs/<recipe>-<short key>/` and the files in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLayout {
    folder: PathBuf,
}

impl RunLayout {
    /// The place of the run `run_key` of the recipe `name` below `runs`. Characters of the name that do not
    /// belong in a folder name become `-`.
    #[must_use]
    pub fn new(runs: &Path, name: &str, run_key: &Digest) -> Self {
        let keep = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let name: String = name.chars().map(keep).collect();
        let name = name.trim_matches('.');
        Self { folder: runs.join(format!("{name}-{}", run_key.short())) }
    }

    /// A run whose folder is known.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<(), StoreError> {
        fs::create_dir_all(&self.folder).map_err(StoreError::write(&self.folder))
    }

    /// The folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The name by which commands know the run: that of its folder.
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

    /// The sweeps that the run is a point of: `{"format-version": 1, "sweeps": [ID]}`.
    #[must_use]
    pub fn sweeps(&self) -> PathBuf {
        self.folder.join("sweeps.json")
    }

    /// What happened, one event a line.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    /// The report for programs.
    #[must_use]
    pub fn report_json(&self) -> PathBuf {
        self.folder.join("report.json")
    }

    /// The report for a terminal.
    #[must_use]
    pub fn report_md(&self) -> PathBuf {
        self.folder.join("report.md")
    }

    /// The report for a browser.
    #[must_use]
    pub fn report_html(&self) -> PathBuf {
        self.folder.join("report.html")
    }

    /// The tags a person gave the run.
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
