//! Reads, checks and plans a recipe from the command line, in the same way for every program. Must not create a store.

use std::path::Path;

use cadre_data::{Hub, HubSettings};
use cadre_recipe::{
    Capabilities, EnvSource, Loaded, PluginCatalog, Recipe, RecipeError, RecipeErrors, Surroundings,
};
use cadre_store::{ArtifactStore, FileDigests, chain};

use crate::arguments::RecipeArgs;
use crate::error::PlanError;
use crate::planning::memory::MemoryNeed;
use crate::planning::plan::{Plan, PlanStatus};

/// A valid recipe and the policies on its search path.
#[derive(Debug)]
pub struct OpenRecipe {
    /// The recipe.
    pub loaded: Loaded,
    /// The available policies.
    pub catalog: PluginCatalog,
    /// The Hub and its cache, for names on the Hub.
    pub hub: Hub,
}

/// A plan and its status.
#[derive(Debug)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Its status in the store.
    pub status: PlanStatus,
}

impl OpenRecipe {
    /// Reads a recipe in the environment of this process; `capabilities` are those of the program, if it computes.
    ///
    /// # Errors
    /// All errors that can be found without reading data.
    pub fn read(args: &RecipeArgs, capabilities: Option<Capabilities>) -> Result<Self, RecipeErrors> {
        let env = EnvSource::process();
        let catalog = PluginCatalog::scan(&PluginCatalog::search_path(&args.recipe, &env));
        let surroundings = Surroundings { capabilities, plugins: Some(catalog.clone()) };
        let loaded = Recipe::load_in(&args.recipe, &args.sets, &env, &surroundings)?;
        Ok(Self { loaded, catalog, hub: Hub::new(HubSettings::from_env()) })
    }

    /// Checks the data and files of the recipe; returns warnings about them.
    ///
    /// # Errors
    /// All errors in data and files.
    pub fn check(&self) -> Result<Vec<RecipeError>, RecipeErrors> {
        let checked = crate::check::check(&self.loaded, &self.catalog, &self.hub);
        RecipeErrors::of(checked.mistakes)?;
        Ok(checked.warnings)
    }

    /// The memory that the run needs; `None` if the shape of the backbone is unknown.
    #[must_use]
    pub fn memory(&self) -> Option<MemoryNeed> {
        crate::planning::memory::need(&crate::planning::hub_names::resolve(&self.loaded.recipe, &self.hub).0)
    }

    /// Plans the recipe with the status in the store in this folder; without a store, no stage is done.
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

/// Saves digests for the next plan. If that fails (a store on a read-only disk), the next plan computes them again.
pub(crate) fn keep(digests: &FileDigests) {
    if let Err(problem) = digests.save() {
        tracing::debug!(problem = chain(&problem), "digests of files are not kept");
    }
}
