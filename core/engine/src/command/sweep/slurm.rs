//! `cadre sweep` on Slurm: submitting, cancelling, and the stages of a job.

use std::path::Path;

use cadre_scheduler::{CommonArgs, SweepPlan};
use cadre_store::ArtifactStore;
use serde_json::json;

use super::super::Done;
use crate::error::EngineError;
use crate::sweep::{Resources, Submission, SweepFolder, cancelled, submitted};
use crate::terminal::{OutputMode, Terminal};

/// Default path of the launcher file.
pub(super) const LAUNCHER_FILE: &str = "launcher.toml";

pub(super) fn submit(
    folder: &SweepFolder,
    plan: &SweepPlan,
    launcher: &Path,
    common: &CommonArgs,
    terminal: &Terminal,
) -> Done {
    let resources = Resources::read(launcher, launcher == Path::new(LAUNCHER_FILE))?;
    let store = ArtifactStore::open(&common.store)?;
    let there = folder.stages_there(plan, &store)?;
    let submission = Submission { folder, store: &common.store, runs: &common.runs };
    let jobs = submission.submit(plan, &there, &resources)?;
    let ids: Vec<&str> = jobs.jobs.iter().filter_map(|job| job.id.as_deref()).collect();
    match terminal.mode() {
        OutputMode::Json => terminal.print(&json!({ "sweep": folder.id(), "jobs": ids }).to_string()),
        OutputMode::Quiet => {}
        OutputMode::Human => terminal.print(&format!(
            "{id}: {count} jobs submitted; `cadre sweep status {id}` shows their progress, `cadre sweep cancel {id}` \
             ends them",
            id = folder.id(),
            count = ids.len(),
        )),
    }
    Ok(())
}

pub(super) fn cancel(folder: &SweepFolder, terminal: &Terminal) -> Done {
    let Some(jobs) = submitted(folder)? else {
        return Err(EngineError::NotFound {
            what: "jobs of sweep",
            name: folder.id(),
            advice: "it was not submitted to a queue; stop a local sweep with Ctrl-C".to_owned(),
        });
    };
    let count = cancelled(&jobs)?;
    terminal.note(&format!("{}: {count} jobs cancelled; what was done is kept", folder.id()));
    Ok(())
}

/// The stages of a job; empty for the last job, which writes the report.
pub(super) fn stages_of(folder: &SweepFolder, job: usize) -> Result<Vec<usize>, EngineError> {
    let jobs = submitted(folder)?.map(|jobs| jobs.jobs).unwrap_or_default();
    let found = jobs.get(job).map(|job| job.work.stages.clone());
    found.ok_or_else(|| EngineError::NotFound {
        what: "job",
        name: job.to_string(),
        advice: format!("the sweep has {} jobs", jobs.len()),
    })
}
