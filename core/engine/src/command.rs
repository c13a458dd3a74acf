//! The command line of `cadre`: what can be typed, and where it goes. Each command has a file of its
//! own; none is done here.

mod ask;
mod completions;
mod data;
mod doctor;
mod expand;
mod opened;
mod plan;
mod plugin;
mod report;
mod run;
mod run_folder;
mod schema;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::error::EngineError;
use crate::terminal::{Manner, Terminal};

/// Continual fine-tuning experiments with ensembles of experts.
///
/// A recipe says which model, which stream of tasks, how experts are trained, what is rehearsed, how
/// queries are routed and what is measured. Cadre does what of it has not been done before, and writes
/// a report.
#[derive(Debug, Parser)]
#[command(
    name = "cadre",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Folder of finished stages; recipes and runs share it
    #[arg(long, global = true, value_name = "DIR", default_value = "store")]
    pub(crate) store: PathBuf,
    /// Folder of runs: their reports, events and predictions
    #[arg(long, global = true, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
    /// Say nothing but errors and what was asked for
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Speak JSON on standard output, one value a line
    #[arg(long, global = true)]
    json: bool,
}

/// A recipe and what is changed in it.
#[derive(Debug, Args)]
pub(crate) struct RecipeArgs {
    /// The recipe: a TOML file
    #[arg(value_name = "RECIPE")]
    pub(crate) recipe: PathBuf,
    /// Change a value of the recipe, as `stream.limits.train=200`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plan a recipe, do what is missing, write the report
    Run(run::RunArgs),
    /// Show the stages of a recipe: cached or to do, and what they will cost
    Plan(plan::PlanArgs),
    /// Show a recipe after inheritance and defaults, each value with where it came from
    Expand(expand::ExpandArgs),
    /// Show the report of a run, written anew from its stages
    Report(report::ReportArgs),
    /// Put one query through the ensemble of a run and show who was asked and who answered
    Ask(ask::AskArgs),
    /// Look at data as a model will see it
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Policies: what is there, does one keep the contract, start one
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Say what this build and this folder have, what is missing, and how to mend it
    Doctor(doctor::DoctorArgs),
    /// Print the JSON schema of recipes
    Schema,
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}

/// Does what was typed; the exit code says how it went.
pub(crate) fn serve(line: CommandLine) -> u8 {
    let terminal = Terminal::new(if line.common.json {
        Manner::Json
    } else if line.common.quiet {
        Manner::Quiet
    } else {
        Manner::Spoken
    });
    let outcome = match &line.command {
        Command::Run(args) => run::run(args, &line.common, &terminal),
        Command::Plan(args) => plan::plan(args, &line.common, &terminal),
        Command::Expand(args) => expand::expand(args, &terminal),
        Command::Report(args) => report::report(args, &line.common, &terminal),
        Command::Ask(args) => ask::ask(args, &line.common, &terminal),
        Command::Data(command) => data::data(command, &line.common, &terminal),
        Command::Plugin(command) => plugin::plugin(command, &line.common, &terminal),
        Command::Doctor(args) => doctor::doctor(args, &line.common, &terminal),
        Command::Schema => schema::schema(&terminal),
        Command::Completions(args) => completions::completions(args),
    };
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            terminal.error(&error);
            error.exit_code()
        }
    }
}

/// What every command gives back.
pub(crate) type Done = Result<(), EngineError>;
