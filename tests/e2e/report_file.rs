//! Reads the report of a run, and removes from it what may differ between two runs.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// The only folder in `runs/`.
pub(crate) fn run_folder(bench: &Path) -> PathBuf {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(bench.join("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

/// `report.json` of the only run.
pub(crate) fn report(bench: &Path) -> Value {
    let text = std::fs::read_to_string(run_folder(bench).join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The report without its times: the part that must be equal in two runs of one recipe.
pub(crate) fn without_times(mut report: Value) -> Value {
    let cost = report["cost"].as_object_mut().unwrap();
    for time in ["wall-seconds", "tokens-per-second"] {
        assert!(cost.remove(time).is_some(), "the report has no {time}");
    }
    report
}
