//! The points of a sweep: expands a sweep into its recipes, each with a name, and validates all of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use cadre_store::Seed;
use serde_json::{Map, Value};

use crate::check::sweep_check::{drawn, target};
use crate::cores::on_all_cores;
use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::recipe_error::{RecipeError, RecipeErrors};
use crate::generate::expand::inline;
use crate::read::assignment;
use crate::read::key_path::KeyPath;
use crate::read::layer::Layer;
use crate::read::loaded::Loaded;
use crate::section::stream::Order;
use crate::section::sweep::{Draw, RandomSearch, Sweep};

/// The key of a replicate's seed; a grid over it is a list of replicates.
const SEED: &str = "seed";
/// The key of a replicate's order.
const ORDER: &str = "stream.order";
/// Maximum number of characters of a value in a name.
const LABEL: usize = 28;
/// Number of points whose errors are reported; further points tend to repeat them.
const MAX_REPORTED: usize = 3;

/// One recipe of a sweep.
#[derive(Debug)]
pub struct SweepPoint {
    /// Its name in the sweep: the setting, with seed and order if there are several.
    pub name: String,
    /// The name of its setting: the recipe and the varied values. Points of the same setting are replicates.
    pub setting: String,
    /// The varied values, by key.
    pub values: Map<String, Value>,
    /// Its seed.
    pub seed: u64,
    /// The name of its order, if the sweep has several.
    pub order: Option<String>,
    /// The recipe.
    pub loaded: Loaded,
}

impl SweepPoint {
    /// An error of this point's recipe, prefixed with the name of the point unless it is the recipe itself.
    pub fn named(&self, error: RecipeError) -> RecipeError {
        if self.name == self.loaded.recipe.name { error } else { at(&self.name, error) }
    }
}

/// A row of values, by key.
type Row = Vec<(String, Value)>;

impl Loaded {
    /// All points of the recipe's sweep: settings in the outer loop, then orders, then seeds. The recipe itself if it
    /// has no sweep.
    ///
    /// # Errors
    /// Points with the same name; errors in the recipes of points, each with the name of the point.
    pub fn points(&self) -> Result<Vec<SweepPoint>, RecipeErrors> {
        let sweep = self.recipe.sweep.clone().unwrap_or_default();
        let mut seeds = sweep.seeds.clone();
        let mut grid = sweep.grid.clone();
        for seed in grid.remove(SEED).into_iter().flatten().filter_map(|seed| seed.as_u64()) {
            if !seeds.contains(&seed) {
                seeds.push(seed);
            }
        }
        let rows = settings(&grid, &sweep);
        let labels = Labels::of(&rows);
        let mut wanted: Vec<Wanted<'_>> = Vec::new();
        for row in &rows {
            let setting = name_of(&self.recipe.name, row, &labels);
            for order in orders(&sweep) {
                for seed in replicates(&seeds) {
                    wanted.push(Wanted { setting: setting.clone(), row, order, seed });
                }
            }
        }
        let parts = on_all_cores(&wanted, |some| {
            let mut points = Points { base: self, points: Vec::new(), errors: Vec::new() };
            some.iter().for_each(|one| points.add(one));
            points
        });
        let mut all = Points { base: self, points: Vec::new(), errors: Vec::new() };
        for part in parts {
            all.points.extend(part.points);
            all.errors.extend(part.errors);
        }
        all.finish()
    }
}

/// A point before its recipe is built.
struct Wanted<'a> {
    setting: String,
    row: &'a Row,
    order: Option<(&'a String, &'a Order)>,
    seed: Option<u64>,
}

struct Points<'a> {
    base: &'a Loaded,
    points: Vec<SweepPoint>,
    errors: Vec<RecipeError>,
}

