//! `cadre plugin list | check FILE | show NAME | new KIND NAME | build FOLDER`: manages policies. Never modifies an existing
//! policy's sources.

use std::path::{Path, PathBuf};

use cadre_plugin_build::PolicyKind;
use cadre_policy::{Conformance, ConformanceOutcome, Limits, Methods, Sandbox};
use cadre_recipe::{EnvSource, PluginCatalog, PluginEntry};
use cadre_scheduler::CommonArgs;
use cadre_store::chain;
use clap::{Args, Subcommand, ValueEnum};

use super::Done;
use crate::error::EngineError;
use crate::resources::compiled_policies;
use crate::terminal::{OutputMode, Terminal};

mod cases;
mod show;

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// List the policies that recipes can use
    List,
    /// Check a policy against the contract: version, answers, determinism, limits, speed
    Check(CheckArgs),
    /// Show what a method declares, and the programs its hooks are traced into
    Show(ShowArgs),
    /// Create a policy from the template
    New(NewArgs),
    /// Build a component from a policy's folder (Rust) or a core module, and check it
    Build(BuildArgs),
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The component, or the name of a policy that `cadre plugin list` shows
    #[arg(value_name = "FILE.wasm|NAME")]
    file: PathBuf,
    /// Settings for the policy, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
    /// Hold a method to the cases of a reference: settings, inputs, outputs, gradients and a tolerance, as JSON
    #[arg(long, value_name = "FILE.json")]
    cases: Option<PathBuf>,
    /// The policy of a collection that is given as a file
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The name of a method, or a collection's file
    #[arg(value_name = "NAME|FILE.wasm")]
    file: PathBuf,
    /// The policy of a collection that is given as a file
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Settings for the policy, as JSON
    #[arg(long, value_name = "JSON", default_value = "{}")]
    settings: String,
    /// Tokens, or rows of logits
    #[arg(long, default_value_t = 6)]
    rows: u32,
    /// Input width of the site
    #[arg(long, default_value_t = 8)]
    input: u32,
    /// Output width of the site
    #[arg(long, default_value_t = 10)]
    output: u32,
    /// Number of experts
    #[arg(long, default_value_t = 3)]
    experts: u32,
    /// Rank of the experts
    #[arg(long, default_value_t = 2)]
    rank: u32,
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
    /// Decides how experts share a token
    Gate,
}

