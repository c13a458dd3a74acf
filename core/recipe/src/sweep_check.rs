//! A sweep's keys and values against the recipe they are put into. It never runs a point.

use serde_json::Value;

use crate::expectation::{did_you_mean, nearest};
use crate::key_path::{KeyPath, Step};
use crate::mistake::Mistake;
use crate::schema::{all_keys, lookup};
use crate::validate::{Finding, Walk};

/// Keys of a grid that no recipe has, and values that their keys do not take.
pub(crate) fn find(recipe: &Value) -> Vec<Finding> {
    let grid = KeyPath::of("sweep.grid");
    let mut walk = Walk::default();
    for (key, values) in grid.find(recipe).and_then(Value::as_object).into_iter().flatten() {
        let at = grid.key(key);
        let target = KeyPath(key.split('.').map(|part| Step::Key(part.to_owned())).collect());
        let own = matches!(target.0.first(), Some(Step::Key(first)) if ["sweep", "name", "inherit"].contains(&first.as_str()));
        match lookup(&target).filter(|_| !own) {
            None => walk.findings.push(unknown(key, at, recipe)),
            Some(node) => {
                let Some(values) = values.as_array() else {
                    continue;
                };
                for (place, value) in values.iter().enumerate() {
                    walk.check(node, value, &at.place(place));
                }
                if values.is_empty() {
                    let mistake =
                        Mistake::OutOfRange { key: at.to_string(), found: "an empty list".to_owned() };
                    walk.findings.push(Finding::value(at, mistake).expect("a list of at least one value"));
                }
            }
        }
    }
    walk.findings
}

fn unknown(key: &str, at: KeyPath, recipe: &Value) -> Finding {
    let mut keys: Vec<String> = all_keys().iter().map(KeyPath::to_string).collect();
    for table in ["routing.router", "rehearsal.selector"].map(KeyPath::of) {
        let settings = table.find(recipe).and_then(Value::as_object);
        keys.extend(settings.into_iter().flatten().map(|(setting, _)| table.key(setting).to_string()));
    }
    keys.retain(|known| known != key && !known.starts_with("sweep"));
    let last = key.rsplit('.').next().unwrap_or(key);
    let same_end = || keys.iter().map(String::as_str).find(|known| known.rsplit('.').next() == Some(last));
    let near = nearest(key, keys.iter().map(String::as_str)).or_else(same_end).map(did_you_mean);
    let finding = Finding::key(at, Mistake::SweepKey { key: key.to_owned() });
    if lookup(&KeyPath::of(key)).is_some() { finding } else { finding.suggest(near) }
}
