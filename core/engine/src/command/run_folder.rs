//! The folder of a run: what is written before the first stage and after the last, and how a run is found by name. All
//! of it can be regenerated from the store.

use std::io::ErrorKind;
use std::path::Path;

use cadre_eval::{Report, ReportExtras, render_html, render_markdown};
use cadre_recipe::Loaded;
use cadre_runs::RUN;
use cadre_scheduler::{Plan, StageKind, StageSpec};
use cadre_store::{Artifact, ArtifactStore, Lookup, RunLayout, StoreError, chain, write_atomic};

use serde::{Deserialize, Serialize};

use crate::error::EngineError;
use crate::stage::{EXTRAS_JSON, PREDICTIONS, REPORT_JSON};
use crate::terminal::Terminal;

/// A run's folder.
pub(crate) struct RunFolder {
    pub(crate) layout: RunLayout,
}

impl RunFolder {
    /// The run folder of a plan.
    pub(crate) fn of(plan: &Plan, runs: &Path) -> Self {
        Self { layout: RunLayout::new(runs, &plan.name, &plan.run_key) }
    }

    /// Finds a run by id, recipe name, id prefix or path. Of several matches it takes the most recently modified, and a
    /// note says which.
    pub(super) fn find(id: &str, runs: &Path, terminal: &Terminal) -> Result<Self, EngineError> {
        let (folder, matches) = RUN.latest(id, runs)?;
        let layout = RunLayout::at(&folder);
        let run = layout.id();
        if matches == 1 && run != id && !id.contains('/') {
            terminal.note(&format!("run {run}"));
        }
        if matches > 1 {
            terminal.note(&format!(
                "run {run}: the most recent of {matches} that match `{id}` (`{id}@2` is the one before)"
            ));
        }
        Ok(Self { layout })
    }

    /// The plan in the run's folder.
    pub(super) fn plan(&self) -> Result<Plan, EngineError> {
        let path = self.layout.plan();
        let text = std::fs::read(&path).map_err(|source| EngineError::Read { path: path.clone(), source })?;
        serde_json::from_slice(&text).map_err(|source| EngineError::Line {
            path,
            line: source.line(),
            source,
        })
    }

    /// Creates the folder and writes the expanded recipe and the plan.
    pub(super) fn begin(&self, loaded: &Loaded, plan: &Plan) -> Result<(), EngineError> {
        self.begin_with(&loaded.expand(), plan)
    }

    /// Like [`RunFolder::begin`], with the expanded recipe as text.
    pub(crate) fn begin_with(&self, recipe: &str, plan: &Plan) -> Result<(), EngineError> {
        self.layout.create()?;
        write_changed(&self.layout.recipe(), recipe.as_bytes())?;
        let bytes = serde_json::to_vec_pretty(plan)
            .map_err(|source| EngineError::NoJson { what: "the plan", source })?;
        write_changed(&self.layout.plan(), &bytes)
    }

    /// Records that the run is a point of a sweep.
    pub(crate) fn keep_sweep(&self, sweep: &str) -> Result<(), EngineError> {
        let path = self.layout.sweeps();
        let mut known: Sweeps = match std::fs::read(&path) {
            // A malformed file is replaced: the sweeps themselves list their runs.
            Ok(text) => serde_json::from_slice(&text).unwrap_or_default(),
            Err(_) => Sweeps::default(),
        };
        if known.sweeps.iter().any(|name| name == sweep) {
            return Ok(());
        }
        known.sweeps.push(sweep.to_owned());
        let bytes = serde_json::to_vec(&Sweeps { format_version: 1, ..known })
            .map_err(|source| EngineError::NoJson { what: "the sweeps of a run", source })?;
        Ok(write_atomic(&path, &bytes)?)
    }

    /// Verifies the artifacts that `finish` reads, so that damaged ones are quarantined by the store and made again by
    /// the walk, which only verifies what it reads itself. Returns the damaged stages.
    pub(super) fn damaged(plan: &Plan, store: &ArtifactStore) -> Result<Vec<String>, EngineError> {
        let read = [StageKind::Evaluate, StageKind::OutOfDistribution, StageKind::Report];
        let mut damaged = Vec::new();
        for stage in plan.stages.iter().filter(|stage| read.contains(&stage.kind)) {
            if let Lookup::Damaged { .. } = store.get(&stage.key)? {
                damaged.push(stage.name.clone());
            }
        }
        Ok(damaged)
    }

