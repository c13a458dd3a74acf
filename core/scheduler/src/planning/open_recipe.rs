//! A recipe on its way from the command line to a plan, as every program goes it: read, checked, planned. Runs
//! nothing, and makes no store where there is none.

use std::path::Path;

use cadre_data::{Hub, HubSettings};
use cadre_recipe::{
    Capabilities, EnvSource, Loaded, PluginCatalog, Recipe, RecipeError, RecipeErrors, Surroundings,
};
use cadre_store::{ArtifactStore, FileDigests};

use crate::arguments::RecipeArgs;
use crate::error::PlanError;
use crate::planning::memory::MemoryNeed;
use crate::planning::plan::{Plan, PlanStatus};

/// A recipe that was read and found right in itself, and the policies in its reach.
#[derive(Debug)]
pub struct OpenRecipe {
    /// The recipe.
    pub loaded: Loaded,
    /// The policies it can name.
    pub catalog: PluginCatalog,
    /// The Hub and its cache, for what it names there.
    pub hub: Hub,
}

/// A plan and how much of it is done.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What of it is in the store.
    pub status: PlanStatus,
}

impl OpenRecipe {
    /// Reads a recipe in this process's environment; `capabilities` are those of the program, if it computes.
    ///
    /// # Errors
    /// All mistakes that can be seen without a look at data, together.
    pub fn read(args: &RecipeArgs, capabilities: Option<Capabilities>) -> Result<Self, RecipeErrors> {
        let env = EnvSource::process();
        let catalog = PluginCatalog::scan(&PluginCatalog::search_path(&args.recipe, &env));
        let surroundings = Surroundings { capabilities, plugins: Some(catalog.clone()) };
        let loaded = Recipe::load_in(&args.recipe, &args.sets, &env, &surroundings)?;
        Ok(Self { loaded, catalog, hub: Hub::new(HubSettings::from_env()) })
    }

    /// Looks at the data and files it names; gives what a person should know about them.
    ///
    /// # Errors
    /// All mistakes that only this look can find, together.
    pub fn check(&self) -> Result<Vec<RecipeError>, RecipeErrors> {
        let checked = crate::check::check(&self.loaded, &self.hub);
        RecipeErrors::of(checked.mistakes)?;
        Ok(checked.warnings)
    }

    /// How much memory the run needs; none where the backbone's shape cannot be told.
    #[must_use]
    pub fn memory(&self) -> Option<MemoryNeed> {
        crate::planning::memory::need(&crate::planning::hub_names::resolve(&self.loaded.recipe, &self.hub).0)
    }

    /// Plans it against the store in this folder; where there is none, nothing is done yet.
    ///
    /// # Errors
    /// When a file changed since the check, or the store cannot be read.
    pub fn plan(&self, store: &Path) -> Result<Planned, PlanError> {
        let store = if store.join("FORMAT").exists() { Some(ArtifactStore::open(store)?) } else { None };
        let digests = match &store {
            Some(store) => store.file_digests()?,
            None => FileDigests::in_memory(),
        };
        let plan = crate::planning::planner::plan(&self.loaded.recipe, &self.catalog, &digests, &self.hub)?;
        let status = match &store {
            Some(store) => plan.status(store)?,
            None => PlanStatus::nothing_done(plan.stages.len()),
        };
        keep(&digests);
        Ok(Planned { plan, status })
    }
}

/// Keeps digests for the next plan. Where they cannot be kept (a store on a read-only disk), the next one makes them again.
pub(crate) fn keep(digests: &FileDigests) {
    if let Err(problem) = digests.save() {
        tracing::debug!(%problem, "digests of files are not kept");
    }
}
