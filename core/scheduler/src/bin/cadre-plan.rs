//! `cadre-plan`: plans and expands recipes without the crates that compute, so that a plan needs no long build. Does
//! what `cadre plan` and `cadre expand` do, says which backend a recipe asks for, and nothing else.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anstream::AutoStream;
use anyhow::Context;
use cadre_recipe::{EnvSource, Loaded, PluginCatalog, Recipe, RecipeErrors, Surroundings};
use cadre_scheduler::{PlanStatus, check, plan, render, render_json, stage_reference_markdown};
use cadre_store::{ArtifactStore, FileDigests};
use clap::{Args, Parser, Subcommand};

/// Exit code for a recipe or command line that is wrong.
const WRONG: u8 = 2;

/// Plan and expand recipes.
#[derive(Parser)]
#[command(name = "cadre-plan", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The stages of a recipe, their keys, what is cached, and what the rest will cost.
    Plan {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The store.
        #[arg(long, value_name = "DIR", default_value = "store")]
        store: PathBuf,
    },
    /// The recipe after inheritance and defaults, each value with where it came from.
    Expand {
        #[command(flatten)]
        recipe: RecipeArgs,
        /// Print JSON (values only).
        #[arg(long)]
        json: bool,
    },
    /// The backend a recipe asks for, after the recipe is found to be right: what `cargo xtask run` asks before it
    /// builds.
    Backend {
        #[command(flatten)]
        recipe: RecipeArgs,
    },
    /// The page on stages and the recipe keys they read, as Markdown.
    Stages,
}

#[derive(Args)]
struct RecipeArgs {
    /// The recipe.
    recipe: PathBuf,
    /// Set a value over all files: `--set expert.training.epochs=1`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => match problem.downcast_ref::<RecipeErrors>() {
            Some(mistakes) => {
                let coloured = anstream::stderr().current_choice() != anstream::ColorChoice::Never
                    && std::io::stderr().is_terminal();
                eprint!("{}", mistakes.render(coloured));
                ExitCode::from(WRONG)
            }
            None => {
                eprintln!("failed to {problem:#}");
                ExitCode::FAILURE
            }
        },
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Stages => say(&stage_reference_markdown()),
        Command::Backend { recipe } => {
            let (loaded, _) = load(recipe)?;
            RecipeErrors::of(check(&loaded))?;
            say(&format!("{}\n", loaded.recipe.device.backend))
        }
        Command::Expand { recipe, json } => {
            let (loaded, _) = load(recipe)?;
            if *json {
                say(&format!(
                    "{:#}\n",
                    serde_json::to_value(&loaded.recipe).context("write the recipe as JSON")?
                ))
            } else {
                say(&loaded.expand())
            }
        }
        Command::Plan { recipe, json, store } => {
            let (loaded, catalog) = load(recipe)?;
            RecipeErrors::of(check(&loaded))?;
            // A plan makes no store: without one, nothing is cached.
            let store = if store.join("FORMAT").exists() { Some(ArtifactStore::open(store)?) } else { None };
            let digests = match &store {
                Some(store) => store.file_digests()?,
                None => FileDigests::in_memory(),
            };
            let plan = plan(&loaded.recipe, &catalog, &digests)?;
            let status = match &store {
                Some(store) => plan.status(store)?,
                None => PlanStatus::nothing_done(plan.stages.len()),
            };
            if *json {
                say(&format!("{:#}\n", render_json(&plan, &status)))
            } else {
                let stdout = std::io::stdout();
                let coloured = AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
                say(&render(&plan, &status, coloured))
            }
        }
    }
}

fn load(args: &RecipeArgs) -> Result<(Loaded, PluginCatalog), RecipeErrors> {
    let env = EnvSource::process();
    let catalog = PluginCatalog::scan(&PluginCatalog::search_path(&args.recipe, &env));
    let surroundings = Surroundings { capabilities: None, plugins: Some(catalog.clone()) };
    Ok((Recipe::load_in(&args.recipe, &args.sets, &env, &surroundings)?, catalog))
}

fn say(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(problem) if problem.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("write to standard output"),
    }
}
