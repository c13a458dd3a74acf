//! A loaded recipe: its values, and the origin of each value.

use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use figment::Figment;
use serde_json::Value;

use crate::check::contradiction;
use crate::check::plugin_catalog::PluginCatalog;
use crate::check::surroundings::Surroundings;
use crate::check::sweep_check;
use crate::check::validate::{self, Finding};
use crate::diagnostics::expectation::{by_similarity, did_you_mean, listed, nearest, nearest_word};
use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::recipe_error::{Point, RecipeError, RecipeErrors};
use crate::generate::expand;
use crate::read::assignment;
use crate::read::displace::displace;
use crate::read::env_source::EnvSource;
use crate::read::inherit;
use crate::read::key_path::KeyPath;
use crate::read::layer::{Layer, LayerKind};
use crate::read::path_value::{self, Unset};
use crate::section::expert::{Per, Start};
use crate::section::recipe::Recipe;

/// A valid recipe with the layers that it was merged from.
#[derive(Debug)]
pub struct Loaded {
    /// The recipe.
    pub recipe: Recipe,
    /// All files that were read, inherited files after those that inherit them.
    pub files: Vec<PathBuf>,
    main: String,
    /// Without the keys that higher layers displace.
    layers: Vec<Layer>,
    pub(crate) basis: Arc<Basis>,
}

/// The inputs of a recipe, from which every point of its sweep is built.
#[derive(Debug)]
pub(crate) struct Basis {
    /// The layers as read.
    pub(crate) layers: Vec<Layer>,
    path: PathBuf,
    env: EnvSource,
    surroundings: Surroundings,
}

impl Recipe {
    /// Reads a recipe: its file and what it inherits, then `CADRE__SECTION__KEY` from the environment, then `sets`
    /// (`section.key=value`). All errors are reported together.
    pub fn load(path: &Path, sets: &[String], env: &EnvSource) -> Result<Loaded, RecipeErrors> {
        Self::load_in(path, sets, env, &Surroundings::default())
    }

    /// Like [`Recipe::load`], and checks the recipe against the backends of this build and the available plugins.
    pub fn load_in(
        path: &Path,
        sets: &[String],
        env: &EnvSource,
        surroundings: &Surroundings,
    ) -> Result<Loaded, RecipeErrors> {
        Self::load_swept(path, sets, &[], env, surroundings)
    }

    /// Like [`Recipe::load_in`], with additional lists for the grid of its sweep: each of `grids` is
    /// `section.key=value,value`.
    pub fn load_swept(
        path: &Path,
        sets: &[String],
        grids: &[String],
        env: &EnvSource,
        surroundings: &Surroundings,
    ) -> Result<Loaded, RecipeErrors> {
        let family = inherit::read(path);
        let (files, mut layers, mut errors) = (family.files, family.layers, family.errors);
        let more = family.more;
        let variables =
            env.assignments().map(|(name, value)| assignment::variable(name, value, env.folder()));
        let sets = sets.iter().map(|set| assignment::set(set, env.folder()));
        let grids = grids.iter().map(|grid| assignment::grid(grid, env.folder()));
        let mut swept = HashSet::new();
        for layer in variables.chain(sets).chain(grids) {
            match layer {
                Ok(layer) if layer.grid_key().is_some_and(|key| !swept.insert(key.to_owned())) => {
                    let (span, key) = (0..layer.source.text.len(), layer.grid_key().unwrap_or_default());
                    let mistake = Mistake::GridTwice { key: key.to_owned() };
                    errors.push(
                        RecipeError::at_text(&layer.source, span, mistake)
                            .suggest("give all its values in one `--grid`"),
                    );
                }
                Ok(layer) if layer.root.contains_key("inherit") => {
                    let key = layer.root["inherit"].key.clone();
                    errors.push(RecipeError::at_text(&layer.source, key, Mistake::InheritOutsideFile));
                }
                Ok(layer) => layers.push(layer),
                Err(error) => errors.push(*error),
            }
        }
        // Values that could not be read would be reported as missing below.
        RecipeErrors::and_more(errors, more)?;

        let basis =
            Basis { layers, path: path.to_owned(), env: env.clone(), surroundings: surroundings.clone() };
        Arc::new(basis).with(&[], files)
    }
}

