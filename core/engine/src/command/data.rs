//! `cadre data show WHAT`: samples as a model sees them, tokens and loss mask coloured, legible without colours.
//! Reads data only; trains nothing.

use std::path::{Path, PathBuf};

use cadre_data::{
    Example, FieldMap, SourceSpec, Split, Target, Template, TokenExample, Tokenizer, format, load_source,
    sample, shown_tokens,
};
use cadre_scheduler::{BackboneWork, PrepareWork, PretrainTokenizer, StageKind, StageWork, TrainWork};
use cadre_store::{Lookup, Seed};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::opened::Opened;
use super::{Common, Done, RecipeArgs};
use crate::error::EngineError;
use crate::stage::Encoding;
use crate::terminal::{Manner, Terminal};

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Samples after loading and templating: tokens, and which of them are learned
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A recipe (`recipes/see.toml`) or a source (`synthetic`, `superni:PATH`, `jsonl:PATH` …)
    #[arg(value_name = "RECIPE|FORMAT[:PATH]")]
    what: String,
    /// Change a value of the recipe, as `stream.template=alpaca`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Only this task
    #[arg(long)]
    task: Option<String>,
    /// Which part
    #[arg(long, value_enum, default_value_t = Part::Train)]
    split: Part,
    /// How many samples of each task
    #[arg(long, short = 'n', default_value_t = 2)]
    count: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    /// What is trained on
    Train,
    /// What is measured with
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

pub(super) fn data(command: &DataCommand, common: &Common, terminal: &Terminal) -> Done {
    let DataCommand::Show(args) = command;
    if args.what.ends_with(".toml") { of_recipe(args, common, terminal) } else { of_source(args, terminal) }
}

/// Samples of a source: text, for a source has no tokenizer.
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
        let examples = load_source(&spec, &[task.clone()], args.split.split())?;
        show_texts(&task, &examples, args.count, terminal)?;
    }
    Ok(())
}

fn show_texts(task: &str, examples: &[Example], count: usize, terminal: &Terminal) -> Done {
    for example in sample(examples.to_vec(), Some(count), Seed(0)) {
        if terminal.manner() == Manner::Json {
            let row = json!({ "task": task, "of": examples.len(), "example": example });
            terminal.print(&row.to_string());
            continue;
        }
        let prompt = Template::Plain.prompt(&example)?;
        let head = format!("{HEAD}{}{HEAD:#}  {task}, {} examples", example.id, examples.len());
        let others = example.references.len().saturating_sub(1);
        let others =
            if others > 0 { format!("  {DIM}(+{others} more references){DIM:#}") } else { String::new() };
        terminal.print(&format!("{head}\n{prompt}\n{LEARNED}⟦{}⟧{LEARNED:#}{others}\n", example.output));
    }
    Ok(())
}

/// Samples of a recipe's stream: tokens with the loss mask, by the backbone's own tokenizer.
fn of_recipe(args: &ShowArgs, common: &Common, terminal: &Terminal) -> Done {
    let recipe = RecipeArgs { recipe: PathBuf::from(&args.what), sets: args.sets.clone() };
    let opened = Opened::of(&recipe, &common.store)?;
    let tokenizer = tokenizer(&opened)?;
    let encoding = match (&tokenizer, train_work(&opened)) {
        (Some(tokenizer), Some(work)) => Some(Encoding::new(
            tokenizer,
            tokenizer.vocabulary() as usize,
            usize::MAX / 2,
            &work.prompt,
            work.indicator.as_ref(),
            work.max_response as usize,
        )?),
        _ => None,
    };
    if tokenizer.is_none() {
        terminal
            .note("note: the tokenizer is trained with the backbone, which is not there yet; text is shown");
    }
    let mut shown = 0;
    for stage in &opened.plan.stages {
        let StageWork::Prepare(PrepareWork::Task(work)) = &stage.work else { continue };
        if args.task.as_ref().is_some_and(|task| *task != work.task) {
            continue;
        }
        shown += 1;
        let examples =
            (format(&work.source.format)?.load)(&work.source.spec(), &work.task, args.split.split())?;
        match (&encoding, &tokenizer) {
            (Some(encoding), _) => show_tokens(&work.task, &examples, args.count, encoding, terminal)?,
            _ => show_texts(&work.task, &examples, args.count, terminal)?,
        }
    }
    match &args.task {
        Some(task) if shown == 0 => Err(EngineError::NotFound {
            what: "task",
            name: task.clone(),
            advice: format!("the stream has {}", opened.plan.tasks.join(", ")),
        }),
        _ => Ok(()),
    }
}