    /// Writes the report and the predictions from the store.
    pub(crate) fn finish(&self, plan: &Plan, store: &ArtifactStore) -> Result<Report, EngineError> {
        self.finished(plan, store, true)
    }

    /// Like [`RunFolder::finish`], unless the folder already contains the same report.
    pub(crate) fn finish_once(&self, plan: &Plan, store: &ArtifactStore) -> Result<Report, EngineError> {
        self.finished(plan, store, false)
    }

    fn finished(&self, plan: &Plan, store: &ArtifactStore, again: bool) -> Result<Report, EngineError> {
        let stage = plan.stages.iter().find(|stage| stage.kind == StageKind::Report);
        let stage = stage.ok_or_else(|| EngineError::InputMissing {
            stage: plan.name.clone(),
            what: "report".to_owned(),
        })?;
        let artifact = artifact(store, stage)?;
        let json = artifact.read(REPORT_JSON)?;
        let report = Report::from_json(&String::from_utf8_lossy(&json))?;
        // Skip rendering an unchanged report: a sweep of many points finishes all of them.
        let same = std::fs::read(self.layout.report_json()).is_ok_and(|there| there == json);
        if same && !again && self.layout.report_html().is_file() && self.layout.predictions().is_dir() {
            return Ok(report);
        }
        let mut extras: ReportExtras = artifact.read_json(EXTRAS_JSON)?;
        extras.recipe = std::fs::read_to_string(self.layout.recipe()).ok();
        match self.write_report(&report, &extras, &json, plan, store) {
            // The report is unchanged, so a read-only folder is not an error.
            Err(problem) if same && unwritable(&problem) => {
                tracing::warn!(
                    problem = chain(&problem),
                    "the run's folder cannot be written; showing its existing report"
                );
            }
            other => other?,
        }
        Ok(report)
    }

    fn write_report(
        &self,
        report: &Report,
        extras: &ReportExtras,
        json: &[u8],
        plan: &Plan,
        store: &ArtifactStore,
    ) -> Result<(), EngineError> {
        write_atomic(&self.layout.report_md(), render_markdown(report, extras).as_bytes())?;
        write_atomic(&self.layout.report_html(), render_html(report, extras)?.as_bytes())?;
        self.keep_predictions(plan, store)?;
        // Written last: if report.json exists, everything else does too.
        Ok(write_atomic(&self.layout.report_json(), json)?)
    }

    fn keep_predictions(&self, plan: &Plan, store: &ArtifactStore) -> Result<(), EngineError> {
        let folder = self.layout.predictions();
        std::fs::create_dir_all(&folder)
            .map_err(|source| EngineError::Write { path: folder.clone(), source })?;
        let asked = [StageKind::Evaluate, StageKind::OutOfDistribution];
        for stage in plan.stages.iter().filter(|stage| asked.contains(&stage.kind)) {
            let name = stage.name.replace('/', "-");
            let bytes = artifact(store, stage)?.read(PREDICTIONS)?;
            write_atomic(&folder.join(format!("{name}.jsonl")), &bytes)?;
        }
        Ok(())
    }
}

/// Whether an error means that a disk or folder cannot be written.
fn unwritable(problem: &EngineError) -> bool {
    let source = match problem {
        EngineError::Store(StoreError::Write { source, .. }) | EngineError::Write { source, .. } => source,
        _ => return false,
    };
    matches!(source.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

/// The sweeps that contain a run.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sweeps {
    format_version: u32,
    sweeps: Vec<String>,
}

/// Writes a file unless it already has this content.
fn write_changed(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    if std::fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    Ok(write_atomic(path, bytes)?)
}

/// The artifact of a finished stage.
pub(super) fn artifact(store: &ArtifactStore, stage: &StageSpec) -> Result<Artifact, EngineError> {
    match store.get(&stage.key)? {
        Lookup::Whole(artifact) => Ok(artifact),
        Lookup::Missing | Lookup::Damaged { .. } => Err(EngineError::NotFound {
            what: "the artifact of stage",
            name: stage.name.clone(),
            advice: "it is not in the store; run `cadre run` to make it".to_owned(),
        }),
    }
}
