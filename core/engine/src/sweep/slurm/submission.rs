//! Submits the jobs of a sweep, cancels them, and records what was submitted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cadre_scheduler::{BatchJob, SweepPlan, batch_jobs};
use cadre_store::{chain, write_atomic};

use super::queue::{self, JobState, mains, output_of};
use super::script::Script;
use super::{JOBS_FORMAT, Job, Jobs, Resources};
use crate::error::EngineError;
use crate::sweep::SweepFolder;

/// A sweep being submitted.
pub(crate) struct Submission<'a> {
    pub(crate) folder: &'a SweepFolder,
    pub(crate) store: &'a Path,
    pub(crate) runs: &'a Path,
}

impl Submission<'_> {
    /// Submits one job per chain of missing stages, and a last one for the report.
    ///
    /// # Errors
    /// If jobs of the same sweep are still in the queue, or `sbatch` refuses a job; jobs submitted before are then
    /// cancelled.
    pub(crate) fn submit(
        &self,
        plan: &SweepPlan,
        there: &[bool],
        resources: &Resources,
    ) -> Result<Jobs, EngineError> {
        if let Some(earlier) = jobs(self.folder)? {
            let alive: Vec<JobState> =
                queue::states(&earlier)?.into_iter().filter(JobState::is_alive).collect();
            if let Some(job) = alive.first() {
                return Err(EngineError::AlreadyQueued {
                    sweep: self.folder.id(),
                    jobs: alive.len(),
                    first: job.id.clone(),
                });
            }
        }
        let slurm = self.folder.slurm();
        std::fs::create_dir_all(slurm.join("logs"))
            .map_err(|source| EngineError::Write { path: slurm.clone(), source })?;
        let mut submitted = Jobs { format_version: JOBS_FORMAT, jobs: named(plan, batch_jobs(plan, there)) };
        let limits = queue::limits();
        if let Some(max_jobs) = limits.jobs.filter(|max_jobs| submitted.jobs.len() > *max_jobs) {
            let problem = format!(
                "the sweep has {} jobs, but the cluster takes {max_jobs} (MaxJobCount): split it into several sweeps",
                submitted.jobs.len()
            );
            return Err(EngineError::Slurm { program: "scontrol", problem });
        }
        match self.submit_all(&mut submitted, resources, limits.array) {
            Ok(()) => Ok(submitted),
            Err(problem) => Err(self.taken_back(&submitted, problem)),
        }
    }

    /// A sweep is submitted completely or not at all: if a job is refused, those submitted before are cancelled.
    fn taken_back(&self, submitted: &Jobs, problem: EngineError) -> EngineError {
        let ids: Vec<&str> = submitted.jobs.iter().filter_map(|job| job.id.as_deref()).collect();
        if ids.is_empty() {
            return problem;
        }
        let mains = mains(&ids);
        let mut arguments = vec!["--full"];
        arguments.extend(mains.iter().map(String::as_str));
        // `scancel` fails for finished jobs, so check that none is left.
        let outcome = output_of("scancel", &arguments).map(drop).or_else(|_| cancelled(submitted).map(drop));
        let words = match problem {
            EngineError::Slurm { problem, .. } => problem,
            other => chain(&other),
        };
        let id = self.folder.id();
        let problem = match outcome {
            Ok(()) => format!("{words}; the {} jobs that were submitted before it are cancelled", ids.len()),
            Err(second) => format!(
                "{words}; and {} jobs that were submitted before it could not be cancelled ({}): try `cadre sweep \
                 cancel {id}`",
                ids.len(),
                chain(&second)
            ),
        };
        EngineError::Slurm { program: "sbatch", problem }
    }

    /// Submits all jobs, in arrays of limited size.
    fn submit_all(
        &self,
        submitted: &mut Jobs,
        resources: &Resources,
        max_size: usize,
    ) -> Result<(), EngineError> {
        let mut index = 0;
        while index < submitted.jobs.len() {
            let array = submitted.jobs[index].work.array;
            let count = submitted.jobs[index..]
                .iter()
                .take_while(|job| job.work.array == array)
                .take(max_size)
                .count();
            let last = index + count == submitted.jobs.len();
            let id_of = |job: usize| submitted.jobs[job].id.as_deref();
            let (common, paired) = predecessors(&submitted.jobs[index..index + count]);
            let ids: Vec<&str> = common.iter().filter_map(|job| id_of(*job)).collect();
            // The report is written even if other jobs fail.
            let word = if last { "afterany" } else { "afterok" };
            let after = if last { mains(&ids) } else { whole_arrays(&ids, &submitted.jobs) };
            let mut dependencies = Vec::new();
            if !after.is_empty() {
                dependencies.push(format!("{word}:{}", after.join(":")));
            }
            // The n-th job of this array depends on the n-th of another.
            let paired: Vec<&str> = paired.iter().filter_map(|job| id_of(*job)).collect();
            if !paired.is_empty() {
                dependencies.push(format!("aftercorr:{}", mains(&paired).join(":")));
            }
            // If an array is split and the number of concurrent jobs is limited, its parts run one after the other.
            if resources.at_once.is_some()
                && let Some(before) =
                    index.checked_sub(1).filter(|before| submitted.jobs[*before].work.array == array)
                && let Some(id) = id_of(before)
            {
                dependencies.push(format!("afterany:{}", mains(&[id]).join(":")));
            }
            let dependency = (!dependencies.is_empty()).then(|| dependencies.join(","));
            let id =
                self.submit_one(&submitted.jobs[index].name, index, count, dependency.as_deref(), resources)?;
            for (task, job) in submitted.jobs[index..index + count].iter_mut().enumerate() {
                job.id = Some(if count > 1 { format!("{id}_{task}") } else { id.clone() });
            }
            // Saved after each submission, so that queued jobs can be found and cancelled whatever happens.
            keep(self.folder, submitted)?;
            index += count;
        }
        Ok(())
    }

    fn submit_one(
        &self,
        name: &str,
        first: usize,
        count: usize,
        dependency: Option<&str>,
        resources: &Resources,
    ) -> Result<String, EngineError> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|source| EngineError::Read { path: path.to_owned(), source })
        };
        let program = std::env::current_exe()
            .map_err(|source| EngineError::Read { path: PathBuf::from("cadre"), source })?;
        let slurm = absolute(&self.folder.slurm())?;
        let script = Script {
            name,
            first,
            count,
            dependency,
            program: &program,
            folder: &absolute(self.folder.root())?,
            store: &absolute(self.store)?,
            runs: &absolute(self.runs)?,
            logs: &slurm.join("logs"),
        };
        let file = slurm.join(format!("job-{first}.sh"));
        write_atomic(&file, script.text(resources).as_bytes())?;
        let answer = output_of("sbatch", &["--parsable", &file.display().to_string()])?;
        // With several clusters the id is followed by the cluster's name.
        let id = answer.trim().split(';').next().unwrap_or_default();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            let problem = format!("it accepted {} but printed no job id: {answer:?}", file.display());
            return Err(EngineError::Slurm { program: "sbatch", problem });
        }
        Ok(id.to_owned())
    }
}

