//! `cadre run RECIPE`: plans, does the missing stages, and writes the report into the run's folder.

use std::sync::Arc;
use std::time::Instant;

use cadre_scheduler::{CommonArgs, PlanStatus, RecipeArgs, StageState, StopFlag, WalkOptions, walk};
use cadre_store::ArtifactStore;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory};

use super::opened::Opened;
use super::run_folder::RunFolder;
use super::{CommandLine, Done};
use crate::error::EngineError;
use crate::interrupt;
use crate::resources::Resources;
use crate::terminal::{OutputMode, Terminal, duration, figure, findings, signed_figure};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Number of stages to run at once, if they do not depend on each other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    jobs: u32,
    /// Only resume an existing run; never start a new one
    #[arg(long)]
    resume_only: bool,
    /// Not an option of `run`: its error names `cadre plan`
    #[arg(long, hide = true)]
    dry_run: bool,
}

pub(super) fn run(args: &RunArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    if args.dry_run {
        let problem = "`cadre run` has no `--dry-run`: `cadre plan RECIPE` checks the recipe and shows what a run would do";
        CommandLine::command().error(ErrorKind::UnknownArgument, problem).exit();
    }
    let opened = Opened::of(&args.recipe, &common.store, terminal)?;
    let plan = &opened.plan;
    let folder = RunFolder::of(plan, &common.runs);
    if args.resume_only && !folder.layout.folder().exists() {
        return Err(EngineError::NothingToResume { folder: folder.layout.folder().to_owned() });
    }
    let store = &Arc::new(ArtifactStore::open(&common.store)?);
    folder.layout.create()?;
    // Register the folder before anything is stored: garbage collection keeps what the plans in registered folders
    // need.
    store.remember_runs(&common.runs)?;
    folder.begin(&opened.loaded, plan)?;
    for stage in RunFolder::damaged(plan, store)? {
        terminal.note(&format!("{stage}: damaged, moved to quarantine; it will be made again"));
    }
    let id = folder.layout.id();
    if opened.loaded.recipe.sweep.is_some() {
        terminal.note("note: this runs the recipe's base point; its [sweep] is left out");
    }
    terminal.note(&format!("{id}: {}", amount(&plan.status(store)?)));

    let stop = StopFlag::new();
    let executor = Resources::new(Arc::clone(store));
    let started = Instant::now();
    let outcome = {
        let listening = terminal.listen(plan, Some(&folder.layout.events()))?;
        let announce = listening.announce;
        interrupt::listen(stop.clone(), move |text| announce(text))
            .map_err(|source| EngineError::Signals { source })?;
        let options = WalkOptions { jobs: args.jobs as usize, stop, keep_going: false };
        walk(plan, store, &executor, &*listening.events, &options)?
    };
    if outcome.stopped() {
        return Err(EngineError::Interrupted);
    }
    let report = folder.finish(plan, store)?;
    match terminal.mode() {
        OutputMode::Quiet => {}
        OutputMode::Json => {
            let ended = serde_json::json!({
                "run": id,
                "report": folder.layout.report_json(),
                "findings": report.findings,
            });
            terminal.print(&ended.to_string());
        }
        OutputMode::Human => terminal.print(&summary(&report, &folder, started.elapsed().as_secs_f64())),
    }
    Ok(())
}

/// Summary of the work to do.
fn amount(status: &PlanStatus) -> String {
    let all = status.stages.len();
    let begun = match status.count(StageState::Interrupted) {
        0 => String::new(),
        begun => format!(", {begun} of them partly done"),
    };
    match all - status.count(StageState::Cached) {
        0 => format!("all {all} stages are done already"),
        left if left == all => format!("{all} stages to do{begun}"),
        left => format!("{left} of {all} stages to do{begun}"),
    }
}

/// One line per training with a validation split; empty without one.
fn validation(experts: &[cadre_eval::ExpertReport]) -> String {
    let lines = experts.iter().filter_map(|expert| Some((&expert.task, expert.validation_line()?)));
    lines.map(|(task, line)| format!("validation of {task}: {line}\n")).collect()
}

/// The summary at the end of a run.
fn summary(report: &cadre_eval::Report, folder: &RunFolder, seconds: f64) -> String {
    let interval = report.average_score_interval.map(|of| format!(" [{:.2}, {:.2}]", of.low, of.high));
    let mut text = format!(
        "\n{}  AR {}{}   BWT {}   FWT {}   forgetting {}\n",
        report.name,
        figure(report.average_score),
        interval.unwrap_or_default(),
        signed_figure(report.backward_transfer),
        figure(report.forward_transfer),
        figure(report.forgetting),
    );
    let percent = |share: Option<f64>| figure(share.map(|share| share * 100.0));
    if let Some(routing) = &report.routing {
        text.push_str(&format!(
            "routing accuracy {} %, {} probes per query",
            percent(routing.accuracy),
            figure(routing.probes_per_query)
        ));
        if let Some(outside) = &report.out_of_distribution {
            text.push_str(&format!(
                "; out of distribution to the backbone {} %",
                percent(outside.to_backbone)
            ));
        }
        text.push('\n');
    }
    text.push_str(&validation(&report.experts));
    text.push_str(&findings(&report.findings));
    text.push_str(&format!(
        "done in {}; report: {}\n",
        duration(seconds),
        folder.layout.report_html().display()
    ));
    text
}
