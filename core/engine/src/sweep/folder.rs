//! The folder of a sweep: its plan, failures and report. All but the plan can be regenerated from the plan and the
//! store.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use cadre_eval::{
    PointOutcome, SweepInput, SweepReport, SweepRun, SweepStages, render_sweep_html, render_sweep_latex,
    render_sweep_markdown,
};
use cadre_runs::SWEEP;
use cadre_scheduler::{PlannedPoint, SWEEP_PLAN_FORMAT, SweepPlan};
use cadre_store::{ArtifactStore, Digest, StoreError, write_atomic};
use serde::{Deserialize, Serialize};

use crate::command::RunFolder;
use crate::error::EngineError;

/// Format version of failure files.
const FAILURE_FORMAT: u32 = 1;

/// A sweep's folder.
#[derive(Debug, Clone)]
pub(crate) struct SweepFolder {
    root: PathBuf,
}

/// A failed stage, as recorded by the worker that tried it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Failure {
    format_version: u32,
    stage: String,
    message: String,
}

impl SweepFolder {
    /// The folder of a plan's sweep.
    pub(crate) fn of(plan: &SweepPlan, sweeps: &Path) -> Self {
        Self { root: sweeps.join(format!("{}-{}", plan.name, plan.key.short())) }
    }

    /// Finds a sweep by id, id prefix or path; of several matches, the most recently modified.
    pub(crate) fn find(id: &str, sweeps: &Path) -> Result<Self, EngineError> {
        Ok(Self { root: SWEEP.latest(id, sweeps)?.0 })
    }