pub(super) fn plugin(command: &PluginCommand, common: &CommonArgs, terminal: &Terminal) -> Done {
    match command {
        PluginCommand::List => list(common, terminal),
        PluginCommand::Check(args) => check(args, common, terminal),
        PluginCommand::Show(args) => show::show(args, common, terminal),
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
    for folder in PluginCatalog::missing_folders(&env) {
        terminal.caution(&format!("$CADRE_PLUGINS names {}, and there is no such folder", folder.display()));
    }
    if terminal.mode() == OutputMode::Json {
        for entry in catalog.entries() {
            let line = serde_json::json!({
                "name": entry.name, "kind": entry.kind.name(), "version": entry.version, "contract": entry.contract,
                "file": entry.file, "digest": entry.digest,
            });
            terminal.print(&line.to_string());
        }
        for (entry, method) in catalog.policies() {
            let line = serde_json::json!({
                "name": method.name, "slot": method.slot, "collection": entry.name, "summary": method.summary,
                "reference": method.reference, "settings": method.settings, "digest": entry.digest,
            });
            terminal.print(&line.to_string());
        }
        return Ok(());
    }
    let sandbox = sandbox(common)?;
    let names = catalog.entries().iter().map(|entry| entry.name.len());
    let width = names.chain(catalog.policies().map(|(_, method)| method.name.len())).max().unwrap_or(0);
    for entry in catalog.entries() {
        terminal.print(&line(entry, &sandbox, width));
    }
    for (_, method) in catalog.policies() {
        let reference =
            if method.reference.is_empty() { String::new() } else { format!(" ({})", method.reference) };
        terminal.print(&format!(
            "{:width$}  {:9} {}{reference}",
            method.name,
            method.slot.name(),
            method.summary
        ));
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
    let named = named(&args.file, args.policy.as_deref())?;
    if let Some(cases) = &args.cases {
        return check_cases(&named, cases, common, terminal);
    }
    let file = &named.file;
    let found = sandbox(common)?.conformance(file, &args.settings);
    match terminal.mode() {
        OutputMode::Json => terminal.print(&json(&found)?),
        _ => terminal.print(&outcome(&found)),
    }
    if found.passed() {
        return Ok(());
    }
    let failed = found.checks.iter().filter(|check| check.outcome == ConformanceOutcome::Fail).count();
    Err(EngineError::BreaksContract { file: file.clone(), failed })
}

fn json(outcome: &impl serde::Serialize) -> Result<String, EngineError> {
    serde_json::to_string(outcome).map_err(|source| EngineError::NoJson { what: "the outcome", source })
}

fn check_cases(named: &Named, file: &Path, common: &CommonArgs, terminal: &Terminal) -> Done {
    let methods = sandbox(common)?.load(&named.file)?.methods()?;
    let policy = named.policy(&methods)?;
    let outcome = cases::check(&methods, &policy, file)
        .map_err(|problem| EngineError::NotCases { file: file.to_owned(), problem })?;
    match terminal.mode() {
        OutputMode::Json => terminal.print(&json(&outcome)?),
        _ => terminal.print(outcome.text().trim_end()),
    }
    match outcome.failures.first() {
        None => Ok(()),
        Some(worst) => Err(EngineError::FailsCases {
            policy,
            failed: outcome.failures.len(),
            cases: outcome.cases,
            worst: format!("{}: {}", worst.case, worst.problem),
        }),
    }
}

/// A component, and one of its policies if it was named.
struct Named {
    file: PathBuf,
    policy: Option<String>,
}

impl Named {
    /// The policy that was named, or the only one of the collection.
    fn policy(&self, methods: &Methods) -> Result<String, EngineError> {
        match (&self.policy, methods.declarations().policies.as_slice()) {
            (Some(name), _) => Ok(methods.policy(name)?.name.clone()),
            (None, [only]) => Ok(only.name.clone()),
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|policy| policy.name.as_str()).collect();
                Err(EngineError::NotFound {
                    what: "one policy",
                    name: self.file.display().to_string(),
                    advice: format!("name one with `--policy`: {}", names.join(", ")),
                })
            }
        }
    }
}

/// The file of a policy: the one at this path, or the one that holds the policy of this name on the search path.
fn named(given: &Path, policy: Option<&str>) -> Result<Named, EngineError> {
    let name = given.to_string_lossy();
    let is_name = given.components().count() == 1 && given.extension().is_none() && !given.is_file();
    if !is_name {
        return Ok(Named { file: given.to_owned(), policy: policy.map(str::to_owned) });
    }
    let catalog = PluginCatalog::scan(&PluginCatalog::search_path(
        Path::new("recipes/any.toml"),
        &EnvSource::process(),
    ));
    if let Some((entry, method)) = catalog.policies().find(|(_, method)| method.name == name) {
        return Ok(Named { file: entry.file.clone(), policy: Some(method.name.clone()) });
    }
    let broken = || catalog.broken().iter().find(|broken| broken.name == name).map(|broken| &broken.file);
    let file = catalog.find(&name).map(|entry| &entry.file).or_else(broken);
    let file = file.cloned().ok_or_else(|| {
        let mut names: Vec<&str> = catalog.entries().iter().map(|entry| entry.name.as_str()).collect();
        names.extend(catalog.policies().map(|(_, method)| method.name.as_str()));
        EngineError::NotFound {
            what: "a policy",
            name: name.into_owned(),
            advice: match names.as_slice() {
                [] => "no policies were found; name a `.wasm` file".to_owned(),
                names => format!("there are {}; or name a `.wasm` file", names.join(", ")),
            },
        }
    })?;
    Ok(Named { file, policy: policy.map(str::to_owned) })
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
        NewKind::Gate => PolicyKind::Gate,
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
    let args = CheckArgs { file, settings: "{}".to_owned(), cases: None, policy: None };
    check(&args, common, terminal)
}
