//! A recipe that was read, checked against this build and its policies, and planned. Never does a stage, and makes no
//! store.

use std::path::Path;

use cadre_recipe::{BackendSupport, Capabilities, Loaded, RecipeErrors};
use cadre_scheduler::{MemoryNeed, OpenRecipe, Plan, PlanStatus, RecipeArgs};

use crate::dry_run::try_out;
use crate::error::EngineError;
use crate::terminal::Terminal;

/// A recipe and what it means here.
pub(super) struct Opened {
    pub(super) loaded: Loaded,
    pub(super) plan: Plan,
    pub(super) status: PlanStatus,
    pub(super) memory: Option<MemoryNeed>,
}

impl Opened {
    /// Reads, checks and plans, and tries the policies, the checkpoint and the data out. Nothing runs; what a person
    /// should know is said.
    pub(super) fn of(args: &RecipeArgs, store: &Path, terminal: &Terminal) -> Result<Self, EngineError> {
        let open = read(args)?;
        let mut warnings = open.check()?;
        let planned = open.plan(store)?;
        let tried = try_out(&open.loaded, &planned.plan, store)?;
        RecipeErrors::of(tried.mistakes)?;
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

/// What this build computes on.
pub(super) fn capabilities() -> Capabilities {
    let support = |name: &str, bf16| BackendSupport { name: name.to_owned(), bf16 };
    let mut backends = vec![support("cpu", true)];
    if cfg!(feature = "ndarray") {
        backends.push(support("ndarray", false));
    }
    if cfg!(feature = "cuda") {
        backends.push(support("cuda", true));
    }
    Capabilities {
        backends,
        build_with: "cargo build --workspace --bin cadre --features cadre-engine/".to_owned(),
    }
}
