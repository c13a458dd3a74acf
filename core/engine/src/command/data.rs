//! `cadre data show WHAT`: shows samples as a model sees them. Trains no model and stores nothing.

mod expert_rows;
mod recipe_view;
mod token_view;

use std::path::PathBuf;

use cadre_data::{Example, FieldMap, SourceSpec, Split, Template, format, load_source_noted, sample};
use cadre_scheduler::{CommonArgs, RecipeArgs};
use cadre_store::Seed;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::Done;
use super::opened::Opened;
use crate::terminal::{OutputMode, Terminal};
use token_view::{DIM, HEAD, LEARNED};

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Show samples of a source, or the rows each expert of a recipe is trained on: tokens, indicator, loss mask
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A recipe (`recipes/see.toml`) or a source (`synthetic`, `superni:PATH`, `jsonl:PATH` …)
    #[arg(value_name = "RECIPE|FORMAT[:PATH]")]
    what: String,
    /// Override a value of the recipe, e.g. `stream.template=alpaca`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Only this task
    #[arg(long)]
    task: Option<String>,
    /// Which split
    #[arg(long, value_enum, default_value_t = Part::Train)]
    split: Part,
    /// Number of samples per task; for an expert's rows, per kind
    #[arg(long, short = 'n', default_value_t = 2)]
    count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Training examples
    Train,
    /// Test examples
    Test,
}

impl Part {
    fn split(self) -> Split {
        match self {
            Self::Train => Split::Train,
            Self::Test => Split::Test,
        }
    }
}

pub(super) fn data(command: &DataCommand, common: &CommonArgs, terminal: &Terminal) -> Done {
    let DataCommand::Show(args) = command;
    if !args.what.ends_with(".toml") {
        return of_source(args, terminal);
    }
    let recipe = RecipeArgs { recipe: PathBuf::from(&args.what), sets: args.sets.clone() };
    let opened = Opened::of(&recipe, &common.store, terminal)?;
    recipe_view::show(args, &opened, &common.store, terminal)
}

/// Shows samples of a source, as text: a source has no tokenizer.
fn of_source(args: &ShowArgs, terminal: &Terminal) -> Done {
    let (name, path) = match args.what.split_once(':') {
        Some((name, path)) => (name, Some(PathBuf::from(path))),
        None => (args.what.as_str(), None),
    };
    let spec = SourceSpec { format: name.to_owned(), path, fields: FieldMap::default() };
    let tasks = match &args.task {
        Some(task) => vec![task.clone()],
        None => (format(name)?.tasks)(&spec)?,
    };
    for task in tasks {
        let (examples, notes) = load_source_noted(&spec, std::slice::from_ref(&task), args.split.split())?;
        notes.iter().for_each(|note| terminal.caution(&note.to_string()));
        show_texts(&task, examples, args.count, terminal)?;
    }
    Ok(())
}

fn show_texts(task: &str, examples: Vec<Example>, count: usize, terminal: &Terminal) -> Done {
    let of = examples.len();
    for example in sample(examples, Some(count), Seed(0)) {
        if terminal.mode() == OutputMode::Json {
            let row = json!({ "task": task, "of": of, "example": example });
            terminal.print(&row.to_string());
            continue;
        }
        let turns: String = example
            .turns
            .iter()
            .map(|turn| format!("{DIM}{}:{DIM:#} {}\n", turn.role.name(), turn.content))
            .collect();
        let last = Example { turns: Vec::new(), ..example.clone() };
        let prompt = Template::Plain.prompt(&last)?;
        let head = format!("{HEAD}{}{HEAD:#}  {task}, {of} examples", example.id);
        let others = example.references.len().saturating_sub(1);
        let others =
            if others > 0 { format!("  {DIM}(+{others} more references){DIM:#}") } else { String::new() };
        terminal
            .print(&format!("{head}\n{turns}{prompt}\n{LEARNED}⟦{}⟧{LEARNED:#}{others}\n\n", example.output));
    }
    Ok(())
}
