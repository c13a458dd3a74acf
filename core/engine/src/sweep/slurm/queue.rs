//! What the queue knows of jobs, by `squeue`, and by `sacct` of those that have left it where accounting is on. It
//! changes nothing.

use std::collections::BTreeMap;
use std::process::Command;

use super::Jobs;
use crate::error::EngineError;

/// A job and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobState {
    /// Its id in the queue.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Slurm's word: `PENDING`, `RUNNING`, `COMPLETED`, `FAILED`, …; `gone` where nobody knows any more.
    pub(crate) state: String,
    /// Why it waits, or on which node it runs.
    pub(crate) reason: String,
}

impl JobState {
    /// Whether it is still in the queue or at work.
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

/// How all submitted jobs are.
///
/// # Errors
/// When `squeue` is not there or fails.
pub(crate) fn states(jobs: &Jobs) -> Result<Vec<JobState>, EngineError> {
    let ids: Vec<&str> = jobs.jobs.iter().filter_map(|job| job.id.as_deref()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    // Of jobs that have left, only accounting knows; a cluster without it says so by failing.
    if let Ok(text) =
        said("sacct", &["-n", "-X", "-P", "-o", "JobID,State,NodeList", "-j", &mains(&ids).join(",")])
    {
        known.extend(lines(&text));
    }
    let queue = said("squeue", &["--all", "-h", "-r", "-t", "all", "-o", "%i|%T|%R"])?;
    known.extend(lines(&queue));
    let state = |job: &super::Job| {
        let id = job.id.clone()?;
        let (state, reason) = known.get(&id).cloned().unwrap_or_else(|| ("gone".to_owned(), String::new()));
        Some(JobState { id, name: job.name.clone(), state, reason })
    };
    Ok(jobs.jobs.iter().filter_map(state).collect())
}

/// What a cluster takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClusterLimits {
    /// Jobs of an array; their numbers are below it.
    pub(super) array: usize,
    /// Jobs in the queue, each of an array counted, where the cluster says so.
    pub(super) jobs: Option<usize>,
}

/// What `scontrol show config` says, or Slurm's own defaults where it says nothing.
pub(super) fn limits() -> ClusterLimits {
    let text = said("scontrol", &["show", "config"]).unwrap_or_else(|problem| {
        tracing::debug!(%problem, "the cluster's limits are taken to be Slurm's defaults");
        String::new()
    });
    limits_of(&text)
}

fn limits_of(config: &str) -> ClusterLimits {
    /// Slurm's default of `MaxArraySize`.
    const ARRAY: usize = 1001;
    let value = |name: &str| {
        let line = |line: &str| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().parse().ok())?
        };
        config.lines().find_map(line)
    };
    // Of a size of 0, arrays are switched off: every job is one of its own.
    ClusterLimits { array: value("MaxArraySize").unwrap_or(ARRAY).max(1), jobs: value("MaxJobCount") }
}

/// Ids without the places in arrays, each once.
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
        // `CANCELLED by 1000`: the word is enough.
        let state = state.split_whitespace().next().unwrap_or_default();
        Some((id.to_owned(), (state.to_owned(), parts.next().unwrap_or_default().to_owned())))
    };
    text.lines().filter_map(line).collect()
}

/// What a program of Slurm prints.
///
/// # Errors
/// It is not there, or fails: its own words.
pub(super) fn said(program: &'static str, arguments: &[&str]) -> Result<String, EngineError> {
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