/// The jobs with their names, plus the last one, which depends on all others.
fn named(plan: &SweepPlan, jobs: Vec<BatchJob>) -> Vec<Job> {
    let last = BatchJob {
        stages: Vec::new(),
        after: (0..jobs.len()).collect(),
        array: jobs.last().map_or(0, |job| job.array + 1),
    };
    let name = |job: &BatchJob| match job.stages.first() {
        Some(index) => format!("cadre-{}-{}", plan.name, plan.stages[*index].kind.name()),
        None => format!("cadre-{}-report", plan.name),
    };
    jobs.into_iter().chain([last]).map(|work| Job { name: name(&work), work, id: None }).collect()
}

/// The dependencies of an array: jobs that all of its jobs wait for, and for each array that they wait for job by job,
/// the predecessor of the first.
fn predecessors(array: &[Job]) -> (Vec<usize>, Vec<usize>) {
    let Some(first) = array.first() else { return (Vec::new(), Vec::new()) };
    let same = |(position, job): &(usize, &usize)| {
        array.iter().all(|other| other.work.after.get(*position) == Some(*job))
    };
    let (common, paired): (Vec<_>, Vec<_>) = first.work.after.iter().enumerate().partition(same);
    let jobs = |list: Vec<(usize, &usize)>| list.into_iter().map(|(_, job)| *job).collect();
    (jobs(common), jobs(paired))
}