impl Basis {
    /// The recipe with the layers of a point on top; `point` is empty for the recipe itself. A point has no sweep.
    pub(crate) fn with(
        self: Arc<Self>,
        point: &[Layer],
        files: Vec<PathBuf>,
    ) -> Result<Loaded, RecipeErrors> {
        let Self { path, env, surroundings, .. } = &*self;
        let main = path.display().to_string();
        let mut layers = [&self.layers, point].concat();
        displace(&mut layers);
        let mut value = merge(&layers).map_err(|problem| whole(&main, problem))?;
        name(&mut value, path);
        if let Some(value) = value.as_object_mut().filter(|_| !point.is_empty()) {
            value.shift_remove("sweep");
        }
        let walk = validate::recipe(&value);
        let sweep = sweep_check::find(&value);
        let more = walk.more + sweep.more;
        let mut findings = walk.findings;
        findings.extend(contradiction::find(&value));
        findings.extend(sweep.findings);
        findings.extend(surroundings.check(&value).into_iter().map(|finding| match finding.mistake {
            Mistake::NoPlugin { .. } => finding.suggest(missing_plugin_folders(env)),
            _ => finding,
        }));
        for key in walk.paths {
            findings.extend(expand_path(&mut value, key, &layers, path, env));
        }
        let errors = findings.into_iter().map(|finding| located(&layers, &main, finding)).collect();
        RecipeErrors::and_more(errors, more)?;

        let mut recipe: Recipe = serde_json::from_value(value).map_err(|problem| whole(&main, problem))?;
        if let Some(expert) = recipe.expert.as_mut().filter(|expert| expert.per == Per::Stream) {
            expert.start = Start::Previous;
        }
        Ok(Loaded { recipe, files, main, layers, basis: self })
    }
}

impl Loaded {
    /// The whole recipe as TOML, with the origin of every value as a comment. It can be loaded from any folder and
    /// gives the same recipe.
    pub fn expand(&self) -> String {
        expand::toml(&self.recipe, &|key| self.origin(key))
    }

    /// The origin of the value of a dotted key: `recipes/see.toml:12`, `environment CADRE__SEED=1`,
    /// `--set seed=1`, or `default`.
    pub fn origin_of(&self, key: &str) -> String {
        self.origin(&KeyPath::of(key))
    }

    /// The path of the recipe as given.
    pub fn path(&self) -> &Path {
        Path::new(&self.main)
    }

    /// An error that another part of Cadre found in the value of a dotted key (`stream.order[2]`), located at the
    /// value.
    pub fn mistake(&self, key: &str, problem: impl Into<Box<dyn Error + Send + Sync>>) -> RecipeError {
        let mistake = Mistake::Elsewhere { problem: problem.into() };
        RecipeError::at_key(&self.layers, &self.main, &KeyPath::of(key), Point::Value, mistake)
    }

    /// An error of this crate's own checks, located at the key.
    pub(crate) fn found(&self, key: &str, mistake: Mistake) -> RecipeError {
        RecipeError::at_key(&self.layers, &self.main, &KeyPath::of(key), Point::Key, mistake)
    }

    /// Warnings about folders in `$CADRE_PLUGINS` that do not exist.
    pub fn plugin_notes(&self) -> Vec<RecipeError> {
        missing_plugin_folders(&self.basis.env).map(|note| self.mistake("", note)).into_iter().collect()
    }

    /// The value of `$CADRE_DATA`, if a message names a file below it.
    pub fn data_note(&self, message: &str) -> Option<String> {
        let env = &self.basis.env;
        let Some(set) = env.get("CADRE_DATA") else {
            let recipes = env.folder().join(self.path().parent().unwrap_or(Path::new("")));
            let folder = path_value::default_data(env, &recipes)?;
            let of_default = message.contains(&format!("{}/", folder.display()));
            return of_default
                .then(|| format!("`$CADRE_DATA` is not set; its default here is {}", folder.display()));
        };
        let folder = path_value::clean(&env.folder().join(set));
        message.contains(&folder.display().to_string()).then(|| match folder.is_dir() {
            true => format!("`$CADRE_DATA` is {set}"),
            false => format!("`$CADRE_DATA` is {set}, and there is no such folder"),
        })
    }

    /// Like [`Loaded::mistake`] for a word that is not among `choices`, which are listed, most similar first; the
    /// nearest is suggested.
    pub fn wrong_choice(
        &self,
        key: &str,
        problem: impl Into<Box<dyn Error + Send + Sync>>,
        word: &str,
        choices: &[&str],
    ) -> RecipeError {
        let mut error =
            self.mistake(key, problem).expected(listed(by_similarity(word, choices).into_iter(), "or"));
        error.suggestion = nearest_word(word, choices).map(did_you_mean);
        error
    }

