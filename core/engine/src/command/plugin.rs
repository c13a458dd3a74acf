//! `cadre plugin list | check FILE | new KIND NAME | build FOLDER`: manages policies. Never modifies an existing
//! policy's sources.

use std::path::{Path, PathBuf};

use cadre_plugin_build::PolicyKind;
use cadre_policy::{Conformance, ConformanceOutcome, Limits, Sandbox};
use cadre_recipe::{EnvSource, PluginCatalog, PluginEntry};
use cadre_scheduler::CommonArgs;
use cadre_store::chain;
use clap::{Args, Subcommand, ValueEnum};

use super::Done;
use crate::error::EngineError;
use crate::resources::compiled_policies;
use crate::terminal::{OutputMode, Terminal};

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// List the policies that recipes can use
    List,
    /// Check a policy against the contract: version, answers, determinism, limits, speed
    Check(CheckArgs),
    /// Create a policy from the template
    New(NewArgs),
    /// Build a component from a policy's folder (Rust) or a core module, and check it
    Build(BuildArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    file: PathBuf,
    /// Settings for the policy, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
}

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Kind of policy
    #[arg(value_enum)]
    kind: NewKind,
    /// Name of the policy: lower-case letters, digits and hyphens
    name: String,
    /// The folder to create it in
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// A policy's folder, or a core module (`.wasm`)
    #[arg(value_name = "PATH")]
    from: PathBuf,
    /// Path of the component; by default beside its source
    #[arg(long, value_name = "FILE.wasm")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NewKind {
    /// Decides which expert answers a query
    Router,
    /// Decides which examples are remembered
    Selector,
}

pub(super) fn plugin(command: &PluginCommand, common: &CommonArgs, terminal: &Terminal) -> Done {
    match command {
        PluginCommand::List => list(common, terminal),
        PluginCommand::Check(args) => check(args, common, terminal),
        PluginCommand::New(args) => new(args, terminal),
        PluginCommand::Build(args) => build(args, common, terminal),
    }
}

fn sandbox(common: &CommonArgs) -> Result<Sandbox, EngineError> {
    Ok(Sandbox::new(&compiled_policies(&common.store), Limits::default())?)
}

fn list(common: &CommonArgs, terminal: &Terminal) -> Done {
    let env = EnvSource::process();
    let folders = PluginCatalog::search_path(Path::new("recipes/any.toml"), &env);
    let catalog = PluginCatalog::scan(&folders);
    if terminal.mode() == OutputMode::Json {
        for entry in catalog.entries() {
            let line = serde_json::json!({
                "name": entry.name, "kind": entry.kind.name(), "version": entry.version, "contract": entry.contract,
                "file": entry.file, "digest": entry.digest,
            });
            terminal.print(&line.to_string());
        }
        return Ok(());
    }
    let sandbox = sandbox(common)?;
    let width = catalog.entries().iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    for entry in catalog.entries() {
        terminal.print(&line(entry, &sandbox, width));
    }
    for broken in catalog.broken() {
        terminal.print(&format!(
            "{:width$}  broken    {}: {}",
            broken.name,
            broken.file.display(),
            broken.problem
        ));
    }
    if catalog.entries().is_empty() {
        let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        terminal.print(&format!("no policies in {}", looked.join(", ")));
    }
    Ok(())
}

fn line(entry: &PluginEntry, sandbox: &Sandbox, width: usize) -> String {
    let said = match sandbox.load(&entry.file) {
        Ok(plugin) => {
            let said = plugin.description();
            let reference =
                if said.reference.is_empty() { String::new() } else { format!(" ({})", said.reference) };
            format!("{}  {}{reference}", said.version, said.summary)
        }
        Err(error) => format!("does not load: {}", chain(&error)),
    };
    format!("{:width$}  {:8}  {said}", entry.name, entry.kind.name())
}

fn check(args: &CheckArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let found = sandbox(common)?.conformance(&args.file, &args.settings);
    match terminal.mode() {
        OutputMode::Json => {
            let json = serde_json::to_string(&found);
            terminal.print(&json.map_err(|source| EngineError::NoJson { what: "the outcome", source })?);
        }
        _ => terminal.print(&outcome(&found)),
    }
    if found.passed() {
        return Ok(());
    }
    let failed = found.checks.iter().filter(|check| check.outcome == ConformanceOutcome::Fail).count();
    Err(EngineError::BreaksContract { file: args.file.clone(), failed })
}

fn outcome(found: &Conformance) -> String {
    let mut text = match &found.description {
        Some(said) => format!("{} {}  {}\n", said.name, said.version, said.summary),
        None => format!("{}\n", found.file),
    };
    for check in &found.checks {
        let (mark, style) = match check.outcome {
            ConformanceOutcome::Pass => ("pass", anstyle::AnsiColor::Green.on_default()),
            ConformanceOutcome::Warning => ("note", anstyle::AnsiColor::Yellow.on_default()),
            ConformanceOutcome::Fail => ("FAIL", anstyle::AnsiColor::Red.on_default().bold()),
        };
        text.push_str(&format!("  {style}{mark}{style:#}  {:12} {}\n", check.name, check.detail));
    }
    if let (Some(each), Some(fuel)) = (found.microseconds_each, found.fuel) {
        text.push_str(&format!("  {each:.2} µs each; at most {fuel} units of fuel per call"));
        if let Some(bytes) = found.memory_bytes {
            text.push_str(&format!(", {:.1} MiB of memory", bytes as f64 / f64::from(1 << 20)));
        }
        text.push('\n');
    }
    text
}

fn new(args: &NewArgs, terminal: &Terminal) -> Done {
    let kind = match args.kind {
        NewKind::Router => PolicyKind::Router,
        NewKind::Selector => PolicyKind::Selector,
    };
    let made = cadre_plugin_build::start(kind, &args.name, &args.folder)?;
    let folder = made.folder.display();
    terminal.print(&format!(
        "created {folder}; edit {}\nbuild it:  cadre plugin build {folder}",
        made.source.display()
    ));
    Ok(())
}

fn build(args: &BuildArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let file = cadre_plugin_build::make(&args.from, args.out.as_deref())?;
    // A core module has only the version that it declares; without one, its check fails.
    if PluginCatalog::read(&file).is_ok_and(|entry| entry.version.is_none())
        && let Ok(plugin) = sandbox(common)?.load(&file)
    {
        cadre_plugin_build::stamp(&file, &plugin.description().version)?;
    }
    terminal.print(&format!("built {}", file.display()));
    check(&CheckArgs { file, settings: "{}".to_owned() }, common, terminal)
}