/// Ids in which the id of an array replaces those of all of its jobs.
fn whole_arrays(ids: &[&str], jobs: &[Job]) -> Vec<String> {
    let main = |id: &str| id.split('_').next().unwrap_or_default().to_owned();
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    jobs.iter().filter_map(|job| job.id.as_deref()).for_each(|id| *sizes.entry(main(id)).or_default() += 1);
    let mut wanted: BTreeMap<String, usize> = BTreeMap::new();
    ids.iter().for_each(|id| *wanted.entry(main(id)).or_default() += 1);
    let mut short: Vec<String> = Vec::new();
    for id in ids {
        let main = main(id);
        let name = if wanted.get(&main) == sizes.get(&main) { main } else { (*id).to_owned() };
        if short.last() != Some(&name) {
            short.push(name);
        }
    }
    short
}

fn file(folder: &SweepFolder) -> PathBuf {
    folder.slurm().join("jobs.json")
}

fn keep(folder: &SweepFolder, jobs: &Jobs) -> Result<(), EngineError> {
    let bytes =
        serde_json::to_vec(jobs).map_err(|source| EngineError::NoJson { what: "the jobs", source })?;
    Ok(write_atomic(&file(folder), &bytes)?)
}

/// The submitted jobs of a sweep; `None` if it was not submitted.
///
/// # Errors
/// If the file cannot be read or parsed.
pub(crate) fn jobs(folder: &SweepFolder) -> Result<Option<Jobs>, EngineError> {
    let path = file(folder);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(EngineError::Read { path, source }),
    };
    let jobs: Jobs = serde_json::from_slice(&text).map_err(|source| EngineError::Line {
        path: path.clone(),
        line: source.line(),
        source,
    })?;
    if jobs.format_version > JOBS_FORMAT {
        return Err(EngineError::NewerFile { path, found: jobs.format_version, known: JOBS_FORMAT });
    }
    Ok(Some(jobs))
}

/// Cancels queued and running jobs; returns their number.
///
/// # Errors
/// If Slurm refuses.
pub(crate) fn cancelled(jobs: &Jobs) -> Result<usize, EngineError> {
    let alive: Vec<JobState> = queue::states(jobs)?.into_iter().filter(JobState::is_alive).collect();
    if alive.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&str> = alive.iter().map(|job| job.id.as_str()).collect();
    // With `--full`, the signal also reaches the script, whose worker then saves a checkpoint.
    let mut arguments = vec!["--full"];
    arguments.extend(&ids);
    output_of("scancel", &arguments)?;
    Ok(alive.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_an_array_wait_together_or_one_by_one() {
        let job = |after: &[usize]| Job {
            name: String::new(),
            work: BatchJob { stages: Vec::new(), after: after.to_vec(), array: 3 },
            id: None,
        };
        assert_eq!(predecessors(&[job(&[0, 1]), job(&[0, 1])]), (vec![0, 1], vec![]));
        assert_eq!(predecessors(&[job(&[0, 4, 8]), job(&[0, 5, 9])]), (vec![0], vec![4, 8]));
    }

    #[test]
    fn an_array_is_named_once_if_all_of_it_is_waited_for() {
        let job = |id: &str| Job {
            name: String::new(),
            work: BatchJob { stages: Vec::new(), after: Vec::new(), array: 0 },
            id: Some(id.to_owned()),
        };
        let jobs = ["17_0", "17_1", "18", "19_0", "19_1"].map(job);
        assert_eq!(whole_arrays(&["17_0", "17_1", "18", "19_1"], &jobs), ["17", "18", "19_1"]);
    }
}