impl Points<'_> {
    fn add(&mut self, wanted: &Wanted<'_>) {
        let Wanted { setting, row, order, seed } = wanted;
        if self.errors.len() >= MAX_REPORTED {
            return;
        }
        let replicate: Vec<String> = seed
            .map(|seed| format!("seed={seed}"))
            .into_iter()
            .chain(order.map(|(name, _)| format!("order={name}")))
            .collect();
        let name = match replicate.is_empty() {
            true => setting.clone(),
            false => format!("{setting}@{}", replicate.join(",")),
        };
        let mut assignments: Row = (*row).clone();
        assignments.extend(seed.map(|seed| (SEED.to_owned(), Value::from(seed))));
        assignments.extend(
            order.map(|(_, order)| (ORDER.to_owned(), serde_json::to_value(order).unwrap_or_default())),
        );
        let layers: Result<Vec<Layer>, _> = assignments
            .iter()
            .map(|(key, value)| assignment::point(&target(key), value, self.folder_of(key)))
            .collect();
        let loaded = layers
            .map_err(|error| RecipeErrors::one(*error))
            .and_then(|layers| Arc::clone(&self.base.basis).with(&layers, self.base.files.clone()));
        match loaded {
            Ok(loaded) => self.points.push(SweepPoint {
                name,
                setting: setting.clone(),
                values: row.iter().cloned().collect(),
                seed: loaded.recipe.seed,
                order: order.map(|(name, _)| name.clone()),
                loaded,
            }),
            Err(errors) => self.errors.extend(errors.into_errors().into_iter().map(|error| at(&name, error))),
        }
    }

    /// The base of relative paths among a key's values: the folder of the file that lists them.
    fn folder_of(&self, key: &str) -> &Path {
        let tables = ["sweep.grid", "sweep.zip", "sweep.random.keys"];
        let layers = &self.base.basis.layers;
        let names =
            |layer: &&Layer| tables.iter().any(|table| layer.find(&KeyPath::of(table).key(key)).is_some());
        layers.iter().rev().find(names).map_or(Path::new(""), |layer| &layer.source.folder)
    }

    fn finish(mut self) -> Result<Vec<SweepPoint>, RecipeErrors> {
        let mut names: Vec<&str> = self.points.iter().map(|point| point.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let mistake = Mistake::SamePoint { name: pair[0].to_owned() };
            self.errors.push(self.base.found("sweep", mistake));
        }
        self.errors.truncate(MAX_REPORTED);
        RecipeErrors::of(self.errors)?;
        Ok(self.points)
    }
}

/// Prefixes an error with the name of its point.
fn at(point: &str, error: RecipeError) -> RecipeError {
    let problem = Box::new(error.mistake);
    RecipeError { mistake: Mistake::AtPoint { point: point.to_owned(), problem }, ..error }
}

/// Every combination of grid, zip and draws; a single empty row if there are none.
fn settings(grid: &BTreeMap<String, Vec<Value>>, sweep: &Sweep) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![Vec::new()];
    for (key, values) in grid {
        rows = combined(
            &rows,
            &values.iter().map(|value| vec![(key.clone(), value.clone())]).collect::<Vec<_>>(),
        );
    }
    let length = sweep.zip.values().map(Vec::len).max().unwrap_or(0);
    if length > 0 {
        let row = |place: usize| {
            sweep
                .zip
                .iter()
                .filter_map(|(key, values)| Some((key.clone(), values.get(place)?.clone())))
                .collect()
        };
        rows = combined(&rows, &(0..length).map(row).collect::<Vec<Row>>());
    }
    if let Some(random) = &sweep.random {
        rows = combined(&rows, &(0..random.count).map(|place| draw(random, place)).collect::<Vec<_>>());
    }
    rows
}

fn combined(rows: &[Row], more: &[Row]) -> Vec<Row> {
    rows.iter().flat_map(|row| more.iter().map(|values| [row.as_slice(), values].concat())).collect()
}

