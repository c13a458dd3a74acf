//! Checks of a sweep's keys and values against the recipe that they vary.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::check::unknown_key::reordered;
use crate::check::validate::{Finding, Walk};
use crate::diagnostics::expectation::{did_you_mean, nearest};
use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::recipe_error::MAX_PLACED;
use crate::generate::schema::{all_keys, lookup};
use crate::read::key_path::{KeyPath, Step};

/// The tables of `[sweep]` that list values per key.
const TABLES: [&str; 3] = ["sweep.grid", "sweep.zip", "sweep.random.keys"];

/// Unknown keys of a sweep, values that their keys do not take, invalid lists and ranges.
pub(crate) fn find(recipe: &Value) -> Walk {
    let mut check = Check { recipe, walk: Walk::default() };
    for name in TABLES {
        let table = KeyPath::of(name);
        for (key, values) in table.find(recipe).and_then(Value::as_object).into_iter().flatten() {
            check.key(key, values, &table, name);
        }
    }
    check.rows();
    check.size();
    check.walk
}

/// The path of a sweep's key, which contains dots and no list indices.
pub(crate) fn target(key: &str) -> KeyPath {
    KeyPath(key.split('.').map(|part| Step::Key(part.to_owned())).collect())
}

struct Check<'a> {
    recipe: &'a Value,
    walk: Walk,
}

impl Check<'_> {
    fn key(&mut self, key: &str, values: &Value, table: &KeyPath, name: &str) {
        let at = table.key(key);
        let target = target(key);
        let own = matches!(target.0.first(), Some(Step::Key(first)) if ["sweep", "name", "inherit"].contains(&first.as_str()));
        let Some(node) = lookup(&target).filter(|_| !own) else {
            self.walk.findings.push(unknown(key, at, self.recipe));
            return;
        };
        let elsewhere = TABLES.iter().find(|other| {
            let there = KeyPath::of(other).find(self.recipe).and_then(|table| table.get(key));
            **other != name && there.is_some()
        });
        if let Some(other) = elsewhere.filter(|other| **other < name) {
            let mistake = Mistake::Contradiction {
                what: format!("`{at}`"),
                against: format!("`{other}`"),
                why: "a key has one list of values",
            };
            self.walk.findings.push(Finding::key(at.clone(), mistake));
        }
        if let Some(draw) = values.as_object().filter(|_| name.ends_with("keys")) {
            self.draw(node, draw, &at);
        } else if let Some(values) = values.as_array() {
            self.values(node, values, &at);
        }
    }

    fn values(&mut self, node: &'static Value, values: &[Value], at: &KeyPath) {
        let mut seen = HashSet::new();
        for (place, value) in values.iter().enumerate() {
            if self.walk.findings.len() >= MAX_PLACED {
                self.walk.more += values.len() - place;
                break;
            }
            self.walk.check(node, value, &at.place(place));
            if !seen.insert(value.to_string()) {
                let mistake = Mistake::Twice { key: at.to_string(), found: value.to_string() };
                // In a zip, a value may repeat along with different values of other keys.
                if !at.to_string().starts_with("sweep.zip") {
                    self.walk.findings.push(Finding::value(at.place(place), mistake));
                }
            }
        }
        if values.is_empty() {
            let mistake = Mistake::OutOfRange { key: at.to_string(), found: "an empty list".to_owned() };
            self.walk
                .findings
                .push(Finding::value(at.clone(), mistake).expect("a list of at least one value"));
        }
    }

    /// A draw has either a list or a range, whose bounds must be valid values of the key.
    fn draw(&mut self, node: &'static Value, draw: &Map<String, Value>, at: &KeyPath) {
        let choice = draw.get("choice").and_then(Value::as_array).filter(|choice| !choice.is_empty());
        let ends = draw.get("between").and_then(Value::as_array).filter(|ends| ends.len() == 2);
        match (choice, ends) {
            (Some(choice), None) => self.values(node, choice, &at.key("choice")),
            (None, Some(ends)) => {
                let flag = |name: &str| draw.get(name).and_then(Value::as_bool).unwrap_or(false);
                let numbers: Vec<f64> = ends.iter().filter_map(Value::as_f64).collect();
                let at = at.key("between");
                let sound = matches!(numbers[..], [low, high] if low < high && (!flag("log") || low > 0.0));
                if !sound {
                    let found = Value::from(ends.clone()).to_string();
                    let mistake = Mistake::OutOfRange { key: at.to_string(), found };
                    let expected = if flag("log") {
                        "two numbers above 0, the smaller first"
                    } else {
                        "two numbers, the smaller first"
                    };
                    self.walk.findings.push(Finding::value(at, mistake).expect(expected));
                    return;
                }
                for (place, number) in numbers.iter().enumerate() {
                    let value = drawn(*number, flag("integer"));
                    self.walk.check(node, &value, &at.place(place));
                }
            }
            (choice, ends) => {
                let found = if choice.is_some() && ends.is_some() { "both" } else { "neither" }.to_owned();
                let keys = "`choice` and `between`".to_owned();
                let mistake = Mistake::ExactlyOne { table: format!("`{at}`"), keys, found };
                self.walk.findings.push(Finding::key(at.clone(), mistake));
            }
        }
    }

    /// The number of points is checked before any point is built.
    fn size(&mut self) {
        let (points, product) = count(self.recipe);
        if points.is_none_or(|points| points > MAX_POINTS) {
            let found = points.map_or_else(|| "more than 10^19".to_owned(), |points| points.to_string());
            let mistake = Mistake::TooManyPoints { found, product, limit: MAX_POINTS };
            let hint = "split it into several sweeps, or sample its points with `sweep.random`".to_owned();
            self.walk.findings.push(Finding::key(KeyPath::of("sweep"), mistake).suggest(Some(hint)));
        }
    }

    /// The lists of a zip have the same length.
    fn rows(&mut self) {
        let table = KeyPath::of("sweep.zip");
        let lists = table.find(self.recipe).and_then(Value::as_object).into_iter().flatten();
        let mut first: Option<(&String, usize)> = None;
        for (key, values) in lists {
            let Some(length) = values.as_array().map(Vec::len) else { continue };
            match first {
                None => first = Some((key, length)),
                Some((other, expected)) if expected != length => {
                    let at = table.key(key);
                    let mistake =
                        Mistake::OutOfRange { key: at.to_string(), found: format!("{length} values") };
                    let expected = format!("{expected} values, as for `{other}`");
                    self.walk.findings.push(Finding::value(at, mistake).expect(expected));
                }
                Some(_) => {}
            }
        }
    }
}

