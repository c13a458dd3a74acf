//! Deletes runs: the folder is renamed away in one step, and its content is removed afterwards. The store is not
//! touched; garbage collection removes what no other plan needs.

use std::fs;
use std::path::Path;

use cadre_store::{ArtifactStore, RunLayout};

use crate::RunsError;
use crate::live::run_stages;

/// Name prefix of a run folder that is being deleted.
pub(crate) const LEAVING: &str = ".deleted-";

/// Deletes a run. If a `store` is given, its locks are checked for processes that work on the run.
///
/// # Errors
/// If a process works on one of its stages, or the folder cannot be renamed or removed. An unreadable plan does not
/// prevent deletion: it cannot be determined which process works on the run.
pub fn delete_run(run: &RunLayout, store: Option<&ArtifactStore>) -> Result<(), RunsError> {
    if let Some(store) = store {
        for (stage, key) in run_stages(run).unwrap_or_default() {
            if let Some(pid) = store.worker(&key)? {
                return Err(RunsError::AtWork { id: run.id(), pid, stage });
            }
        }
    }
    let folder = run.folder();
    let runs = folder.parent().unwrap_or(Path::new("."));
    let leaving = runs.join(format!("{LEAVING}{}-{}", run.id(), std::process::id()));
    fs::rename(folder, &leaving).map_err(RunsError::write(folder))?;
    sweep(runs)
}

/// Removes folders that are being deleted, including those a killed process left behind.
fn sweep(runs: &Path) -> Result<(), RunsError> {
    for entry in fs::read_dir(runs).map_err(RunsError::read(runs))? {
        let entry = entry.map_err(RunsError::read(runs))?;
        if entry.file_name().to_string_lossy().starts_with(LEAVING) {
            let path = entry.path();
            match fs::remove_dir_all(&path) {
                Ok(()) => {}
                // Another process is sweeping too.
                Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(RunsError::write(path)(source)),
            }
        }
    }
    Ok(())
}
