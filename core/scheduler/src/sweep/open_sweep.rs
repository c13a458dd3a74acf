//! Reads, checks and plans the recipes of a sweep, and merges the plans of all points. Must not create a store.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use cadre_data::{Hub, HubSettings};
use cadre_recipe::{
    Capabilities, EnvSource, Loaded, PluginCatalog, Recipe, RecipeError, RecipeErrors, Surroundings,
    SweepPoint, on_all_cores,
};
use cadre_store::{ArtifactStore, FileDigests};
use clap::Args;
use serde_json::{Value, json};

use crate::error::PlanError;
use crate::planning::plan::PlanStatus;
use crate::planning::planner::{KnownKeys, plan_beside};
use crate::sweep::sweep_plan::{PlannedPoint, SweepPlan, Unjoined};

/// Number of points whose errors are reported; further points tend to repeat them.
const MAX_REPORTED: usize = 3;

/// The recipes of a sweep and its variations.
#[derive(Debug, Clone, Args)]
pub struct SweepArgs {
    /// The recipes, each with its own `[sweep]`, if it has one
    #[arg(value_name = "RECIPE", required = true)]
    pub recipes: Vec<PathBuf>,
    /// Change a value of every recipe, as `stream.limits.train=200`; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Values of a key, all of which are run with all others': `routing.router.threshold=0.3,0.5`, `seed=0,1,2`; may be
    /// given several times
    #[arg(long = "grid", value_name = "KEY=A,B,…")]
    pub grids: Vec<String>,
    /// What the others are compared with: a recipe's name or a setting's
    #[arg(long, value_name = "SETTING")]
    pub baseline: Option<String>,
}

/// A sweep whose points are all valid.
#[derive(Debug)]
pub struct OpenSweep {
    parts: Vec<Part>,
    baseline: Option<String>,
    hub: Hub,
}

/// One recipe of a sweep.
#[derive(Debug)]
struct Part {
    base: Loaded,
    catalog: PluginCatalog,
    points: Vec<SweepPoint>,
}

/// The plan of a sweep and its status.
#[derive(Debug)]
pub struct PlannedSweep {
    /// The plan.
    pub plan: SweepPlan,
    /// The status of its distinct stages in the store.
    pub status: PlanStatus,
}

impl OpenSweep {
    /// Reads recipes in the environment of this process and builds all their points.
    ///
    /// # Errors
    /// All errors that can be found without reading data; two recipes with the same name; a baseline that is not a
    /// setting.
    pub fn read(args: &SweepArgs, capabilities: Option<Capabilities>) -> Result<Self, RecipeErrors> {
        let env = EnvSource::process();
        let mut parts: Vec<Part> = Vec::new();
        let mut errors: Vec<RecipeError> = Vec::new();
        for path in &args.recipes {
            let catalog = PluginCatalog::scan(&PluginCatalog::search_path(path, &env));
            let surroundings =
                Surroundings { capabilities: capabilities.clone(), plugins: Some(catalog.clone()) };
            let read = Recipe::load_swept(path, &args.sets, &args.grids, &env, &surroundings);
            match read.and_then(|base| Ok((base.points()?, base))) {
                Ok((points, base)) => parts.push(Part { base, catalog, points }),
                Err(found) => errors.extend(found.into_errors()),
            }
        }
        for (place, part) in parts.iter().enumerate() {
            let name = &part.base.recipe.name;
            if let Some(other) = parts[..place].iter().find(|other| other.base.recipe.name == *name) {
                let problem = format!("{} is called `{name}` too", other.base.path().display());
                let hint = "give each recipe of a sweep its own name";
                errors.push(part.base.mistake("name", problem).suggest(hint));
            }
        }
        RecipeErrors::of(errors)?;
        let given = args.baseline.clone();
        let mut sweep = Self { parts, baseline: None, hub: Hub::new(HubSettings::from_env()) };
        sweep.baseline = sweep.baseline(given)?;
        Ok(sweep)
    }

    /// All points, in order, each with the policies of its recipe.
    pub fn points(&self) -> impl Iterator<Item = (&SweepPoint, &PluginCatalog)> {
        self.parts.iter().flat_map(|part| part.points.iter().map(|point| (point, &part.catalog)))
    }

    /// The baseline: the one on the command line, or else of the first recipe that has one.
    fn baseline(&self, given: Option<String>) -> Result<Option<String>, RecipeErrors> {
        let of = |part: &Part| part.base.recipe.sweep.as_ref().and_then(|sweep| sweep.baseline.clone());
        let on_command_line = given.is_some();
        let named = given.map(|name| (&self.parts[0].base, name));
        let stated = || self.parts.iter().find_map(|part| Some((&part.base, of(part)?)));
        let Some((base, name)) = named.or_else(stated) else { return Ok(None) };
        let mut settings: Vec<&str> = self.points().map(|(point, _)| point.setting.as_str()).collect();
        settings.dedup();
        if settings.contains(&name.as_str()) {
            return Ok(Some(name));
        }
        let problem = format!("the sweep has no setting `{name}` to compare with");
        // `--baseline` is not a layer of the recipe: its error belongs to no line of it.
        let key = if on_command_line { "" } else { "sweep.baseline" };
        let mut error = base.wrong_choice(key, problem, &name, &settings);
        if let Some(meant) = settings.iter().find(|setting| values_of(setting) == values_of(&name)) {
            error = error.suggest(format!("did you mean `{meant}`?"));
        }
        RecipeErrors::of(vec![error])?;
        Ok(None)
    }

