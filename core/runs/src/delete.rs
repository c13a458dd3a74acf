//! Deleting runs: the folder goes, in one rename, and what it held is removed after. The store is left alone; what no
//! other plan needs is a matter of its garbage collection.

use std::fs;
use std::path::Path;

use cadre_store::{ArtifactStore, RunLayout};

use crate::RunsError;
use crate::live::run_stages;

/// Begins the name of a run's folder on its way out.
pub(crate) const LEAVING: &str = ".deleted-";

/// Deletes a run. `store`, where there is one, tells whether a process works on it.
///
/// # Errors
/// When a process works on one of its stages, or the folder cannot be renamed or removed. A plan that cannot be read
/// does not keep a run from being deleted: then nobody can tell who works on it.
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

/// Removes what is on its way out, this time's and what a kill has left.
fn sweep(runs: &Path) -> Result<(), RunsError> {
    for entry in fs::read_dir(runs).map_err(RunsError::read(runs))? {
        let entry = entry.map_err(RunsError::read(runs))?;
        if entry.file_name().to_string_lossy().starts_with(LEAVING) {
            let path = entry.path();
            match fs::remove_dir_all(&path) {
                Ok(()) => {}
                // Another process sweeps too.
                Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(RunsError::write(path)(source)),
            }
        }
    }
    Ok(())
}
