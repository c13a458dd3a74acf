//! `cadre runs`: lists, filters, compares, tags, exports and deletes past runs, using the index of the run folders.
//! Modifies only tags, except for `delete`.

use std::path::PathBuf;

use cadre_runs::{
    Origin, RunIndex, RunRecord, RunsError, Selection, Table, Value, change_tags, delete_run, differing_keys,
    export_csv, export_parquet, export_tensorboard, find_run, find_runs, side_by_side,
};
use cadre_scheduler::CommonArgs;
use cadre_store::{ArtifactStore, CollectionOptions, RunLayout};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::store::{collect, print_collected};
use super::{Done, keep_what_is_there};
use crate::error::EngineError;
use crate::terminal::{OutputMode, Terminal};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RunsArgs {
    #[command(flatten)]
    choice: Choice,
    /// Maximum number of runs
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(subcommand)]
    command: Option<RunsCommand>,
}

/// Which runs to select, in which order, and which columns.
#[derive(Debug, Args)]
struct Choice {
    /// Only matching runs, e.g. `routing.router.threshold >= 0.3 and (name = see or tag = good)`
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// Sort by a recipe key or figure, e.g. `average-score`; prefix `-` for descending order
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Comma-separated keys to show; `*` for all
    #[arg(long, value_name = "KEYS")]
    columns: Option<String>,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Show all values of a run
    Show(OneArgs),
    /// Compare runs: the recipe keys in which they differ, and all their figures
    Compare(CompareArgs),
    /// Tag a run: `+good` adds a tag, `-bad` removes one; without changes, list its tags
    Tag(TagArgs),
    /// Delete runs; their artifacts stay in the store until garbage is collected
    Delete(DeleteArgs),
    /// Export runs as CSV, Parquet or TensorBoard event files
    Export(ExportArgs),
    /// List the keys that can be used for filters, sorting and columns
    Keys,
}

#[derive(Debug, Args)]
struct OneArgs {
    /// The run: its recipe's name (`see@2` is the one before the most recent), its id, an id prefix, or its folder
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// The runs
    #[arg(value_name = "ID", num_args = 2.., required = true)]
    ids: Vec<String>,
}

#[derive(Debug, Args)]
struct TagArgs {
    /// The run
    #[arg(value_name = "ID")]
    id: String,
    /// `+TAG` or `-TAG`
    #[arg(value_name = "CHANGE", allow_hyphen_values = true, trailing_var_arg = true)]
    changes: Vec<String>,
}

#[derive(Debug, Args)]
struct DeleteArgs {
    /// The runs
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Delete every run that matches a prefix, even if there are several
    #[arg(long)]
    all: bool,
    /// Collect the store's garbage afterwards
    #[arg(long)]
    gc: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// CSV (RFC 4180)
    Csv,
    /// Parquet, for pandas and polars
    Parquet,
    /// TensorBoard event files: training curves, scores, figures
    Tensorboard,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The runs, by id or id prefix; by default, all that match the filter
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    /// The output file; for TensorBoard, the output folder
    #[arg(long, value_name = "PATH")]
    to: PathBuf,
    /// The format; by default derived from the file name
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Overwrite the file, or write into a non-empty folder
    #[arg(long)]
    force: bool,
}

pub(super) fn runs(args: &RunsArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    match &args.command {
        None => list(args, common, terminal),
        Some(RunsCommand::Show(args)) => show(args, common, terminal),
        Some(RunsCommand::Compare(args)) => compare(args, common, terminal),
        Some(RunsCommand::Tag(args)) => tag(args, common, terminal),
        Some(RunsCommand::Delete(args)) => delete(args, common, terminal),
        Some(RunsCommand::Export(args)) => export(args, common, terminal),
        Some(RunsCommand::Keys) => keys(common, terminal),
    }
}

/// Opens the index and prints its notes.
fn open(common: &CommonArgs, terminal: &Terminal) -> Result<RunIndex, EngineError> {
    let mut index = RunIndex::open(&common.runs)?;
    for (id, problem) in index.problems()? {
        terminal.note(&format!("{id} is damaged: {problem}"));
    }
    for note in index.notes() {
        terminal.note(&format!("note: {note}"));
    }
    Ok(index)
}

fn selection(choice: &Choice, limit: Option<usize>) -> Selection {
    Selection {
        filter: choice.filter.clone(),
        sort: choice.sort.clone(),
        columns: choice.columns.clone(),
        limit,
        ids: None,
        also: Vec::new(),
    }
}