    /// The errors of this recipe with these backends and plugins.
    pub fn check(&self, surroundings: &Surroundings) -> Vec<RecipeError> {
        let value = serde_json::to_value(&self.recipe).unwrap_or_default();
        let findings = surroundings.check(&value);
        findings.into_iter().map(|finding| located(&self.layers, &self.main, finding)).collect()
    }

    fn origin(&self, key: &KeyPath) -> String {
        let key = key.to_list();
        let found = self.layers.iter().rev().find_map(|layer| Some((layer, layer.find(&key)?)));
        found.map_or_else(|| "default".to_owned(), |(layer, value)| layer.source.at(value.key.start))
    }
}

fn whole(main: &str, problem: impl Error + Send + Sync + 'static) -> RecipeErrors {
    RecipeErrors::one(RecipeError::whole(main, Mistake::Elsewhere { problem: Box::new(problem) }))
}

fn merge(layers: &[Layer]) -> Result<Value, Box<figment::Error>> {
    layers.iter().fold(Figment::new(), |merged, layer| merged.merge(layer)).extract().map_err(Box::new)
}

/// Gives a recipe without a name the name of its file.
fn name(value: &mut Value, path: &Path) {
    if let Some(table) = value.as_object_mut() {
        table.entry("name").or_insert_with(|| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
            let name: String = stem.chars().map(|letter| if fits(letter) { letter } else { '-' }).collect();
            Value::from(if validate::is_name(&name) { name } else { "recipe".to_owned() })
        });
    }
}

/// A note on folders in `$CADRE_PLUGINS` that do not exist.
fn missing_plugin_folders(env: &EnvSource) -> Option<String> {
    let missing = PluginCatalog::missing_folders(env);
    let names: Vec<String> = missing.iter().map(|folder| folder.display().to_string()).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("`$CADRE_PLUGINS` names {one}, and there is no such folder")),
        several => Some(format!("`$CADRE_PLUGINS` names folders that do not exist: {}", several.join(", "))),
    }
}

fn located(layers: &[Layer], main: &str, finding: Finding) -> RecipeError {
    let lacks = matches!(finding.mistake, Mistake::Missing { .. } | Mistake::Needs { .. });
    let mut error = RecipeError::at_key(layers, main, &finding.path, finding.point, finding.mistake);
    let mut hint = None;
    let inherited = layers.iter().any(|layer| {
        matches!(layer.source.kind, LayerKind::File { .. }) && layer.source.name() == error.file
    });
    if lacks && inherited && error.file != main {
        // What is missing belongs into the recipe; inherited files are shared with other recipes.
        let table = validate::table_name(&finding.path);
        hint = Some(format!("{table} is inherited from {}; add what is missing to {main}", error.layer));
        error = RecipeError { key: error.key, ..RecipeError::whole(main, error.mistake) };
    }
    error.expected = finding.expected;
    error.suggestion = finding.suggestion.or(hint).or_else(|| {
        // Of two contradicting keys, the error shows one; the other may be in another file.
        let other = finding.beside?;
        let (layer, value) = layers.iter().rev().find_map(|layer| Some((layer, layer.find(&other)?)))?;
        let place = layer.source.at(value.key.start);
        (layer.source.name() != error.file).then(|| format!("`{other}` is set by {place}"))
    });
    error
}

/// Expands one path in place.
fn expand_path(
    value: &mut Value,
    key: KeyPath,
    layers: &[Layer],
    main: &Path,
    env: &EnvSource,
) -> Option<Finding> {
    let found = key.find_mut(value)?;
    let layer = layers.iter().rev().find(|layer| layer.find(&key).is_some())?;
    let recipes = match &layer.source.kind {
        LayerKind::File { .. } => layer.source.folder.clone(),
        _ => env.folder().join(main.parent().unwrap_or(Path::new(""))),
    };
    match path_value::expand(found.as_str()?, env, &layer.source.folder, &recipes) {
        Ok(path) => {
            *found = Value::from(path.display().to_string());
            None
        }
        Err(Unset(name)) => {
            let hint = if name == "CADRE_DATA" {
                Some("set it to the folder of the datasets: `export CADRE_DATA=…`".to_owned())
            } else {
                nearest(&name, env.names()).map(|near| did_you_mean(&format!("${near}")))
            };
            let mistake = Mistake::UnsetVariable { name, key: key.to_string() };
            Some(Finding::value(key, mistake).suggest(hint))
        }
    }
}
