//! A recipe that was read, checked against this build, and planned against a store. Never does a stage.

use std::path::Path;
use std::sync::Arc;

use cadre_recipe::{
    BackendSupport, Capabilities, EnvSource, Loaded, PluginCatalog, Recipe, RecipeErrors, Surroundings,
};
use cadre_scheduler::Plan;
use cadre_store::ArtifactStore;

use super::RecipeArgs;
use crate::error::EngineError;

/// A recipe and what it means here.
pub(super) struct Opened {
    pub(super) loaded: Loaded,
    pub(super) plan: Plan,
    pub(super) store: Arc<ArtifactStore>,
}

impl Opened {
    /// Reads, checks and plans. Nothing runs; nothing is written but digests of files.
    pub(super) fn of(args: &RecipeArgs, store: &Path) -> Result<Self, EngineError> {
        let (loaded, catalog) = load(args)?;
        let store = Arc::new(ArtifactStore::open(store)?);
        let digests = store.file_digests()?;
        let plan = cadre_scheduler::plan(&loaded.recipe, &catalog, &digests)?;
        digests.save()?;
        Ok(Self { loaded, plan, store })
    }
}

/// Reads a recipe and checks it, all mistakes together.
pub(super) fn load(args: &RecipeArgs) -> Result<(Loaded, PluginCatalog), EngineError> {
    let env = EnvSource::process();
    let catalog = PluginCatalog::scan(&PluginCatalog::search_path(&args.recipe, &env));
    let surroundings = Surroundings { capabilities: Some(capabilities()), plugins: Some(catalog.clone()) };
    let wrong = |mistakes: RecipeErrors| EngineError::Recipe(Box::new(mistakes));
    let loaded = Recipe::load_in(&args.recipe, &args.sets, &env, &surroundings).map_err(wrong)?;
    RecipeErrors::of(cadre_scheduler::check(&loaded)).map_err(wrong)?;
    Ok((loaded, catalog))
}

/// What this build computes on.
pub(super) fn capabilities() -> Capabilities {
    let support = |name: &str, bf16| BackendSupport { name: name.to_owned(), bf16 };
    let mut backends = vec![support("cpu", false)];
    if cfg!(feature = "ndarray") {
        backends.push(support("ndarray", false));
    }
    if cfg!(feature = "cuda") {
        backends.push(support("cuda", true));
    }
    Capabilities { backends, build_with: "cargo build --package cadre-engine --features".to_owned() }
}
