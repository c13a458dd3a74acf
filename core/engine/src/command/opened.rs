//! A recipe that was read, checked against this build and its policies, and planned. Runs no stage and creates no
//! store.

use std::path::Path;

use cadre_recipe::{BackendSupport, Capabilities, Loaded, RecipeErrors};
use cadre_scheduler::{MemoryNeed, OpenRecipe, Plan, PlanStatus, RecipeArgs};

use crate::dry_run::try_out;
use crate::error::EngineError;
use crate::terminal::Terminal;

/// A recipe with its plan.
pub(super) struct Opened {
    pub(super) loaded: Loaded,
    pub(super) plan: Plan,
    pub(super) status: PlanStatus,
    pub(super) memory: Option<MemoryNeed>,
}

impl Opened {
    /// Reads, checks and plans a recipe, and does a dry run of its policies, checkpoint and data. Runs no stage;
    /// warnings are printed.
    pub(super) fn of(args: &RecipeArgs, store: &Path, terminal: &Terminal) -> Result<Self, EngineError> {
        let open = read(args)?;
        let mut warnings = open.check()?;
        let planned = open.plan(store)?;
        let tried = try_out(&open.loaded, &planned.plan, store)?;
        RecipeErrors::of(tried.errors)?;
        warnings.extend(tried.warnings);
        terminal.warn(&warnings);
        let memory = open.memory();
        Ok(Self { loaded: open.loaded, plan: planned.plan, status: planned.status, memory })
    }
}

/// Reads a recipe for this build.
pub(super) fn read(args: &RecipeArgs) -> Result<OpenRecipe, EngineError> {
    Ok(OpenRecipe::read(args, Some(capabilities()))?)
}

/// The backends of this build.
pub(super) fn capabilities() -> Capabilities {
    let support = |(name, bf16): (&str, bool)| BackendSupport { name: name.to_owned(), bf16 };
    Capabilities {
        backends: cadre_nn::backends().into_iter().map(support).collect(),
        build_with: "cargo build --workspace --bin cadre --features cadre-engine/".to_owned(),
    }
}