fn print(table: &Table, terminal: &Terminal) {
    match terminal.mode() {
        OutputMode::Json => {
            for row in &table.rows {
                terminal.print(&table.row_json(row).to_string());
            }
        }
        _ => terminal.print(&table.to_text()),
    }
}

/// Keys that tell runs of one name apart, as columns of a list.
const MAX_DIFFERING: usize = 3;

fn list(args: &RunsArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let mut index = open(common, terminal)?;
    let mut selection = selection(&args.choice, args.limit);
    let mut more = 0;
    if selection.columns.is_none() && terminal.mode() == OutputMode::Human {
        let differing = differing_keys(&mut index, &selection)?;
        more = differing.len().saturating_sub(MAX_DIFFERING);
        selection.also = differing.into_iter().take(MAX_DIFFERING).collect();
    }
    let table = index.select(&selection)?;
    if table.rows.is_empty() {
        let which = if args.choice.filter.is_some() {
            "no run matches the filter, in"
        } else {
            "there are no runs in"
        };
        terminal.note(&format!("{which} {}", common.runs.display()));
        return Ok(());
    }
    print(&table, terminal);
    if more > 0 {
        terminal.note(&format!(
            "the runs differ in {more} more keys; `cadre runs compare` lists them, --columns shows some"
        ));
    }
    Ok(())
}

fn keys(common: &CommonArgs, terminal: &Terminal) -> Done {
    let rows = open(common, terminal)?.keys()?.into_iter().map(|(name, origin)| {
        let from = match origin {
            Origin::Run => "run",
            Origin::Recipe => "recipe",
            Origin::Figure => "figure",
        };
        vec![Some(Value::Text(name)), Some(Value::Text(from.to_owned()))]
    });
    let rows = rows.collect();
    print(&Table { columns: vec!["key".to_owned(), "of".to_owned()], rows }, terminal);
    Ok(())
}

