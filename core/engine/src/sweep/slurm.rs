//! Slurm: the jobs of a sweep, what they get, how they are submitted, asked after and cancelled. All by the programs of
//! Slurm itself (`sbatch`, `squeue`, `sacct`, `scancel`): nothing of Cadre stays alive on the submitting machine.

mod queue;
mod resources;
mod script;
mod submission;

use cadre_scheduler::BatchJob;
use serde::{Deserialize, Serialize};

pub(crate) use queue::states;
pub(crate) use resources::Resources;
pub(crate) use submission::{Submission, cancelled, jobs as submitted};

/// Version of `slurm/jobs.json`.
pub(super) const JOBS_FORMAT: u32 = 1;

/// The jobs of a sweep, as they were submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Jobs {
    /// Version of this layout; 1.
    pub(crate) format_version: u32,
    /// What each does, in the order of their numbers; the last, which reports, does no stage of its own.
    pub(crate) jobs: Vec<Job>,
}

/// A job and its name in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Job {
    /// What it is called in the queue.
    pub(crate) name: String,
    /// What it does.
    pub(crate) work: BatchJob,
    /// Its id, as `17` or `17_2`; none before it is submitted.
    pub(crate) id: Option<String>,
}
