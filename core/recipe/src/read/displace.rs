//! Removes keys of lower layers that a higher layer replaces: a recipe that sets `steps` over an inherited `epochs`
//! means steps, not both. Keys of the same layer must stay, so that contradictions in it are reported.

use serde_json::Value;

use crate::read::key_path::KeyPath;
use crate::read::layer::{Layer, LayerKind, Node};

/// Keys of a table that exclude each other; the one of the highest layer stays.
const ALTERNATIVES: &[(&str, &[&str])] = &[
    ("backbone", &["checkpoint", "pretrain"]),
    ("backbone.pretrain.tokenizer", &["train-bpe", "file"]),
    ("backbone.pretrain.training", &["epochs", "steps"]),
    ("expert.training", &["epochs", "steps"]),
    ("rehearsal.selector", &["share", "count"]),
    ("routing", &["router", "merge"]),
];

/// Tables whose keys depend on the value of a `tag` key, with the keys that do not depend on it and stay.
const OWNED: &[(&str, &str, &[&str])] = &[
    ("routing.router", "plugin", &[]),
    ("routing.merge", "plugin", &[]),
    ("rehearsal.selector", "plugin", &["share", "count"]),
    ("rehearsal.pseudo-negatives", "format", &["count", "limit"]),
    ("evaluation.out-of-distribution", "format", &["limit"]),
    ("stream", "format", &["limits", "template", "seed"]),
];

/// Removes displaced keys from the layers, which are ordered lowest first. All variables count as one layer, and all
/// `--set` options as another: of two alternatives in the same layer, neither overrides the other.
pub(crate) fn displace(layers: &mut [Layer]) {
    for top in 1..layers.len() {
        let kind = layers[top].source.kind.clone();
        let same = layers[..top]
            .iter()
            .rev()
            .take_while(|layer| layer.source.kind == kind && !matches!(kind, LayerKind::File { .. }));
        let end = top - same.count();
        let (lower, higher) = layers.split_at_mut(top);
        let lower = &mut lower[..end];
        for (table, keys) in ALTERNATIVES {
            alternatives(lower, &higher[0], &KeyPath::of(table), keys);
        }
        for (table, tag, kept) in OWNED {
            owned(lower, &higher[0], &KeyPath::of(table), tag, kept);
        }
    }
}

fn alternatives(lower: &mut [Layer], higher: &Layer, table: &KeyPath, keys: &[&str]) {
    let given: Vec<&str> =
        keys.iter().copied().filter(|key| higher.find(&table.key(key)).is_some()).collect();
    if !given.is_empty() {
        lower.iter_mut().for_each(|layer| {
            layer.retain(table, |key| !keys.contains(&key) || given.contains(&key));
        });
    }
}

fn owned(lower: &mut [Layer], higher: &Layer, table: &KeyPath, tag: &str, kept: &[&str]) {
    let path = table.key(tag);
    let tag_of = |layer: &Layer| match layer.find(&path).map(|located| &located.node) {
        Some(Node::Leaf(Value::String(name))) => Some(name.clone()),
        _ => None,
    };
    let Some(named) = tag_of(higher) else { return };
    let before = lower.iter().rev().find_map(tag_of);
    if before.is_none_or(|before| before == named) {
        return;
    }
    lower.iter_mut().for_each(|layer| layer.retain(table, |key| kept.contains(&key)));
}
