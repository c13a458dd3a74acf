//! The command line of `cadre`: arguments and dispatch. Each command is implemented in its own file.

mod ask;
mod completions;
mod data;
mod doctor;
mod expand;
mod export;
mod opened;
mod plan;
mod plugin;
mod report;
mod run;
mod run_folder;
mod runs;
mod schema;
mod store;
mod sweep;

use std::path::Path;

use cadre_scheduler::{CommonArgs, RecipeArgs};
use clap::{Parser, Subcommand};

use crate::error::EngineError;
use crate::terminal::{OutputMode, Terminal, failure};

/// Text after the help.
const ENDINGS: &str = "\
Exit codes: 0 done, 1 failed, 2 invalid recipe or command line, 130 interrupted (finished stages are kept).
Environment: CADRE__SECTION__KEY sets a value of the recipe, CADRE_PLUGINS lists folders of policies, CADRE_DATA is the \
folder of datasets, CADRE_LOG is the log level (CADRE_LOG=debug).";

/// Continual fine-tuning experiments with ensembles of experts.
///
/// A recipe defines the model, the stream of tasks, how experts are trained, what is rehearsed, how queries are routed
/// and what is measured. Cadre runs the stages that are not in the store yet, and writes a report.
#[derive(Debug, Parser)]
#[command(
    name = "cadre",
    version,
    max_term_width = 100,
    after_help = ENDINGS,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a recipe: plan it, do the missing stages, write the report
    Run(run::RunArgs),
    /// Run every point of a sweep (shared stages only once), and compare them
    Sweep(Box<sweep::SweepCommand>),
    /// Show the stages of a recipe: cached or to do, and their estimated cost
    Plan(RecipeArgs),
    /// Show a recipe after inheritance and defaults, with the origin of each value
    Expand(RecipeArgs),
    /// Past runs: list, filter, sort, compare, tag, export, delete
    Runs(runs::RunsArgs),
    /// Manage the store of finished stages
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Show the report of a run, regenerated from its stages
    Report(report::ReportArgs),
    /// Send one query through the ensemble of a run; show which experts were probed and which one answered
    Ask(ask::AskArgs),
    /// Export an expert of a run as a PEFT adapter, or merged into its backbone
    Export(export::ExportArgs),
    /// Show data as a model sees it
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Policies: list them, check one against the contract, create or build one
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Report what this build and this folder provide, what is missing, and how to fix it
    Doctor(doctor::DoctorArgs),
    /// Print the JSON schema of recipes
    Schema,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Runs the command line and returns the exit code.
pub(crate) fn serve(line: CommandLine) -> u8 {
    let terminal = Terminal::new(if line.common.json {
        OutputMode::Json
    } else if line.common.quiet {
        OutputMode::Quiet
    } else {
        OutputMode::Human
    });
    let outcome = match &line.command {
        Command::Run(args) => run::run(args, &line.common, &terminal),
        Command::Sweep(args) => sweep::sweep(args, &line.common, &terminal),
        Command::Plan(args) => plan::plan(args, &line.common, &terminal),
        Command::Expand(args) => expand::expand(args, &terminal),
        Command::Runs(args) => runs::runs(args, &line.common, &terminal),
        Command::Store(command) => store::store(command, &line.common, &terminal),
        Command::Report(args) => report::report(args, &line.common, &terminal),
        Command::Ask(args) => ask::ask(args, &line.common, &terminal),
        Command::Export(args) => export::export(args, &line.common, &terminal),
        Command::Data(command) => data::data(command, &line.common, &terminal),
        Command::Plugin(command) => plugin::plugin(command, &line.common, &terminal),
        Command::Doctor(args) => doctor::doctor(args, &line.common, &terminal),
        Command::Schema => schema::schema(&terminal),
        Command::Completions(args) => completions::completions(args, &terminal),
    };
    match outcome.and_then(|()| failure().map_or(Ok(()), Err)) {
        Ok(()) => 0,
        Err(error) => {
            terminal.error(&error);
            error.exit_code()
        }
    }
}

pub(crate) use run_folder::RunFolder;

/// Result of a command.
pub(crate) type Done = Result<(), EngineError>;

/// Refuses to overwrite a file or write into a non-empty folder, unless `force` is set.
fn keep_what_is_there(to: &Path, force: bool) -> Done {
    let what = match std::fs::read_dir(to) {
        _ if force => return Ok(()),
        Ok(mut entries) => match entries.next() {
            None => return Ok(()),
            Some(entry) => match entry {
                Ok(entry) => format!("a folder with `{}`", entry.file_name().display()),
                Err(_) => "a folder that is not empty".to_owned(),
            },
        },
        // A dangling link also counts: writing would create its target.
        Err(_) if to.symlink_metadata().is_ok() => "a file".to_owned(),
        Err(_) => return Ok(()),
    };
    Err(EngineError::WouldOverwrite { path: to.to_owned(), what })
}
