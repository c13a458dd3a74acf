//! Needs against sums by hand and against what was measured.

use cadre_recipe::Recipe;
use serde_json::json;

use super::{bytes, machine_memory, need};
use crate::fixture::Fixture;

/// A recipe on one of the shapes that `lora-train` measures.
fn recipe(architecture: serde_json::Value, vocabulary: u32, device: serde_json::Value) -> Recipe {
    let fixture = Fixture::new();
    let mut value = fixture.recipe();
    value["device"] = device;
    value["backbone"] = json!({ "pretrain": {
        "architecture": architecture,
        "tokenizer": { "train-bpe": vocabulary },
        "corpus": [{ "format": "jsonl", "path": fixture.at("data"), "tasks": ["a"] }],
        "training": { "steps": 1, "batch": 1, "max-prompt": 8, "max-response": 8, "micro-batch": 1 },
    } });
    value["expert"]["training"] =
        json!({ "steps": 1, "batch": 8, "max-prompt": 125, "max-response": 0, "micro-batch": 4 });
    value["expert"]["adapter"] = json!({ "kind": "lora", "rank": 8, "alpha": 16.0, "dropout": 0.0, "targets": ["q", "k", "v", "o", "gate", "up", "down"] });
    serde_json::from_value(value).unwrap()
}

fn smol() -> serde_json::Value {
    json!({ "family": "llama", "hidden": 576, "layers": 30, "heads": 9, "kv-heads": 3, "feed-forward": 1536, "context": 2048, "tied": true, "rope-theta": 1e4 })
}

fn frozen(recipe: &mut Recipe, folder: &std::path::Path) {
    let shape = super::pretrained(recipe.backbone.pretrain.as_ref().unwrap()).unwrap();
    std::fs::write(folder.join("config.json"), shape.config_json()).unwrap();
    recipe.backbone.pretrain = None;
    recipe.backbone.checkpoint = Some(folder.to_owned());
}

#[test]
fn the_need_is_near_what_was_measured() {
    // Two workers, each four rows of 128 tokens, SmolLM-135M's shape, f32: docs/results.md, "Memory".
    let device = |checkpointing: bool| json!({ "backend": "cpu", "precision": "f32", "threads": 2, "gradient-checkpointing": checkpointing });
    let folder = tempfile::tempdir().unwrap();
    for (checkpointing, measured) in [(false, 1_540e6), (true, 771e6)] {
        let mut recipe = recipe(smol(), 49_152, device(checkpointing));
        frozen(&mut recipe, folder.path());
        let found = need(&recipe).unwrap().about as f64;
        assert!((0.85..1.5).contains(&(found / measured)), "{found:e} for {measured:e}");
    }
}

#[test]
fn weights_and_what_is_trained_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let device = |precision: &str| json!({ "backend": "cpu", "precision": precision, "threads": 1 });
    let mut plain = recipe(smol(), 49_152, device("f32"));
    let pretraining = need(&plain).unwrap();
    // Weight, gradient and two moments of 134,515,008 weights.
    assert_eq!(pretraining.least, 134_515_008 * 16);
    frozen(&mut plain, folder.path());
    let full = need(&plain).unwrap();
    // Rank 8 over all seven projections of 30 layers: 2,442,240 weights; no indicator tokens are counted twice.
    let rows = if plain.indicator.is_some() { 4 * 576 } else { 0 };
    assert_eq!(full.least, 134_515_008 * 4 + (2_442_240 + rows) * 16);
    let mut half = recipe(smol(), 49_152, device("bf16"));
    frozen(&mut half, folder.path());
    let saved = full.least - need(&half).unwrap().least;
    // The norms' 61 vectors of 576 stay.
    assert_eq!(saved, (134_515_008 - 61 * 576) * 2);
}

#[test]
fn memory_and_its_words() {
    assert!(machine_memory().unwrap() > 1 << 28);
    assert_eq!([0, 999, 1_540_000_000, 26_900_000_000].map(bytes), ["0 B", "999 B", "1.5 GB", "27 GB"]);
}

#[test]
fn the_weights_of_every_kind_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let device = json!({ "backend": "cpu", "precision": "f32", "threads": 1 });
    let mut recipe = recipe(smol(), 49_152, device);
    frozen(&mut recipe, folder.path());
    let trained = |adapter: serde_json::Value| {
        let mut recipe = recipe.clone();
        recipe.expert.as_mut().unwrap().adapter = serde_json::from_value(adapter).unwrap();
        let found = need(&recipe).unwrap();
        // Without the four rows of the indicator's tokens.
        ((found.least - 134_515_008 * 4) / 16 - 4 * 576, found.about)
    };
    // 30 layers: queries [576, 576], values [192, 576], down [576, 1536].
    let (lora, about) = trained(json!({ "kind": "lora", "rank": 4, "targets": ["q", "v"] }));
    assert_eq!(lora, 30 * 4 * (576 + 576 + 192 + 576));
    let (dora, more) = trained(json!({ "kind": "dora", "rank": 4, "targets": ["q", "v"] }));
    assert_eq!(dora, lora + 30 * (576 + 192));
    assert!(more > about);
    let (ia3, _) = trained(json!({ "kind": "ia3", "targets": ["v", "down"] }));
    assert_eq!(ia3, 30 * (192 + 1536));
    let (sparse, dense) = trained(json!({ "kind": "sparse-delta", "density": 0.01, "targets": ["q"] }));
    assert_eq!(sparse, 30 * 3318);
    assert!(dense > about + 29 * 576 * 576 * 4);
}
