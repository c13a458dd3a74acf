//! `cadre sweep RECIPE…`: runs every point of a sweep, each distinct stage once, and writes a report that compares the
//! points. `status`, `report` and `cancel` work on an existing sweep.

mod progress;
mod slurm;

use std::sync::Arc;
use std::time::Instant;

use cadre_eval::{PointState, SweepReport};
use cadre_scheduler::{
    CommonArgs, OpenSweep, StageKind, StageState, StopFlag, SweepArgs, SweepPlan, render_sweep,
    render_sweep_json,
};
use cadre_store::ArtifactStore;
use clap::{Args, Subcommand, ValueEnum};

use super::Done;
use super::opened::capabilities;
use super::run_folder::RunFolder;
use crate::dry_run::try_points;
use crate::error::EngineError;
use crate::interrupt;
use crate::sweep::{Assignment, DedupEvents, SweepFolder, WorkerPool, work};
use crate::terminal::{NullSink, OutputMode, Terminal};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct SweepCommand {
    #[command(flatten)]
    sweep: Option<SweepArgs>,
    #[command(flatten)]
    options: SweepOptions,
    #[command(subcommand)]
    command: Option<SweepSubcommand>,
}

#[derive(Debug, Args)]
struct SweepOptions {
    /// Number of workers (processes on this machine)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: u32,
    /// Show the points, shared stages, and what is cached or to do; run nothing
    #[arg(long)]
    dry_run: bool,
    /// Start no further stages once a stage has failed
    #[arg(long)]
    fail_fast: bool,
    /// Run stages in workers on this machine, or as jobs of a Slurm cluster
    #[arg(long, value_enum, default_value_t = Launcher::Local)]
    launcher: Launcher,
    /// Resources of Slurm jobs: a TOML file with a table `[launcher.slurm]`
    #[arg(long, value_name = "FILE", default_value = slurm::LAUNCHER_FILE)]
    launcher_file: std::path::PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Launcher {
    Local,
    Slurm,
}

#[derive(Debug, Subcommand)]
enum SweepSubcommand {
    /// Show the progress of a sweep: its points, stages and jobs
    Status(SweepId),
    /// Regenerate the report of a sweep from the stages done so far
    Report(SweepId),
    /// Cancel the queued and running jobs of a sweep; finished stages are kept
    Cancel(SweepId),
    /// Run as a worker of a sweep (used internally to start workers and jobs)
    #[command(hide = true)]
    Worker(WorkerArgs),
}

#[derive(Debug, Args)]
struct SweepId {
    /// The sweep: its id, an id prefix, or its folder
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Debug, Args)]
struct WorkerArgs {
    /// The folder of the sweep
    #[arg(value_name = "DIR")]
    folder: String,
    /// Threads for stages whose recipe does not limit them; 0 means all
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Start no further stages once a stage has failed
    #[arg(long)]
    fail_fast: bool,
    /// Do the stages of one job of the queue, and what they need
    #[arg(long, value_name = "NUMBER")]
    job: Option<usize>,
}

pub(super) fn sweep(args: &SweepCommand, common: &CommonArgs, terminal: &Terminal) -> Done {
    match (&args.command, &args.sweep) {
        (Some(SweepSubcommand::Worker(args)), _) => worker(args, common, terminal),
        (Some(SweepSubcommand::Status(args)), _) => {
            let folder = SweepFolder::find(&args.id, &common.sweeps)?;
            progress::status(&folder, common, terminal)
        }
        (Some(SweepSubcommand::Report(args)), _) => {
            let folder = SweepFolder::find(&args.id, &common.sweeps)?;
            let report =
                folder.finish(&folder.plan()?, &ArtifactStore::open(&common.store)?, &common.runs)?;
            progress::summary(&report, &folder, None, terminal);
            Ok(())
        }
        (Some(SweepSubcommand::Cancel(args)), _) => {
            slurm::cancel(&SweepFolder::find(&args.id, &common.sweeps)?, terminal)
        }
        (None, Some(sweep)) => begin(sweep, &args.options, common, terminal),
        (None, None) => Err(EngineError::NotFound {
            what: "the recipe to sweep",
            name: String::new(),
            advice: "name at least one recipe".to_owned(),
        }),
    }
}

