//! Import and export: an expert is exported as a PEFT adapter and as a full checkpoint, a checkpoint is used as a
//! backbone, and a damaged one is reported with its location.

use std::path::Path;

use cadre_tests::{Workbench, repository};
use serde_json::Value;

use super::backbone_folder::copy_backbone;
use super::report_file::{report, run_folder};

fn smoke(name: &str) -> String {
    repository().join("recipes/smoke").join(name).display().to_string()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Rewrites `config.json` or `tokenizer.json` with a change.
fn changed(path: &Path, change: impl Fn(&mut Value)) {
    let mut value = json(path);
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

#[test]
fn experts_are_exported_and_checkpoints_imported() {
    let bench = Workbench::new();
    bench.cadre(&["run", &smoke("see-tiny.toml"), "--quiet"]).expect_code(0);
    let id = run_folder(bench.path()).display().to_string();
    let task = report(bench.path())["tasks"][0].as_str().unwrap().to_owned();

    let outcome = bench.cadre(&["export", &id, "--expert", &task, "--to", "peft"]).expect_code(0);
    assert!(outcome.stderr.contains("resize_token_embeddings"), "{}", outcome.stderr);
    let peft = bench.path().join("peft");
    let config = json(&peft.join("adapter_config.json"));
    assert_eq!(config["peft_type"], "LORA");
    assert_eq!((&config["r"], &config["lora_alpha"]), (&Value::from(4), &Value::from(8.0)));
    assert_eq!(config["target_modules"], serde_json::json!(["q_proj", "v_proj"]));
    assert_eq!(config["trainable_token_indices"]["embed_tokens"].as_array().unwrap().len(), 2);
    for file in ["adapter_model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        assert!(peft.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    assert_eq!(json(&peft.join("cadre.json"))["indicator"]["accept"], "<accept>");
    bench
        .cadre(&["export", &id, "--expert", "nobody", "--to", "other"])
        .expect_code(2)
        .expect_told(&["nobody", &task]);
    assert!(!bench.path().join("other").exists());

    bench.cadre(&["export", &id, "--expert", &task, "--to", "merged", "--merged"]).expect_code(0);
    let merged = bench.path().join("merged");
    let shape = json(&merged.join("config.json"));
    assert_eq!(shape["tie_word_embeddings"], false, "added tokens have head rows of their own");
    let rows = json(&peft.join("adapter_config.json"))["trainable_token_indices"]["embed_tokens"][1].clone();
    assert_eq!(shape["vocab_size"].as_u64().unwrap(), rows.as_u64().unwrap() + 1);

    // The adapter is imported again as an expert, and gives the same answers.
    let recipe = format!(
        "name = \"imported\"\ninherit = [{:?}]\n[expert]\nimport = [{{ task = {task:?}, adapter = \"peft\" }}]\n",
        smoke("see-tiny.toml")
    );
    bench.write("imported.toml", &recipe);
    bench.cadre(&["run", "imported.toml", "--runs", "others", "--quiet"]).expect_code(0);
    let folder = std::fs::read_dir(bench.path().join("others")).unwrap().next().unwrap().unwrap().path();
    let (first, other) = (report(bench.path()), json(&folder.join("report.json")));
    assert_eq!(other["score-matrix"], first["score-matrix"]);
    assert_eq!(other["experts"][0]["parameters"], first["experts"][0]["parameters"]);
    assert_eq!(other["experts"][0]["training-examples"], 0);
    assert_eq!(other["experts"][1], first["experts"][1]);
    bench.write("wrong.toml", &recipe.replace(&format!("{task:?}"), "\"nobody\""));
    bench.cadre(&["plan", "wrong.toml"]).expect_code(2).expect_told(&[
        "import = [{ task = \"nobody\"",
        "the stream has no task `nobody`",
        &task,
    ]);
    bench.write("wrong.toml", &recipe.replace("\"peft\"", "\"nowhere\""));
    bench.cadre(&["plan", "wrong.toml"]).expect_code(2).expect_told(&["nowhere/adapter_config.json"]);

    // A folder in Hugging Face's layout can be a backbone.
    let second = Workbench::new();
    let set = format!("backbone.checkpoint={}", merged.display());
    let zero_shot = smoke("zero-shot-tiny.toml");
    let run = || second.cadre(&["run", &zero_shot, "--set", &set, "--quiet"]);
    run().expect_code(0);
    assert_eq!(report(second.path())["experts"].as_array().unwrap().len(), 0);

    let tokenizer = merged.join("tokenizer.json");
    let good = std::fs::read(&tokenizer).unwrap();
    changed(&tokenizer, |value| value["model"]["vocab"]["zzzzzz"] = 5000.into());
    // A token without a row is an error only if it occurs.
    run().expect_code(0);
    std::fs::write(&tokenizer, "{}").unwrap();
    run().expect_code(2).expect_told(&["tokenizer.json"]);
    std::fs::write(&tokenizer, good).unwrap();

    let weights = merged.join("model.safetensors");
    let good = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &good[..good.len() - 10]).unwrap();
    run().expect_code(2).expect_told(&["model.safetensors"]);
    std::fs::write(&weights, good).unwrap();

    changed(&merged.join("config.json"), |value| value["model_type"] = "mamba".into());
    run().expect_code(2).expect_told(&["config.json", "`mamba` is not supported", "llama, mistral"]);
}

/// A section of a recipe's text, from its header to the next one.
fn section(text: &str, head: &str) -> String {
    let from = &text[text.find(head).unwrap()..];
    let end = from[1..].find("\n[").map_or(from.len(), |end| end + 2);
    from[..end].to_owned()
}

#[test]
fn a_library_of_imported_adapters_needs_no_training() {
    let bench = Workbench::new();
    bench.cadre(&["run", &smoke("see-tiny.toml"), "--quiet"]).expect_code(0);
    let id = run_folder(bench.path()).display().to_string();
    let first = report(bench.path());
    let tasks: Vec<&str> =
        first["tasks"].as_array().unwrap().iter().map(|task| task.as_str().unwrap()).collect();
    let mut imports = Vec::new();
    for task in &tasks {
        bench.cadre(&["export", &id, "--expert", task, "--to", task]).expect_code(0);
        imports.push(format!("{{ task = {task:?}, adapter = {task:?} }}"));
    }
    copy_backbone(&bench.path().join("store"), &bench.path().join("model"));
    let stream = repository().join("recipes/base/smoke-stream.toml");
    let see = std::fs::read_to_string(smoke("see-tiny.toml")).unwrap();
    let sections: String = ["[indicator]", "[routing]"].map(|name| section(&see, name)).concat();
    let recipe = |imports: &str| {
        format!(
            "name = \"taken\"\ninherit = [{stream:?}]\n[backbone]\ncheckpoint = \"model\"\n\
             [expert]\nimport = [{imports}]\n{sections}"
        )
    };
    bench.write("taken.toml", &recipe(&imports.join(", ")));
    bench.cadre(&["run", "taken.toml", "--runs", "others", "--quiet"]).expect_code(0);
    let folder = std::fs::read_dir(bench.path().join("others")).unwrap().next().unwrap().unwrap().path();
    let other = json(&folder.join("report.json"));
    assert_eq!(other["score-matrix"], first["score-matrix"]);
    assert_eq!(other["cost"]["training-tokens"], 0);

    // An expert that is not imported must be trained, so its training length is required; an adapter of a different
    // shape is reported.
    bench.write("wrong.toml", &recipe(&imports[1..].join(", ")));
    bench.cadre(&["plan", "wrong.toml"]).expect_code(2).expect_told(&["epochs", tasks[0], "wrong.toml:6"]);
    changed(&bench.path().join(tasks[0]).join("adapter_config.json"), |value| value["r"] = 3.into());
    bench.cadre(&["plan", "taken.toml"]).expect_code(2).expect_told(&["rank", "taken.toml:6"]);
}
