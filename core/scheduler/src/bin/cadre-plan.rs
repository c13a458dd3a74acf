//! `cadre-plan`: plans and expands recipes without the tensor crates, so that a plan needs no long build. Implements
//! `cadre plan`, `cadre expand` and `cadre sweep --dry-run`, and prints the backend of a recipe.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use cadre_recipe::{RecipeError, RecipeErrors, render_warnings};
use cadre_scheduler::{
    CommonArgs, OpenRecipe, OpenSweep, RecipeArgs, SweepArgs, memory_line, render, render_json, render_sweep,
    render_sweep_json, stage_reference_markdown,
};
use cadre_store::chain;
use clap::{Parser, Subcommand};

/// Exit code of an invalid recipe or command line.
const WRONG: u8 = 2;

/// Plan and expand recipes.
#[derive(Parser)]
#[command(name = "cadre-plan", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: CommonArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the stages of a recipe: cached or to do, and what they will cost
    Plan(RecipeArgs),
    /// Show the points of a sweep and what they share
    Sweep(SweepArgs),
    /// Show a recipe after inheritance and defaults, each value with where it came from
    Expand(RecipeArgs),
    /// Show the backend a recipe asks for, after the recipe is found to be right: what `cargo xtask run` asks before
    /// it builds
    Backend(RecipeArgs),
    /// Print the page on stages and the recipe keys they read, as Markdown
    Stages,
}

fn main() -> ExitCode {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !cadre_data::contains_panics() {
            report(panic);
        }
    }));
    let cli = Cli::parse();
    match run(&cli.command, &cli.common) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => match problem.downcast_ref::<RecipeErrors>() {
            Some(mistakes) => {
                let _ = write!(anstream::stderr().lock(), "{}", mistakes.render(true));
                ExitCode::from(WRONG)
            }
            None => {
                let _ = writeln!(anstream::stderr().lock(), "error: failed to {}", chain(problem.as_ref()));
                ExitCode::FAILURE
            }
        },
    }
}

fn run(command: &Command, common: &CommonArgs) -> anyhow::Result<()> {
    // This program does not compute, so every backend is accepted.
    let read = |args: &RecipeArgs| OpenRecipe::read(args, None);
    match command {
        Command::Stages => say(&stage_reference_markdown()),
        Command::Backend(args) => {
            let open = read(args)?;
            warn(&open.check()?);
            say(&open.loaded.recipe.device.backend.to_string())
        }
        Command::Expand(args) => {
            let open = read(args)?;
            if common.json {
                say(&serde_json::to_string(&open.loaded.recipe).context("write the recipe as JSON")?)
            } else {
                say(&open.loaded.expand())
            }
        }
        Command::Sweep(args) => {
            let open = OpenSweep::read(args, None)?;
            warn(&open.check()?);
            let planned = open.plan(&common.store)?;
            if common.json {
                say(&render_sweep_json(&planned.plan, &planned.status).to_string())
            } else {
                say(&render_sweep(&planned.plan, &planned.status))?;
                note(
                    "not checked here: the policies' settings, and the lengths of rows; `cadre sweep --dry-run` checks both",
                );
                Ok(())
            }
        }
        Command::Plan(args) => {
            let open = read(args)?;
            warn(&open.check()?);
            let planned = open.plan(&common.store)?;
            if common.json {
                say(&render_json(&planned.plan, &planned.status, open.memory()).to_string())
            } else {
                let memory = open.memory().map(|need| memory_line(&need)).unwrap_or_default();
                say(&format!("{}{memory}", render(&planned.plan, &planned.status, true)))?;
                note(
                    "not checked here: the policies' settings, and the lengths of rows; `cadre plan` checks both",
                );
                Ok(())
            }
        }
    }
}

/// Prints warnings to standard error.
fn warn(warnings: &[RecipeError]) {
    let _ = write!(anstream::stderr().lock(), "{}", render_warnings(warnings, true));
}

/// Prints a note to standard error.
fn note(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints the result, with colours if standard output is a terminal.
fn say(text: &str) -> anyhow::Result<()> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let mut out = anstream::stdout().lock();
    write!(out, "{text}{end}").and_then(|()| out.flush()).context("write to standard output")
}
