//! An inconsistent checkpoint is refused with the file and the tensor; an intact one runs.

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

/// Both planning programs report the error at the recipe's line, before anything runs.
fn refused(bench: &Workbench, messages: &[&str]) {
    for program in ["cadre", "cadre-plan"] {
        let output = bench.command(program, &["plan", "given.toml"]).output().unwrap();
        Outcome::of(&output).expect_code(2).expect_told(&["given.toml:4"]).expect_told(messages);
    }
    run(bench).expect_code(2).expect_told(messages);
    assert!(!bench.path().join("store").exists());
}

/// Modifies the configuration.
fn configure(bench: &Workbench, change: impl Fn(&mut Value)) {
    let path = bench.path().join("model/config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(path, config.to_string()).unwrap();
}

/// Modifies the header of the weights file: names, types, shapes and offsets of its tensors.
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
fn an_intact_checkpoint_runs() {
    let bench = bench_with_model();
    run(&bench).expect_code(0);
}

#[test]
fn a_folder_without_a_configuration_is_reported_before_anything_runs() {
    let bench = bench_with_model();
    std::fs::remove_file(bench.path().join("model/config.json")).unwrap();
    refused(&bench, &["config.json"]);
}

#[test]
fn an_unsupported_family_is_reported_before_anything_runs() {
    let bench = bench_with_model();
    configure(&bench, |config| config["model_type"] = json!("gpt2"));
    refused(&bench, &["model_type", "gpt2"]);
}

#[test]
fn an_unexpected_tensor_is_named() {
    let bench = bench_with_model();
    configure(&bench, |config| config["num_hidden_layers"] = json!(1));
    refused(&bench, &["model.layers.1.", "no place"]);
}

#[test]
fn a_missing_tensor_is_named() {
    let bench = bench_with_model();
    rehead(&bench, |head| {
        let norm = head.remove("model.norm.weight").unwrap();
        head.insert("model.norn.weight".to_owned(), norm);
    });
    refused(&bench, &["model.norm.weight", "model.safetensors"]);
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let bench = bench_with_model();
    rehead(&bench, |head| head["model.norm.weight"]["shape"] = json!([2, 16]));
    refused(&bench, &["model.norm.weight", "[2, 16]", "[32]"]);
}

#[test]
fn a_truncated_file_is_named() {
    let bench = bench_with_model();
    let path = bench.path().join("model/model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    refused(&bench, &["model.safetensors"]);
}

#[test]
fn data_show_distinguishes_template_text_from_learned_text() {
    let bench = bench_with_model();
    let template = "{% for message in messages %}[{{ message.role }}] {{ message.content }} [end]{% endfor %}\
                    {% if add_generation_prompt %}[assistant] {% endif %}";
    let path = bench.path().join("model/tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["chat_template"] = template.into();
    std::fs::write(path, config.to_string()).unwrap();
    let see = repository().join("recipes/smoke/see-tiny.toml");
    let recipe = format!(
        "name = \"talks\"\ninherit = [{see:?}]\n[backbone]\ncheckpoint = \"model\"\n[stream]\ntemplate = \"chat\"\n"
    );
    bench.write("talks.toml", &recipe);
    let rows = bench.cadre(&["data", "show", "talks.toml", "-n", "2", "--json"]).expect_code(0);
    let mut own = 0;
    for line in rows.stdout.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let part = |learned: bool| -> String {
            let texts = row["text"].as_array().unwrap().iter().zip(row["learned"].as_array().unwrap());
            texts.filter(|(_, of)| **of == learned).map(|(text, _)| text.as_str().unwrap()).collect()
        };
        let (given, learned) = (part(false), part(true));
        assert!(given.contains("[user]") && given.contains("[assistant]"), "{given}");
        assert!(!learned.contains("[user]") && !learned.contains("[assistant]"), "{learned}");
        if row["as"] == "own" {
            own += 1;
            assert!(learned.starts_with("<accept>") && learned.len() > "<accept>".len(), "{learned}");
        }
    }
    assert!(own > 0, "{}", rows.stdout);
    // On a terminal, brackets and colours show the same.
    let mut command = bench.command("cadre", &["data", "show", "talks.toml", "-n", "1"]);
    command.env("CLICOLOR_FORCE", "1");
    let shown = Outcome::of(&command.output().unwrap()).expect_code(0).stdout;
    assert!(shown.contains('\x1b'), "{shown}");
    let plain = bench.cadre(&["data", "show", "talks.toml", "-n", "1"]).expect_code(0).stdout;
    let row = plain.lines().find(|line| line.contains("⟦<accept>")).unwrap_or_else(|| panic!("{plain}"));
    let (before, _) = row.split_once("⟦<accept>").unwrap();
    assert!(before.replace('│', "").contains("[assistant]"), "{row}");
}
