//! `cadre export ID --expert NAME --to DIR`: exports an expert of a run as a PEFT adapter, or merged into its backbone
//! as a full checkpoint. Only reads the store.

use std::path::{Path, PathBuf};

use cadre_nn::{export_adapter, export_merged};
use cadre_recipe::IndicatorKind;
use cadre_scheduler::{CheckpointPlace, CommonArgs, IndicatorWork, Plan, StageKind, StageSpec, StageWork};
use cadre_store::{ArtifactStore, write_atomic};
use clap::Args;
use serde_json::{Value, json};

use super::run_folder::{RunFolder, artifact};
use super::{Done, keep_what_is_there};
use crate::error::EngineError;
use crate::planned_files::read_checkpoint;
use crate::resources::copy_tokenizer;
use crate::stage::task_of;
use crate::terminal::{OutputMode, Terminal};

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The run: its recipe's name (`see@2` is the one before the most recent), its id, an id prefix, or its folder
    #[arg(value_name = "ID")]
    id: String,
    /// The expert: the task it learned, or `stream` or `union` if the run has a single adapter
    #[arg(long, value_name = "NAME")]
    expert: String,
    /// The output folder
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Write a full checkpoint with the expert merged into the backbone, instead of an adapter
    #[arg(long)]
    merged: bool,
    /// Write into a non-empty folder and overwrite its files
    #[arg(long)]
    force: bool,
}

pub(super) fn export(args: &ExportArgs, common: &CommonArgs, terminal: &Terminal) -> Done {
    let plan = RunFolder::find(&args.id, &common.runs, terminal)?.plan()?;
    let store = ArtifactStore::open(&common.store)?;
    let stage = expert(&plan, &args.expert)?;
    let inputs = stage.inputs.iter().filter_map(|index| plan.stages.get(*index));
    let backbone = inputs.into_iter().find(|input| input.kind == StageKind::Backbone);
    let backbone = backbone.ok_or_else(|| EngineError::InputMissing {
        stage: stage.name.clone(),
        what: "backbone".to_owned(),
    })?;
    let (backbone, trained) = (artifact(&store, backbone)?, artifact(&store, stage)?);
    let (checkpoint, indicator) = read_by(stage);
    let folder = checkpoint.map_or_else(|| backbone.folder(), |place| place.path.as_path());
    keep_what_is_there(&args.to, args.force)?;
    let itself = |from: &Path| std::fs::canonicalize(from).ok() == std::fs::canonicalize(&args.to).ok();
    if args.to.exists() && [folder, trained.folder()].into_iter().any(itself) {
        return Err(EngineError::OntoItself { path: args.to.clone() });
    }
    let write = || {
        let added = match args.merged {
            true => export_merged(folder, trained.folder(), &args.to).map(|()| 0)?,
            false => export_adapter(folder, trained.folder(), &args.to)?,
        };
        copy_tokenizer(folder, &args.to)?;
        Ok(added)
    };
    // The checkpoint may have changed since the run; the expert would not match it.
    let added = match checkpoint {
        Some(_) => read_checkpoint(&backbone, folder, &store.file_digests()?, write)?,
        None => write()?,
    };
    let about = about(&plan, stage, indicator, args);
    let text = format!("{about:#}\n");
    write_atomic(&args.to.join("cadre.json"), text.as_bytes())?;
    match terminal.mode() {
        OutputMode::Json => terminal.print(&about.to_string()),
        _ => {
            let what = if args.merged { "checkpoint" } else { "PEFT adapter" };
            terminal.print(&format!("{}: {what} of expert {}", args.to.display(), args.expert));
        }
    }
    if added > 0 {
        terminal.note(&format!(
            "note: the expert adds {added} tokens; call resize_token_embeddings with {added} more rows before \
             PeftModel.from_pretrained (their ids are in adapter_config.json)"
        ));
    }
    Ok(())
}

/// The stage that trained the expert with this name.
fn expert<'a>(plan: &'a Plan, name: &str) -> Result<&'a StageSpec, EngineError> {
    let trained: Vec<&StageSpec> =
        plan.stages.iter().filter(|stage| stage.kind == StageKind::Train).collect();
    let named = trained.iter().copied().find(|stage| task_of(&stage.name) == name);
    named.ok_or_else(|| EngineError::NotFound {
        what: "expert",
        name: name.to_owned(),
        advice: match trained.as_slice() {
            [] => "the run trains no experts".to_owned(),
            some => {
                let names: Vec<&str> = some.iter().map(|stage| task_of(&stage.name)).collect();
                format!("the run has {}", names.join(", "))
            }
        },
    })
}

/// The checkpoint of an expert's backbone, if it has one, and the expert's indicator.
fn read_by(stage: &StageSpec) -> (Option<&CheckpointPlace>, Option<&IndicatorWork>) {
    match &stage.work {
        StageWork::Train(work) => (work.model.checkpoint.as_ref(), work.indicator.as_ref()),
        StageWork::Import(work) => (work.checkpoint.as_ref(), work.indicator.as_ref()),
        _ => (None, None),
    }
}

/// Metadata of the expert for consumers of the folder.
fn about(plan: &Plan, stage: &StageSpec, indicator: Option<&IndicatorWork>, args: &ExportArgs) -> Value {
    json!({
        "format-version": 1,
        "run": plan.name,
        "expert": args.expert,
        "key": stage.key,
        "merged": args.merged,
        "indicator": indicator.map(|indicator| json!({
            "accept": indicator.accept,
            "reject": indicator.reject,
            "kind": indicator.kind,
            // New tokens directly follow the backbone's rows, the accepting one first.
            "added-rows": if indicator.kind == IndicatorKind::NewToken { 2 } else { 0 },
        })),
    })
}