    /// The path of the folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The sweep's id: the name of its folder.
    pub(crate) fn id(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The HTML report.
    pub(crate) fn page(&self) -> PathBuf {
        self.root.join("sweep.html")
    }

    /// The machine-readable report.
    pub(crate) fn json(&self) -> PathBuf {
        self.root.join("sweep.json")
    }

    /// The event log.
    pub(crate) fn events(&self) -> PathBuf {
        self.root.join("events.jsonl")
    }

    /// The standard error of a worker.
    pub(crate) fn worker_log(&self, worker: &str) -> PathBuf {
        self.root.join("workers").join(format!("{worker}.log"))
    }

    /// The folder of the Slurm launcher's files.
    pub(crate) fn slurm(&self) -> PathBuf {
        self.root.join("slurm")
    }

    /// Writes the plan and deletes recorded failures: restarting a sweep retries them.
    pub(crate) fn begin(&self, plan: &SweepPlan) -> Result<(), EngineError> {
        for folder in [self.root.clone(), self.root.join("workers")] {
            create(&folder)?;
        }
        let failures = self.failures();
        match fs::remove_dir_all(&failures) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(EngineError::Write { path: failures, source });
            }
            _ => create(&failures)?,
        }
        let bytes =
            serde_json::to_vec(plan).map_err(|source| EngineError::NoJson { what: "the plan", source })?;
        Ok(write_atomic(&self.plan_file(), &bytes)?)
    }

    /// The plan in the folder.
    pub(crate) fn plan(&self) -> Result<SweepPlan, EngineError> {
        let path = self.plan_file();
        let text = fs::read(&path).map_err(|source| EngineError::Read { path: path.clone(), source })?;
        let plan: SweepPlan = serde_json::from_slice(&text).map_err(|source| EngineError::Line {
            path: path.clone(),
            line: source.line(),
            source,
        })?;
        if plan.format_version > SWEEP_PLAN_FORMAT {
            return Err(EngineError::NewerFile {
                path,
                found: plan.format_version,
                known: SWEEP_PLAN_FORMAT,
            });
        }
        Ok(plan)
    }

    fn plan_file(&self) -> PathBuf {
        self.root.join("sweep-plan.json")
    }

    fn failures(&self) -> PathBuf {
        self.root.join("failures")
    }

    fn failure_file(&self, key: &Digest) -> PathBuf {
        self.failures().join(format!("{key}.json"))
    }

    /// Records that a stage failed, so that no other worker tries it.
    pub(crate) fn keep_failure(&self, key: &Digest, stage: &str, message: &str) -> Result<(), EngineError> {
        create(&self.failures())?;
        let failure =
            Failure { format_version: FAILURE_FORMAT, stage: stage.to_owned(), message: message.to_owned() };
        let bytes = serde_json::to_vec(&failure)
            .map_err(|source| EngineError::NoJson { what: "a failure", source })?;
        Ok(write_atomic(&self.failure_file(key), &bytes)?)
    }

    /// The recorded failure of a stage. An unreadable file counts as none: the stage is tried.
    pub(crate) fn failure(&self, key: &Digest) -> Option<String> {
        let text = fs::read(self.failure_file(key)).ok()?;
        let failure: Failure = serde_json::from_slice(&text).ok()?;
        (failure.format_version <= FAILURE_FORMAT).then_some(failure.message)
    }

    /// Writes the folders of all finished runs and the report of the sweep, from the store.
    pub(crate) fn finish(
        &self,
        plan: &SweepPlan,
        store: &ArtifactStore,
        runs: &Path,
    ) -> Result<SweepReport, EngineError> {
        let there = self.stages_there(plan, store)?;
        let mut points = Vec::with_capacity(plan.points.len());
        for point in &plan.points {
            points.push(self.run_of(plan, point, &there, store, runs)?);
        }
        let report = SweepReport::of(SweepInput {
            name: plan.name.clone(),
            key: plan.key.to_string(),
            baseline: plan.baseline.clone(),
            keys: plan.keys.clone(),
            stages: SweepStages {
                distinct: plan.stages.len() as u64,
                without_sharing: plan.without_sharing() as u64,
            },
            points,
        })?;
        write_atomic(&self.json(), report.to_json()?.as_bytes())?;
        write_atomic(&self.root.join("sweep.csv"), report.to_csv().as_bytes())?;
        write_atomic(&self.root.join("sweep.tex"), render_sweep_latex(&report).as_bytes())?;
        write_atomic(&self.root.join("sweep.md"), render_sweep_markdown(&report).as_bytes())?;
        write_atomic(&self.page(), render_sweep_html(&report)?.as_bytes())?;
        Ok(report)
    }

    /// For each distinct stage, whether it is in the store.
    pub(crate) fn stages_there(
        &self,
        plan: &SweepPlan,
        store: &ArtifactStore,
    ) -> Result<Vec<bool>, StoreError> {
        plan.stages.iter().map(|stage| store.contains(&stage.key)).collect()
    }

    fn run_of(
        &self,
        plan: &SweepPlan,
        point: &PlannedPoint,
        there: &[bool],
        store: &ArtifactStore,
        runs: &Path,
    ) -> Result<SweepRun, EngineError> {
        let alone = plan.plan_of(point);
        let folder = RunFolder::of(&alone, runs);
        let outcome = if point.stages.iter().all(|index| there[*index]) {
            folder.begin_with(&point.toml, &alone)?;
            folder.keep_sweep(&self.id())?;
            PointOutcome::Done(Box::new(folder.finish_once(&alone, store)?))
        } else {
            // The first in plan order: later failures follow from it.
            let failed = point.stages.iter().find_map(|index| {
                let stage = &plan.stages[*index];
                Some(format!("{}: {}", stage.name, self.failure(&stage.key)?))
            });
            failed.map_or(PointOutcome::Left, PointOutcome::Failed)
        };
        let done = matches!(outcome, PointOutcome::Done(_));
        let report = done.then(|| link(&self.root, &folder.layout.report_html())).flatten();
        Ok(SweepRun {
            name: point.name.clone(),
            setting: point.setting.clone(),
            recipe: point.recipe.clone(),
            values: point.values.clone(),
            seed: point.seed,
            order: point.order.clone(),
            run: folder.layout.id(),
            report,
            outcome,
        })
    }

    /// Failed stages, each once, with the number of points that need it.
    pub(crate) fn failed_stages(&self, plan: &SweepPlan) -> Vec<(String, String, usize)> {
        let mut needed: HashMap<usize, usize> = HashMap::new();
        plan.points
            .iter()
            .flat_map(|point| &point.stages)
            .for_each(|index| *needed.entry(*index).or_default() += 1);
        let mut found: BTreeMap<usize, (String, String, usize)> = BTreeMap::new();
        for (index, stage) in plan.stages.iter().enumerate() {
            if let Some(message) = self.failure(&stage.key) {
                let points = needed.get(&index).copied().unwrap_or_default();
                found.insert(index, (stage.name.clone(), message, points));
            }
        }
        found.into_values().collect()
    }
}

fn create(folder: &Path) -> Result<(), EngineError> {
    fs::create_dir_all(folder).map_err(|source| EngineError::Write { path: folder.to_owned(), source })
}

/// The relative path from a folder to a file, with `/`; `None` if they share no root.
fn link(from: &Path, to: &Path) -> Option<String> {
    let (from, to) = (fs::canonicalize(from).ok()?, fs::canonicalize(to).ok()?);
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().count() - common;
    let down = to.components().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    Some(std::iter::repeat_n("..".to_owned(), up).chain(down).collect::<Vec<_>>().join("/"))
}
