//! The state of jobs: from `squeue`, and for finished ones from `sacct`, if accounting is enabled.

use std::collections::BTreeMap;
use std::process::Command;

use cadre_store::chain;

use super::Jobs;
use crate::error::EngineError;

/// A job and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobState {
    /// Id in the queue.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Slurm's state: `PENDING`, `RUNNING`, `COMPLETED`, `FAILED`, …; `gone` if it is no longer known.
    pub(crate) state: String,
    /// Why it waits, or the node it runs on.
    pub(crate) reason: String,
}

impl JobState {
    /// Whether it is queued or running.
    pub(crate) fn is_alive(&self) -> bool {
        const ENDED: [&str; 9] = [
            "gone",
            "COMPLETED",
            "FAILED",
            "CANCELLED",
            "TIMEOUT",
            "NODE_FAIL",
            "OUT_OF_MEMORY",
            "DEADLINE",
            "BOOT_FAIL",
        ];
        !ENDED.contains(&self.state.as_str())
    }
}

/// The states of all submitted jobs.
///
/// # Errors
/// If `squeue` is missing or fails.
pub(crate) fn states(jobs: &Jobs) -> Result<Vec<JobState>, EngineError> {
    let ids: Vec<&str> = jobs.jobs.iter().filter_map(|job| job.id.as_deref()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    // Only accounting knows finished jobs; on a cluster without it, `sacct` fails.
    if let Ok(text) =
        output_of("sacct", &["-n", "-X", "-P", "-o", "JobID,State,NodeList", "-j", &mains(&ids).join(",")])
    {
        known.extend(lines(&text));
    }
    let queue = output_of("squeue", &["--all", "-h", "-r", "-t", "all", "-o", "%i|%T|%R"])?;
    known.extend(lines(&queue));
    let state = |job: &super::Job| {
        let id = job.id.clone()?;
        let (state, reason) = known.get(&id).cloned().unwrap_or_else(|| ("gone".to_owned(), String::new()));
        Some(JobState { id, name: job.name.clone(), state, reason })
    };
    Ok(jobs.jobs.iter().filter_map(state).collect())
}

/// Limits of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClusterLimits {
    /// Maximum size of an array; job numbers are below it.
    pub(super) array: usize,
    /// Maximum number of queued jobs, counting each job of an array, if the cluster reports it.
    pub(super) jobs: Option<usize>,
}

/// The limits in `scontrol show config`, or Slurm's defaults.
pub(super) fn limits() -> ClusterLimits {
    let text = output_of("scontrol", &["show", "config"]).unwrap_or_else(|problem| {
        tracing::debug!(problem = chain(&problem), "assuming Slurm's default limits");
        String::new()
    });
    limits_of(&text)
}

fn limits_of(config: &str) -> ClusterLimits {
    /// Slurm's default for `MaxArraySize`.
    const ARRAY: usize = 1001;
    let value = |name: &str| {
        let line = |line: &str| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().parse().ok())?
        };
        config.lines().find_map(line)
    };
    // A size of 0 disables arrays: every job is submitted separately.
    ClusterLimits { array: value("MaxArraySize").unwrap_or(ARRAY).max(1), jobs: value("MaxJobCount") }
}

/// Distinct job ids without array indices.
pub(super) fn mains(ids: &[&str]) -> Vec<String> {
    let mut mains: Vec<String> =
        ids.iter().map(|id| id.split('_').next().unwrap_or_default().to_owned()).collect();
    mains.dedup();
    mains
}

fn lines(text: &str) -> Vec<(String, (String, String))> {
    let line = |line: &str| {
        let mut parts = line.trim().splitn(3, '|');
        let (id, state) = (parts.next()?, parts.next()?);
        // `CANCELLED by 1000`: keep the first word.
        let state = state.split_whitespace().next().unwrap_or_default();
        Some((id.to_owned(), (state.to_owned(), parts.next().unwrap_or_default().to_owned())))
    };
    text.lines().filter_map(line).collect()
}

/// The output of a Slurm program.
///
/// # Errors
/// If it is missing or fails, with its error output.
pub(super) fn output_of(program: &'static str, arguments: &[&str]) -> Result<String, EngineError> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|source| EngineError::Slurm { program, problem: source.to_string() })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let problem = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(EngineError::Slurm { program, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_clusters_or_slurms_defaults() {
        let text = "Configuration data as of 2026-11-28\nMaxArraySize            = 5\nMaxJobCount             = 20\n\
                    MaxArraySizeOfMine      = 7\n";
        assert_eq!(limits_of(text), ClusterLimits { array: 5, jobs: Some(20) });
        assert_eq!(limits_of(""), ClusterLimits { array: 1001, jobs: None });
        assert_eq!(limits_of("MaxArraySize = 0").array, 1);
    }

    #[test]
    fn lines_of_both_programs_are_read() {
        let text =
            "17_0|RUNNING|n1\n17_1|PENDING|(Dependency)\n18|CANCELLED by 0|None assigned\n\nnonsense\n";
        let read = lines(text);
        assert_eq!(read.len(), 3);
        assert_eq!(read[1], ("17_1".into(), ("PENDING".into(), "(Dependency)".into())));
        assert_eq!(read[2].1.0, "CANCELLED");
        assert_eq!(mains(&["17_0", "17_1", "18"]), ["17", "18"]);
        let job = |state: &str| JobState {
            id: "1".into(),
            name: "a".into(),
            state: state.into(),
            reason: String::new(),
        };
        assert!(job("PENDING").is_alive() && job("REQUEUED").is_alive() && !job("FAILED").is_alive());
    }
}