fn train_work(opened: &Opened) -> Option<&TrainWork> {
    opened.plan.stages.iter().find_map(|stage| match &stage.work {
        StageWork::Train(work) => Some(work),
        _ => None,
    })
}

/// The tokenizer of the recipe's backbone, where it is there already.
fn tokenizer(opened: &Opened) -> Result<Option<Tokenizer>, EngineError> {
    let stage = opened.plan.stages.iter().find(|stage| stage.kind == StageKind::Backbone);
    let Some(stage) = stage else { return Ok(None) };
    let folder: PathBuf = match &stage.work {
        StageWork::Backbone(BackboneWork::Checkpoint(work)) => work.path.clone(),
        StageWork::Backbone(BackboneWork::Pretrain(work)) => {
            match (&work.tokenizer, opened.store.get(&stage.key)?) {
                (_, Lookup::Whole(artifact)) => artifact.folder().to_owned(),
                (PretrainTokenizer::File(file), _) => file.path.clone(),
                (PretrainTokenizer::TrainBpe(_), _) => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(Tokenizer::from_file(Path::new(&folder))?))
}

fn show_tokens(
    task: &str,
    examples: &[Example],
    count: usize,
    encoding: &Encoding,
    terminal: &Terminal,
) -> Done {
    let marked = encoding.encoder.marking().is_some();
    let own = if marked { Target::Accept } else { Target::Plain };
    for (place, example) in sample(examples.to_vec(), Some(count), Seed(0)).iter().enumerate() {
        show_one(task, example, "own", &encoding.encoder.encode(example, own)?, encoding, terminal);
        if marked && place == 0 {
            let rejected = encoding.encoder.encode(example, Target::Reject { keep_response: false })?;
            show_one(task, example, "as a negative of another task", &rejected, encoding, terminal);
        }
    }
    Ok(())
}

fn show_one(
    task: &str,
    example: &Example,
    as_what: &str,
    tokens: &TokenExample,
    encoding: &Encoding,
    terminal: &Terminal,
) {
    let shown = shown_tokens(tokens, encoding.encoder.tokenizer());
    if terminal.manner() == Manner::Json {
        let row = json!({
            "id": example.id, "task": task, "as": as_what, "ids": tokens.ids, "learned": tokens.mask,
            "text": shown.iter().map(|token| token.text.as_str()).collect::<Vec<_>>(),
        });
        terminal.print(&row.to_string());
        return;
    }
    let mut text = format!(
        "{HEAD}{}{HEAD:#}  {task}, {as_what}: {} tokens, {} ⟦learned⟧\n",
        example.id,
        tokens.len(),
        tokens.loss_tokens()
    );
    let mut even = false;
    for token in &shown {
        let visible = token.text.replace('\n', "↵\n");
        if token.in_loss {
            text.push_str(&format!("{LEARNED}⟦{visible}⟧{LEARNED:#}"));
        } else {
            // Neighbours differ, and a bar parts them where there are no colours.
            let style = if even { DIM } else { anstyle::Style::new() };
            text.push_str(&format!("{style}{visible}{style:#}{DIM}│{DIM:#}"));
            even = !even;
        }
    }
    terminal.print(&format!("{text}\n"));
}

const HEAD: anstyle::Style = anstyle::Style::new().bold();
const DIM: anstyle::Style = anstyle::Style::new().dimmed();
const LEARNED: anstyle::Style = anstyle::AnsiColor::Green.on_default().bold();
