//! A checkpoint that is not what it says is refused, with the file and the tensor; a whole one runs.

use cadre_tests::{Outcome, Workbench, repository};
use serde_json::{Value, json};

use super::backbone_folder::copy_backbone;

/// A workbench with a small checkpoint in `model`: the backbone that a smoke recipe pretrains.
fn bench_with_model() -> Workbench {
    let bench = Workbench::new();
    let smoke = repository().join("recipes/smoke/zero-shot-tiny.toml").display().to_string();
    bench.cadre(&["run", &smoke, "--quiet", "--store", "made", "--runs", "made-runs"]).expect_code(0);
    copy_backbone(&bench.path().join("made"), &bench.path().join("model"));
    let fragment = repository().join("recipes/base/smoke-stream.toml");
    let recipe = format!("name = \"given\"\ninherit = [{fragment:?}]\n[backbone]\ncheckpoint = \"model\"\n");
    bench.write("given.toml", &recipe);
    bench
}

fn run(bench: &Workbench) -> Outcome {
    bench.cadre(&["run", "given.toml", "--quiet"])
}

/// Told at the recipe's line, before anything runs, by both programs that plan.
fn refused(bench: &Workbench, told: &[&str]) {
    for program in ["cadre", "cadre-plan"] {
        let output = bench.command(program, &["plan", "given.toml"]).output().unwrap();
        Outcome::of(&output).expect_code(2).expect_told(&["given.toml:4"]).expect_told(told);
    }
    run(bench).expect_code(2).expect_told(told);
    assert!(!bench.path().join("store").exists());
}

/// Changes the configuration.
fn configure(bench: &Workbench, change: impl Fn(&mut Value)) {
    let path = bench.path().join("model/config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(path, config.to_string()).unwrap();
}

/// Changes the head of the weights' file: names, types, shapes and places of its tensors.
fn rehead(bench: &Workbench, change: impl Fn(&mut serde_json::Map<String, Value>)) {
    let path = bench.path().join("model/model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let mut head: serde_json::Map<String, Value> = serde_json::from_slice(&rest[..length]).unwrap();
    change(&mut head);
    let mut text = Value::Object(head).to_string();
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    let mut changed = (text.len() as u64).to_le_bytes().to_vec();
    changed.extend(text.as_bytes());
    changed.extend(&rest[length..]);
    std::fs::write(path, changed).unwrap();
}

#[test]
fn a_whole_checkpoint_runs() {
    let bench = bench_with_model();
    run(&bench).expect_code(0);
}

#[test]
fn a_folder_without_a_configuration_is_told_before_anything_runs() {
    let bench = bench_with_model();
    std::fs::remove_file(bench.path().join("model/config.json")).unwrap();
    refused(&bench, &["config.json"]);
}

#[test]
fn a_family_that_is_not_supported_is_told_before_anything_runs() {
    let bench = bench_with_model();
    configure(&bench, |config| config["model_type"] = json!("gpt2"));
    refused(&bench, &["model_type", "gpt2"]);
}

#[test]
fn a_tensor_without_a_place_is_named() {
    let bench = bench_with_model();
    configure(&bench, |config| config["num_hidden_layers"] = json!(1));
    refused(&bench, &["model.layers.1.", "no place"]);
}

#[test]
fn a_tensor_that_is_missing_is_named() {
    let bench = bench_with_model();
    rehead(&bench, |head| {
        let norm = head.remove("model.norm.weight").unwrap();
        head.insert("model.norn.weight".to_owned(), norm);
    });
    refused(&bench, &["model.norm.weight", "model.safetensors"]);
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both() {
    let bench = bench_with_model();
    rehead(&bench, |head| head["model.norm.weight"]["shape"] = json!([2, 16]));
    refused(&bench, &["model.norm.weight", "[2, 16]", "[32]"]);
}

#[test]
fn a_file_that_was_cut_short_is_named() {
    let bench = bench_with_model();
    let path = bench.path().join("model/model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    refused(&bench, &["model.safetensors"]);
}
