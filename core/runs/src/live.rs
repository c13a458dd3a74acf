//! The artifacts the store must keep: the keys of every stage in every plan, of runs and sweeps. Every plan must be
//! read, or the operation fails: overlooking one would delete its artifacts.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cadre_store::{Digest, RunLayout};
use serde::Deserialize;

use crate::RunsError;
use crate::delete::LEAVING;

/// Newest `format-version` of a plan that this build supports.
const PLAN_FORMAT: u64 = 1;

#[derive(Deserialize)]
struct VersionOnly {
    #[serde(rename = "format-version", default)]
    format_version: u64,
}

#[derive(Deserialize)]
struct PlanFile {
    stages: Vec<StageKey>,
}

#[derive(Deserialize)]
struct StageKey {
    key: Digest,
    #[serde(default)]
    name: String,
}

/// The stage keys that the runs and sweeps in these folders reference: `<id>/plan.json` of each run, and
/// `sweeps/<id>/sweep-plan.json` in or beside the folder.
///
/// # Errors
/// If a folder does not exist; if a plan cannot be read, is damaged or has a newer version; if a run has a report but
/// no plan.
pub fn live_keys(folders: &[PathBuf]) -> Result<HashSet<Digest>, RunsError> {
    let mut live = HashSet::new();
    for runs in folders {
        if !runs.is_dir() {
            return Err(RunsError::FolderGone { folder: runs.clone() });
        }
        for folder in inside(runs)? {
            let run = RunLayout::at(&folder);
            match stages(&run.plan())? {
                Some(stages) => live.extend(stages.into_iter().map(|stage| stage.key)),
                // A run that was stopped before its plan was written has no artifacts; one with a report has.
                None if run.report_json().exists() => {
                    return Err(RunsError::NoPlan { folder: run.folder().to_owned() });
                }
                None => {}
            }
            // A sweep folder elsewhere is registered like a folder of runs.
            live.extend(sweep_keys(&folder)?);
        }
        let beside = runs.parent().map(|parent| parent.join("sweeps"));
        for sweeps in [Some(runs.join("sweeps")), beside].into_iter().flatten() {
            for sweep in inside(&sweeps)? {
                live.extend(sweep_keys(&sweep)?);
            }
        }
    }
    Ok(live)
}

/// The stage keys of a sweep; none if the folder is not a sweep.
fn sweep_keys(folder: &Path) -> Result<Vec<Digest>, RunsError> {
    let stages = stages(&folder.join("sweep-plan.json"))?;
    Ok(stages.into_iter().flatten().map(|stage| stage.key).collect())
}

/// The content of a folder, except for entries being deleted; empty if the folder does not exist.
fn inside(folder: &Path) -> Result<Vec<PathBuf>, RunsError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if matches!(problem.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(source) => return Err(RunsError::read(folder)(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RunsError::read(folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(LEAVING.as_bytes()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The named stages of a run's plan, in order.
///
/// # Errors
/// As for [`live_keys`], and if the run has no plan.
pub(crate) fn run_stages(run: &RunLayout) -> Result<Vec<(String, Digest)>, RunsError> {
    let stages = stages(&run.plan())?;
    let stages = stages.ok_or_else(|| RunsError::NoPlan { folder: run.folder().to_owned() })?;
    Ok(stages.into_iter().map(|stage| (stage.name, stage.key)).collect())
}

/// The stages of a plan; `None` if the file does not exist.
fn stages(path: &Path) -> Result<Option<Vec<StageKey>>, RunsError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(problem) if matches!(problem.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(RunsError::read(path)(source)),
    };
    let malformed = |source| RunsError::Malformed { path: path.to_owned(), source };
    // Check the version first: a newer file may have a different structure.
    let version: VersionOnly = serde_json::from_slice(&text).map_err(malformed)?;
    if version.format_version > PLAN_FORMAT {
        let found = version.format_version;
        return Err(RunsError::NewerFormat { path: path.to_owned(), found, known: PLAN_FORMAT });
    }
    let plan: PlanFile = serde_json::from_slice(&text).map_err(malformed)?;
    Ok(Some(plan.stages))
}