/// A row of draws. Each value depends only on the seed, its key and the index of the row.
fn draw(random: &RandomSearch, place: u32) -> Row {
    let one = |(key, draw): (&String, &Draw)| {
        let bits = Seed(random.seed).derive(&format!("{key}/{place}")).0;
        // The 53 bits of a double's mantissa, as a number in [0, 1).
        let share = (bits >> 11) as f64 / (1u64 << 53) as f64;
        let value = match draw.between {
            None => {
                draw.choice[((share * draw.choice.len() as f64) as usize).min(draw.choice.len() - 1)].clone()
            }
            Some([low, high]) if draw.log => {
                drawn((low.ln() + share * (high / low).ln()).exp(), draw.integer)
            }
            // Every whole number is equally probable.
            Some([low, high]) if draw.integer => {
                drawn((low.round() + share * (high - low + 1.0)).floor(), true)
            }
            Some([low, high]) => drawn(low + share * (high - low), false),
        };
        (key.clone(), value)
    };
    random.keys.iter().map(one).collect()
}

fn orders(sweep: &Sweep) -> Vec<Option<(&String, &Order)>> {
    match sweep.orders.is_empty() {
        true => vec![None],
        false => sweep.orders.iter().map(Some).collect(),
    }
}

fn replicates(seeds: &[u64]) -> Vec<Option<u64>> {
    match seeds {
        [] => vec![None],
        seeds => seeds.iter().copied().map(Some).collect(),
    }
}

/// For each key, its shortest unique suffix.
fn short_keys(rows: &[Row]) -> BTreeMap<String, String> {
    let keys: Vec<&String> = rows.first().into_iter().flatten().map(|(key, _)| key).collect();
    let short = |key: &&String| {
        let parts: Vec<&str> = key.split('.').collect();
        let end = |count: usize| parts[parts.len() - count..].join(".");
        let alone = |count: &usize| {
            let tail = format!(".{}", end(*count));
            keys.iter().filter(|other| format!(".{other}").ends_with(&tail)).count() == 1
        };
        let count = (1..=parts.len()).find(alone).unwrap_or(parts.len());
        ((*key).clone(), end(count))
    };
    keys.iter().map(short).collect()
}

/// The forms of keys and values in names.
struct Labels {
    keys: BTreeMap<String, String>,
    /// Values, by key and text, whose short form is not unique for the key.
    alike: HashSet<(String, String)>,
}

impl Labels {
    fn of(rows: &[Row]) -> Self {
        let mut first: HashMap<(&String, String), String> = HashMap::new();
        let mut alike = HashSet::new();
        for (key, value) in rows.iter().flatten().filter(|(_, value)| value.is_f64()) {
            let text = value.to_string();
            let other = first.entry((key, label(value, false))).or_insert_with(|| text.clone());
            if *other != text {
                alike.extend([(key.clone(), other.clone()), (key.clone(), text)]);
            }
        }
        Self { keys: short_keys(rows), alike }
    }
}

fn name_of(recipe: &str, row: &Row, labels: &Labels) -> String {
    if row.is_empty() {
        return recipe.to_owned();
    }
    let part = |(key, value): &(String, Value)| {
        let exact = value.is_f64() && labels.alike.contains(&(key.clone(), value.to_string()));
        format!("{}={}", labels.keys[key], label(value, exact))
    };
    format!("{recipe}[{}]", row.iter().map(part).collect::<Vec<_>>().join(","))
}

/// A value in a name, with a digest if it is truncated. `exact` keeps all digits of a number, for values that differ
/// only in the last ones.
fn label(value: &Value, exact: bool) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("+")
        }
        // Drawn numbers have more digits than a name needs.
        Value::Number(number) if number.is_f64() && !exact => {
            let exact = number.as_f64().unwrap_or_default();
            format!("{exact:.5e}").parse::<f64>().unwrap_or(exact).to_string()
        }
        other => inline(other),
    };
    let plain: String =
        text.chars().map(|c| if c.is_control() || "[],@".contains(c) { ' ' } else { c }).collect();
    if plain.chars().count() <= LABEL && plain == text {
        return text;
    }
    let digest = cadre_store::Digest::of_bytes(text.as_bytes()).short();
    format!("{}~{}", plain.chars().take(LABEL).collect::<String>().trim(), &digest[..4.min(digest.len())])
}
