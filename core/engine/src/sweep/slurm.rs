//! Slurm: the jobs of a sweep, their resources, submission, status and cancellation, all through Slurm's own programs
//! (`sbatch`, `squeue`, `sacct`, `scancel`). No Cadre process stays on the submitting machine.

mod queue;
mod resources;
mod script;
mod submission;

use cadre_scheduler::BatchJob;
use serde::{Deserialize, Serialize};

pub(crate) use queue::states;
pub(crate) use resources::Resources;
pub(crate) use submission::{Submission, cancelled, jobs as submitted};

/// Format version of `slurm/jobs.json`.
pub(super) const JOBS_FORMAT: u32 = 1;

/// The submitted jobs of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Jobs {
    /// Format version; 1.
    pub(crate) format_version: u32,
    /// The jobs by number. The last one writes the report and has no other stages.
    pub(crate) jobs: Vec<Job>,
}

/// A job and its id in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Job {
    /// Name in the queue.
    pub(crate) name: String,
    /// The stages it does.
    pub(crate) work: BatchJob,
    /// Id, such as `17` or `17_2`; `None` until it is submitted.
    pub(crate) id: Option<String>,
}
