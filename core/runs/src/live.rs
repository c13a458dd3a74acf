//! What the store must keep: the keys of every stage of every plan, of runs and of sweeps. It reads every plan or
//! fails: one that is overlooked would cost artifacts.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cadre_store::{Digest, RunLayout};
use serde::Deserialize;

use crate::RunsError;
use crate::delete::LEAVING;

/// Newest `format-version` of a plan that this build reads.
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

/// The keys of all stages that runs and sweeps in these folders of runs name: `<id>/plan.json` of each, and
/// `sweeps/<id>/sweep-plan.json` in it or beside it.
///
/// # Errors
/// When a folder is not there, or any plan in it cannot be read, is damaged or of a newer version; when a run has a
/// report and no plan.
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
                // A run that was stopped before it had a plan has made nothing; one with a report has.
                None if run.report_json().exists() => {
                    return Err(RunsError::NoPlan { folder: run.folder().to_owned() });
                }
                None => {}
            }
            // A folder of sweeps that lies somewhere else is remembered as one of runs is.
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

/// The keys of the stages of a sweep; none where the folder is that of no sweep.
fn sweep_keys(folder: &Path) -> Result<Vec<Digest>, RunsError> {
    let stages = stages(&folder.join("sweep-plan.json"))?;
    Ok(stages.into_iter().flatten().map(|stage| stage.key).collect())
}

/// Whatever lies in a folder, under any name, but for what is being deleted; nothing where there is no folder.
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

/// The stages of a run's plan with their names, in order.
///
/// # Errors
/// As [`live_keys`], and when it has no plan.
pub(crate) fn run_stages(run: &RunLayout) -> Result<Vec<(String, Digest)>, RunsError> {
    let stages = stages(&run.plan())?;
    let stages = stages.ok_or_else(|| RunsError::NoPlan { folder: run.folder().to_owned() })?;
    Ok(stages.into_iter().map(|stage| (stage.name, stage.key)).collect())
}

/// The stages of a plan; none where there is no file.
fn stages(path: &Path) -> Result<Option<Vec<StageKey>>, RunsError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(problem) if matches!(problem.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(source) => return Err(RunsError::read(path)(source)),
    };
    let malformed = |source| RunsError::Malformed { path: path.to_owned(), source };
    // The version is looked at first: a newer file may have another shape.
    let version: VersionOnly = serde_json::from_slice(&text).map_err(malformed)?;
    if version.format_version > PLAN_FORMAT {
        let found = version.format_version;
        return Err(RunsError::NewerFormat { path: path.to_owned(), found, known: PLAN_FORMAT });
    }
    let plan: PlanFile = serde_json::from_slice(&text).map_err(malformed)?;
    Ok(Some(plan.stages))
}