fn begin(args: &SweepArgs, options: &SweepOptions, common: &CommonArgs, terminal: &Terminal) -> Done {
    let open = OpenSweep::read(args, Some(capabilities()))?;
    let mut warnings = open.check()?;
    let planned = open.plan(&common.store)?;
    warnings.extend(try_points(&open, &planned.plan, &common.store)?);
    terminal.warn(&warnings);
    let mut plan = planned.plan;
    if options.dry_run {
        match terminal.mode() {
            OutputMode::Json => terminal.print(&render_sweep_json(&plan, &planned.status).to_string()),
            _ => terminal.print(&render_sweep(&plan, &planned.status)),
        }
        return Ok(());
    }
    open.write_recipes(&mut plan);
    let folder = SweepFolder::of(&plan, &common.sweeps);
    let store = Arc::new(ArtifactStore::open(&common.store)?);
    folder.begin(&plan)?;
    // Garbage collection must read these folders before it removes anything.
    for kept in [&common.sweeps, &common.runs] {
        std::fs::create_dir_all(kept).map_err(|source| EngineError::Write { path: kept.clone(), source })?;
        store.remember_runs(kept)?;
    }
    if options.launcher == Launcher::Slurm {
        return slurm::submit(&folder, &plan, &options.launcher_file, common, terminal);
    }
    for stage in RunFolder::damaged(&plan.joint(), &store)? {
        terminal.note(&format!("{stage}: damaged, moved to quarantine; it will be made again"));
    }
    let to_do = plan.stages.len() - planned.status.count(StageState::Cached);
    terminal.note(&format!(
        "{}: {} points, {} stages without sharing, {} distinct, {to_do} to do",
        folder.id(),
        plan.points.len(),
        plan.without_sharing(),
        plan.stages.len()
    ));
    let started = Instant::now();
    let stop = StopFlag::new();
    let troubles = local(&folder, &plan, &store, options, &stop, common, terminal)?;
    for trouble in &troubles {
        terminal.note(&format!("warning: {trouble}"));
    }
    let report = folder.finish(&plan, &store, &common.runs)?;
    let left = report.points.iter().filter(|point| point.state == PointState::Left).count();
    let failed = report.points.iter().any(|point| point.state == PointState::Failed);
    if stop.is_requested() && !failed {
        return Err(EngineError::Interrupted);
    }
    progress::summary(&report, &folder, Some(started.elapsed().as_secs_f64()), terminal);
    ended(&report, left, &troubles)
}

/// Determines whether a sweep succeeded.
fn ended(report: &SweepReport, left: usize, troubles: &[String]) -> Done {
    let failed = report.points.iter().filter(|point| point.state == PointState::Failed).count();
    match (failed, left) {
        (0, 0) => Ok(()),
        _ => Err(EngineError::SweepIncomplete {
            failed,
            left,
            all: report.points.len(),
            why: troubles.first().cloned().unwrap_or_default(),
        }),
    }
}

/// Runs the sweep on this machine; returns the problems of workers.
fn local(
    folder: &SweepFolder,
    plan: &SweepPlan,
    store: &Arc<ArtifactStore>,
    options: &SweepOptions,
    stop: &StopFlag,
    common: &CommonArgs,
    terminal: &Terminal,
) -> Result<Vec<String>, EngineError> {
    let listening = terminal.listen_to_sweep(plan, Some(&folder.events()))?;
    let announce = listening.announce;
    interrupt::listen(stop.clone(), move |text| announce(text))
        .map_err(|source| EngineError::Signals { source })?;
    let workers = options.jobs as usize;
    if workers == 1 {
        let assignment =
            Assignment { only: None, threads: 0, keep_going: !options.fail_fast, stop: stop.clone() };
        work(folder, plan, store, &assignment, &*listening.events)?;
        return Ok(Vec::new());
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = (cores / workers).max(1);
    let pool = WorkerPool {
        folder,
        store: &common.store,
        workers,
        threads,
        stages: &plan.stages,
        fail_fast: options.fail_fast,
    };
    pool.run(&DedupEvents::new(&*listening.events), stop)
}

/// Does the report stages of all points whose other stages are done.
fn reports(folder: &SweepFolder, plan: &SweepPlan, store: &Arc<ArtifactStore>, stop: &StopFlag) -> Done {
    let there = folder.stages_there(plan, store)?;
    let ready: Vec<usize> = (0..plan.stages.len())
        .filter(|index| {
            let stage = &plan.stages[*index];
            stage.kind == StageKind::Report && stage.inputs.iter().all(|input| there[*input])
        })
        .collect();
    let assignment = Assignment { only: Some(&ready), threads: 0, keep_going: true, stop: stop.clone() };
    work(folder, plan, store, &assignment, &NullSink).map(|_| ())
}

/// Runs as a worker: writes no report, and messages only to its log.
fn worker(args: &WorkerArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let folder = SweepFolder::find(&args.folder, &common.sweeps)?;
    let plan = folder.plan()?;
    let store = Arc::new(ArtifactStore::open(&common.store)?);
    let stop = StopFlag::new();
    if args.job.is_none() {
        interrupt::end_with_parent().map_err(|source| EngineError::Signals { source })?;
    }
    interrupt::listen(stop.clone(), |_| {}).map_err(|source| EngineError::Signals { source })?;
    let only = args.job.map(|job| slurm::stages_of(&folder, job)).transpose()?;
    if only.as_ref().is_some_and(Vec::is_empty) {
        // The last job: all other stages are done, have failed or were cancelled.
        reports(&folder, &plan, &store, &stop)?;
        let report = folder.finish(&plan, &store, &common.runs)?;
        let left = report.points.iter().filter(|point| point.state == PointState::Left).count();
        return ended(&report, left, &[]);
    }
    let assignment = Assignment {
        only: only.as_deref(),
        threads: args.threads,
        keep_going: !args.fail_fast,
        stop: stop.clone(),
    };
    // The events of a worker started by a sweep are logged by the sweep.
    let log = args.job.map(|job| folder.slurm().join(format!("events-job-{job}.jsonl")));
    let listening = terminal.listen_to_sweep(&plan, log.as_deref())?;
    let outcome = work(&folder, &plan, &store, &assignment, &*listening.events)?;
    if stop.is_requested() && !outcome.left.is_empty() {
        return Err(EngineError::Interrupted);
    }
    match outcome.failed.as_slice() {
        [] => Ok(()),
        [(index, message), ..] => Err(EngineError::StageFailed {
            stage: plan.stages[*index].name.clone(),
            message: message.clone(),
        }),
    }
}