/// Maximum number of points of a sweep. Planning ten thousand points of a small recipe takes half a gigabyte and some
/// seconds.
pub(crate) const MAX_POINTS: u64 = 10_000;

/// The number of points of a sweep, from the lengths of its lists, and the product as text. `None` if it exceeds 64
/// bits.
fn count(recipe: &Value) -> (Option<u64>, String) {
    let lengths = |table: &str| {
        let table = KeyPath::of(table).find(recipe).and_then(Value::as_object);
        let length = |(key, values): (&String, &Value)| Some((key.clone(), values.as_array()?.len() as u64));
        table.into_iter().flatten().filter_map(length).collect::<Vec<_>>()
    };
    let list = |key: &str| KeyPath::of(key).find(recipe).and_then(Value::as_array);
    let mut factors = lengths("sweep.grid");
    let mut seeds: HashSet<String> =
        list("sweep.seeds").into_iter().flatten().map(Value::to_string).collect();
    if let Some(place) = factors.iter().position(|(key, _)| key == "seed") {
        factors.remove(place);
        let given = KeyPath::of("sweep.grid").key("seed");
        let given = given.find(recipe).and_then(Value::as_array);
        seeds.extend(given.into_iter().flatten().map(Value::to_string));
    }
    factors.extend(lengths("sweep.zip").into_iter().map(|(_, length)| ("zip".to_owned(), length)).max());
    let random = KeyPath::of("sweep.random.count").find(recipe).and_then(Value::as_u64);
    factors.extend(random.map(|count| ("random".to_owned(), count)));
    let orders = KeyPath::of("sweep.orders").find(recipe).and_then(Value::as_object);
    factors.push(("orders".to_owned(), orders.map_or(0, |orders| orders.len() as u64)));
    factors.push(("seeds".to_owned(), seeds.len() as u64));
    factors.retain(|(_, length)| *length > 0);
    let points = factors.iter().try_fold(1u64, |all, (_, length)| all.checked_mul(*length));
    let product = factors.iter().map(|(key, length)| format!("{length} of `{key}`")).collect::<Vec<_>>();
    (points, product.join(" × "))
}

/// A drawn number as a JSON value.
pub(crate) fn drawn(number: f64, integer: bool) -> Value {
    if integer { Value::from(number.round() as i64) } else { Value::from(number) }
}

fn unknown(key: &str, at: KeyPath, recipe: &Value) -> Finding {
    let mut keys: Vec<String> = all_keys().iter().map(KeyPath::to_string).collect();
    for table in ["routing.router", "routing.merge", "rehearsal.selector"].map(KeyPath::of) {
        let settings = table.find(recipe).and_then(Value::as_object);
        keys.extend(settings.into_iter().flatten().map(|(setting, _)| table.key(setting).to_string()));
    }
    keys.retain(|known| known != key && !known.starts_with("sweep"));
    let parts: Vec<&str> = key.split('.').collect();
    let last = parts.last().copied().unwrap_or(key);
    let settings = || keys.iter().find(|known| known.rsplit('.').next() == Some(last)).cloned();
    let near = reordered(&parts)
        .or_else(|| nearest(key, keys.iter().map(String::as_str)).map(str::to_owned))
        .or_else(settings)
        .map(|key| did_you_mean(&key));
    let finding = Finding::key(at, Mistake::SweepKey { key: key.to_owned() });
    if lookup(&KeyPath::of(key)).is_some() { finding } else { finding.suggest(near) }
}
