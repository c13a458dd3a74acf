//! `cadre store gc`: removes from the store what no run and no sweep needs. Reads every plan in every registered folder
//! of runs; an unreadable plan aborts the collection.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cadre_eval::bytes;
use cadre_runs::live_keys;
use cadre_scheduler::CommonArgs;
use cadre_store::{Amount, ArtifactStore, Collected, CollectionOptions, Garbage};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Done;
use crate::error::EngineError;
use crate::terminal::{OutputMode, Terminal};

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Remove what no run and no sweep needs: artifacts, checkpoints, evidence, damaged artifacts
    Gc(GcArgs),
}

#[derive(Debug, Args)]
pub(super) struct GcArgs {
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Keep what was written in the last N days
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_days: u32,
    /// Also remove evidence that belongs to no artifact in the store (it is recomputed if needed)
    #[arg(long)]
    evidence: bool,
    /// Unregister a folder of runs that no longer exists
    #[arg(long, value_name = "DIR")]
    forget: Vec<PathBuf>,
}

pub(super) fn store(command: &StoreCommand, common: &CommonArgs, terminal: &Terminal) -> Done {
    let StoreCommand::Gc(args) = command;
    let options = CollectionOptions {
        dry_run: args.dry_run,
        keep: Duration::from_secs(u64::from(args.keep_days) * 86_400),
        untraced_evidence: args.evidence,
    };
    let collected = collect(common, options, &args.forget)?;
    print_collected(&collected, args.dry_run, terminal);
    Ok(())
}

/// Collects the store's garbage.
pub(super) fn collect(
    common: &CommonArgs,
    options: CollectionOptions,
    forget: &[PathBuf],
) -> Result<Collected, EngineError> {
    if !common.store.is_dir() {
        return Err(EngineError::NotFound {
            what: "the store",
            name: common.store.display().to_string(),
            advice: "pass its folder with `--store`".to_owned(),
        });
    }
    let store = ArtifactStore::open(&common.store)?;
    if !options.dry_run {
        for folder in forget {
            store.forget_runs(folder)?;
        }
    }
    let live = || -> Result<_, EngineError> { Ok(live_keys(&folders(&store, &common.runs, forget)?)?) };
    let mut collection = store.collect(options)?;
    collection.set_aside(&live()?)?;
    // A run may have started meanwhile: what it needs is moved back.
    Ok(collection.finish(&live()?)?)
}

/// The folders of runs that use the store: the registered ones, and that of the command line.
fn folders(store: &ArtifactStore, runs: &Path, forget: &[PathBuf]) -> Result<Vec<PathBuf>, EngineError> {
    let absolute = |path: &Path| {
        let found = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        found.map_err(|source| EngineError::Read { path: path.to_owned(), source })
    };
    let gone = forget.iter().map(|path| absolute(path)).collect::<Result<BTreeSet<_>, _>>()?;
    let mut folders: BTreeSet<PathBuf> = store.known_runs()?.into_iter().collect();
    // If the store has registered folders, the default folder need not exist.
    if folders.is_empty() || runs.is_dir() {
        folders.insert(absolute(runs)?);
    }
    Ok(folders.difference(&gone).cloned().collect())
}

/// Prints what a collection did, or would do.
pub(super) fn print_collected(collected: &Collected, dry_run: bool, terminal: &Terminal) {
    let amount = |amount: &Amount| json!({ "count": amount.count, "bytes": amount.bytes });
    if terminal.mode() == OutputMode::Json {
        let kinds = |found: &BTreeMap<Garbage, Amount>| -> Map<String, Value> {
            found.iter().map(|(kind, found)| (kind.name().to_owned(), amount(found))).collect()
        };
        let locked: Vec<_> =
            collected.locked.iter().map(|(key, pid)| json!({ "key": key, "process": pid })).collect();
        let outcome = json!({
            "dry-run": dry_run, "removed": kinds(&collected.removed), "kept": kinds(&collected.kept),
            "locked": locked, "untraced-evidence": amount(&collected.untraced), "put-back": collected.put_back,
            "foreign": collected.foreign,
        });
        terminal.print(&outcome.to_string());
        return;
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    let mut text = String::new();
    let (mut things, mut all) = (0, 0);
    for (kind, found) in &collected.removed {
        things += found.count;
        all += found.bytes;
        text.push_str(&format!("{verb} {:>7} {:10} {:>10}\n", found.count, kind.name(), bytes(found.bytes)));
    }
    if things == 0 {
        text.push_str("nothing to remove\n");
    } else {
        text.push_str(&format!("{verb} {things:>7} {:10} {:>10}\n", "in all", bytes(all)));
    }
    if terminal.mode() == OutputMode::Human || dry_run {
        terminal.print(&text);
    }
    for (key, pid) in &collected.locked {
        terminal.note(&format!("kept {}: process {pid} is working on it", key.short()));
    }
    if collected.untraced.count > 0 {
        let (count, size) = (collected.untraced.count, bytes(collected.untraced.bytes));
        terminal.note(&format!(
            "kept {count} pieces of evidence ({size}) that belong to no artifact in the store; `--evidence` removes them"
        ));
    }
    if collected.put_back > 0 {
        terminal.note(&format!("moved {} back: a run needs them by now", collected.put_back));
    }
    for path in &collected.foreign {
        terminal.note(&format!("kept {}: it does not belong to the store", path.display()));
    }
}