fn show(args: &OneArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let record = RunRecord::read(&find_run(&common.runs, &args.id)?)?;
    if terminal.mode() == OutputMode::Json {
        let values: serde_json::Map<_, _> =
            record.values.iter().map(|(key, _, value)| (key.clone(), value.to_json())).collect();
        let problem = record.problem;
        terminal.print(
            &json!({ "id": record.id, "values": values, "tags": record.tags, "problem": problem })
                .to_string(),
        );
        return Ok(());
    }
    let width = record.values.iter().map(|(key, ..)| key.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (origin, head) in [(Origin::Run, ""), (Origin::Figure, "\nfigures\n"), (Origin::Recipe, "\nrecipe\n")]
    {
        text.push_str(head);
        for (key, _, value) in record.values.iter().filter(|(_, from, _)| *from == origin) {
            text.push_str(&format!("{key:width$}  {}\n", value.shown()));
        }
    }
    terminal.print(&text);
    if let Some(problem) = record.problem {
        terminal.note(&format!("damaged: {problem}"));
    }
    Ok(())
}

fn compare(args: &CompareArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let read = |id: &String| RunRecord::read(&find_run(&common.runs, id)?);
    let records: Vec<RunRecord> = args.ids.iter().map(read).collect::<Result<_, _>>()?;
    let both = side_by_side(&records);
    if terminal.mode() == OutputMode::Json {
        let rows = |table: &Table| -> Vec<_> { table.rows.iter().map(|row| table.row_json(row)).collect() };
        terminal.print(&json!({ "recipe": rows(&both.recipe), "figures": rows(&both.figures) }).to_string());
        return Ok(());
    }
    if both.recipe.rows.is_empty() {
        terminal.note("their recipes are the same");
    } else {
        terminal.print(&both.recipe.to_text());
        terminal.print("\n");
    }
    terminal.print(&both.figures.to_text());
    Ok(())
}

fn tag(args: &TagArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let run = find_run(&common.runs, &args.id)?;
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for change in &args.changes {
        match (change.strip_prefix('+'), change.strip_prefix('-')) {
            (Some(tag), _) => added.push(tag.to_owned()),
            (_, Some(tag)) if !tag.starts_with('-') => removed.push(tag.to_owned()),
            // Without a prefix the change is ambiguous.
            _ => {
                return Err(EngineError::NotFound {
                    what: "`+` or `-` before tag",
                    name: change.clone(),
                    advice: format!("`+{change}` adds it, `-{change}` removes it; options go before the id"),
                });
            }
        }
    }
    let tags = change_tags(&run, &added, &removed)?;
    match terminal.mode() {
        OutputMode::Json => terminal.print(&json!({ "run": run.id(), "tags": tags }).to_string()),
        OutputMode::Quiet if !args.changes.is_empty() => {}
        _ => {
            let all: Vec<&str> = tags.iter().map(String::as_str).collect();
            terminal.print(&format!(
                "{}: {}",
                run.id(),
                if all.is_empty() { "no tags".to_owned() } else { all.join(" ") }
            ));
        }
    }
    Ok(())
}

fn delete(args: &DeleteArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    // Checking locks must not create a store.
    let store = if common.store.is_dir() { Some(ArtifactStore::open(&common.store)?) } else { None };
    let mut chosen: Vec<RunLayout> = Vec::new();
    for id in &args.ids {
        let found = find_runs(&common.runs, id)?;
        if found.len() > 1 && !args.all {
            let found = found.iter().map(RunLayout::id).collect();
            return Err(RunsError::Ambiguous { id: id.clone(), found }.into());
        }
        for run in found {
            // Two prefixes may match the same run.
            if !chosen.contains(&run) {
                chosen.push(run);
            }
        }
    }
    for run in &chosen {
        delete_run(run, store.as_ref())?;
        match terminal.mode() {
            OutputMode::Json => terminal.print(&json!({ "deleted": run.id() }).to_string()),
            _ => terminal.note(&format!("deleted {}", run.id())),
        }
    }
    if args.gc {
        let collected = collect(common, CollectionOptions::default(), &[])?;
        print_collected(&collected, false, terminal);
    }
    Ok(())
}

fn export(args: &ExportArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let mut selection = selection(&args.choice, None);
    if !args.ids.is_empty() {
        let mut ids = Vec::new();
        for id in &args.ids {
            ids.extend(find_runs(&common.runs, id)?.iter().map(RunLayout::id));
        }
        selection.ids = Some(ids);
    }
    let ending = args.to.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let format = match (args.format, ending.as_deref()) {
        (Some(format), _) => format,
        (None, Some("csv")) => Format::Csv,
        (None, Some("parquet")) => Format::Parquet,
        _ => {
            return Err(EngineError::NotFound {
                what: "the format of",
                name: args.to.display().to_string(),
                advice: "use a file name that ends in .csv or .parquet, or pass --format".to_owned(),
            });
        }
    };
    keep_what_is_there(&args.to, args.force)?;
    if format == Format::Tensorboard {
        return tensorboard(selection, args, common, terminal);
    }
    selection.columns.get_or_insert_with(|| "*".to_owned());
    let table = open(common, terminal)?.select(&selection)?;
    if format == Format::Csv {
        export_csv(&table, &args.to)?;
    } else {
        export_parquet(&table, &args.to)?;
    }
    let (rows, columns) = (table.rows.len(), table.columns.len());
    match terminal.mode() {
        OutputMode::Json => {
            terminal.print(&json!({ "file": args.to, "runs": rows, "columns": columns }).to_string())
        }
        _ => terminal.note(&format!("{}: {rows} runs, {columns} columns", args.to.display())),
    }
    Ok(())
}

fn tensorboard(
    mut selection: Selection,
    args: &ExportArgs,
    common: &CommonArgs,
    terminal: &Terminal,
) -> Done {
    selection.columns = Some("id".to_owned());
    let table = open(common, terminal)?.select(&selection)?;
    for id in table.rows.iter().filter_map(|row| row.first()?.as_ref()) {
        let written = export_tensorboard(&find_run(&common.runs, &id.exact())?, &args.to)?;
        match terminal.mode() {
            OutputMode::Json => {
                terminal.print(&json!({ "file": written.file, "scalars": written.scalars }).to_string())
            }
            _ => terminal.note(&format!("{}: {} scalars", written.file.display(), written.scalars)),
        }
        // The last line of a killed run may be truncated; more unreadable lines mean damage.
        if written.unreadable > 1 {
            let lines = written.unreadable;
            terminal.note(&format!("note: {lines} lines of {}'s events.jsonl cannot be read", id.exact()));
        }
    }
    Ok(())
}