    /// Checks the data and files of all points, each once. Returns warnings.
    ///
    /// # Errors
    /// All errors in data and files, those of points with the name of the point.
    pub fn check(&self) -> Result<Vec<RecipeError>, RecipeErrors> {
        let mut seen: HashSet<String> = HashSet::new();
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for (point, catalog) in self.points() {
            if errors.len() >= MAX_REPORTED || !seen.insert(looked_at(&point.loaded.recipe)) {
                continue;
            }
            let checked = crate::check::check(&point.loaded, catalog, &self.hub);
            errors.extend(checked.mistakes.into_iter().map(|error| point.named(error)));
            warnings.extend(checked.warnings);
        }
        RecipeErrors::of(errors)?;
        // Warnings that several points have in common are reported once.
        let mut reported: HashSet<String> = HashSet::new();
        warnings.retain(|warning: &RecipeError| reported.insert(warning.to_string()));
        Ok(warnings)
    }

    /// Plans all points with the status in the store in this folder, and merges their plans.
    ///
    /// # Errors
    /// When a file changed since the check, or the store cannot be read.
    pub fn plan(&self, store: &Path) -> Result<PlannedSweep, PlanError> {
        let store = if store.join("FORMAT").exists() { Some(ArtifactStore::open(store)?) } else { None };
        let digests = match &store {
            Some(store) => store.file_digests()?,
            None => FileDigests::in_memory(),
        };
        let points: Vec<(&SweepPoint, &PluginCatalog)> = self.points().collect();
        let unjoined = planned(&points, &digests, &self.hub)?;
        let plan = SweepPlan::join(self.name(), self.baseline.clone(), unjoined);
        let status = match &store {
            Some(store) => PlanStatus::of(&plan.stages, store)?,
            None => PlanStatus::nothing_done(plan.stages.len()),
        };
        crate::planning::open_recipe::keep(&digests);
        Ok(PlannedSweep { plan, status })
    }

    /// Adds the expanded recipe of every point to the plan.
    pub fn write_recipes(&self, plan: &mut SweepPlan) {
        for (planned, (point, _)) in plan.points.iter_mut().zip(self.points()) {
            planned.toml = point.loaded.expand();
        }
    }

    fn name(&self) -> String {
        let first = &self.parts[0].base.recipe.name;
        match self.parts.len() {
            1 => first.clone(),
            several => format!("{first}-and-{}", several - 1),
        }
    }
}

/// The parts of a setting's name that do not depend on the order of its values or on how much of a key is written:
/// `see[rank=8,threshold=0.5]` is `see` with `rank=8` and `threshold=0.5`.
fn values_of(setting: &str) -> (&str, Vec<(&str, &str)>) {
    let (recipe, values) = setting.split_once('[').unwrap_or((setting, ""));
    let mut parts: Vec<(&str, &str)> = values
        .trim_end_matches(']')
        .split(',')
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| (key.trim().rsplit('.').next().unwrap_or(key), value.trim()))
        .collect();
    parts.sort_unstable();
    (recipe.trim(), parts)
}

/// Plans points in parallel, in order.
fn planned(
    points: &[(&SweepPoint, &PluginCatalog)],
    digests: &FileDigests,
    hub: &Hub,
) -> Result<Vec<Unjoined>, PlanError> {
    let one = |(point, catalog): &(&SweepPoint, &PluginCatalog), known: &mut KnownKeys| {
        let plan = plan_beside(&point.loaded.recipe, catalog, digests, hub, known)?;
        let about = PlannedPoint {
            name: point.name.clone(),
            setting: point.setting.clone(),
            recipe: point.loaded.recipe.name.clone(),
            values: point.values.clone(),
            seed: point.seed,
            order: point.order.clone(),
            run_key: plan.run_key,
            tasks: plan.tasks.clone(),
            stages: Vec::new(),
            toml: String::new(),
        };
        Ok(Unjoined { point: about, plan })
    };
    let parts: Vec<Vec<Result<Unjoined, PlanError>>> = on_all_cores(points, |some| {
        let mut known = KnownKeys::default();
        some.iter().map(|point| one(point, &mut known)).collect()
    });
    parts.into_iter().flatten().collect()
}

/// The parts of a recipe that the checks of data and files depend on.
fn looked_at(recipe: &Recipe) -> String {
    let expert = recipe.expert.as_ref();
    let negatives = recipe.rehearsal.as_ref().and_then(|rehearsal| rehearsal.pseudo_negatives.as_ref());
    let parts: Value = json!([
        recipe.stream,
        recipe.backbone,
        recipe.indicator,
        negatives,
        recipe.evaluation.out_of_distribution,
        recipe.evaluation.metrics,
        recipe.routing.as_ref().and_then(|routing| routing.merge.as_ref()),
        expert.map(|expert| (&expert.import, expert.training.epochs, expert.training.steps)),
    ]);
    parts.to_string()
}

#[cfg(test)]
mod tests {
    use super::values_of;

    #[test]
    fn settings_are_the_same_whatever_the_order_of_their_values() {
        let written = values_of("see[threshold=0.5, expert.adapter.rank=8]");
        assert_eq!(written, values_of("see[rank=8,threshold=0.5]"));
        assert_ne!(written, values_of("see[rank=4,threshold=0.5]"));
        assert_ne!(values_of("see"), values_of("sea"));
    }
}
