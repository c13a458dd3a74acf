//! Tests of export and import against files and results recorded from PEFT, and of damaged files.
//! `tests/parity/record_adapters.py` makes the fixtures.

mod mangled;

use std::path::Path;

use super::*;
use crate::adapter::{Adapter, AdapterKind, AdapterSpec};
use crate::error::NnError;
use crate::fixture::{ALL, adapter, device, kinds, shaken, shape};
use crate::learner::Learner;
use crate::weights;
use cadre_checkpoint::{BackboneShape, CheckpointError};

/// A backbone of the test shape and a LoRA expert on it, each in its own folder.
fn model(folder: &Path, tied: bool, added: usize) -> (std::path::PathBuf, std::path::PathBuf) {
    model_of(folder, tied, &adapter(&ALL, added, 0.1))
}

/// A backbone of the test shape and an expert on it, each in its own folder.
fn model_of(folder: &Path, tied: bool, spec: &AdapterSpec) -> (std::path::PathBuf, std::path::PathBuf) {
    let (backbone, expert) = (folder.join("backbone"), folder.join("expert"));
    let shape = shape(tied);
    let learner = Learner::untrained(&shape, 3, &device(1)).unwrap();
    shaken(&expert, &learner, spec, 5);
    let names = cadre_checkpoint::weight_names(&shape).into_iter();
    let map = names
        .zip(learner.model.backbone.tensors())
        .map(|((name, sizes), tensor)| {
            (name, weights::Weight { shape: sizes, values: weights::download(tensor).unwrap() })
        })
        .collect();
    std::fs::create_dir_all(&backbone).unwrap();
    let path = backbone.join("model.safetensors");
    std::fs::write(&path, weights::bytes(&map, &path).unwrap()).unwrap();
    std::fs::write(backbone.join("config.json"), shape.config_json()).unwrap();
    (backbone, expert)
}

#[test]
fn an_exported_expert_is_imported_unchanged() {
    for (tied, added) in [(false, 0), (false, 1), (true, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let (backbone, expert) = model(folder.path(), tied, added);
        let (out, back) = (folder.path().join("peft"), folder.path().join("back"));
        assert_eq!(export_adapter(&backbone, &expert, &out).unwrap(), added);
        let imported = import_adapter(&backbone, &out, &back).unwrap();
        let read = |at: &Path| Adapter::read(at, &shape(tied)).unwrap();
        let (before, after) = (read(&expert), read(&back));
        assert_eq!(before.weights, after.weights);
        assert_eq!(after.spec, AdapterSpec { seed: 0, ..before.spec });
        assert_eq!(imported.spec, after.spec);
    }
}

#[test]
fn experts_of_kinds_that_peft_has_are_imported_unchanged() {
    for spec in kinds(0) {
        let folder = tempfile::tempdir().unwrap();
        let (backbone, expert) = model_of(folder.path(), false, &spec);
        let (out, back) = (folder.path().join("peft"), folder.path().join("back"));
        let exported = export_adapter(&backbone, &expert, &out);
        if matches!(spec.kind, AdapterKind::Delta | AdapterKind::SparseDelta) {
            assert!(matches!(exported, Err(NnError::NoPeftForm { .. })));
            continue;
        }
        exported.unwrap();
        let imported = import_adapter(&backbone, &out, &back).unwrap();
        let read = |at: &Path| Adapter::read(at, &shape(false)).unwrap();
        assert_eq!(read(&expert).weights, read(&back).weights);
        assert_eq!(imported.spec.kind, spec.kind);
    }
}

#[test]
fn settings_that_contradict_the_weights_of_a_kind_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, expert) = model_of(folder.path(), false, &kinds(0)[1]);
    let out = folder.path().join("peft");
    export_adapter(&backbone, &expert, &out).unwrap();
    for modules in [serde_json::json!(null), serde_json::json!(["down_proj", "up_proj"])] {
        changed(&out, |config| config["feedforward_modules"] = modules.clone());
        let error = check_adapter(&shape(false), &out).unwrap_err().to_string();
        assert!(error.contains("adapter_config.json") && error.contains("feedforward_modules"), "{error}");
    }
    changed(&out, |config| config["feedforward_modules"] = r".*\.down_proj".into());
    check_adapter(&shape(false), &out).unwrap();
    let (_, lora) = exported(&folder.path().join("lora"));
    changed(&lora, |config| config["use_dora"] = true.into());
    let error = check_adapter(&shape(false), &lora).unwrap_err().to_string();
    assert!(
        error.contains("adapter_model.safetensors") && error.contains("lora_magnitude_vector"),
        "{error}"
    );
    changed(&out, |config| config["r"] = 3.into());
    let error = check_adapter(&shape(false), &out).unwrap_err().to_string();
    assert!(error.contains("key `r` = 3"), "{error}");
}

#[test]
fn a_backbone_merged_with_any_kind_answers_as_the_expert() {
    use crate::generation::{Answerer, Row};
    for spec in kinds(0) {
        let folder = tempfile::tempdir().unwrap();
        let (backbone, expert) = model_of(folder.path(), false, &spec);
        let merged = folder.path().join("merged");
        export_merged(&backbone, &expert, &merged).unwrap();
        let tokens: Vec<u32> = (0..29).collect();
        let ask = |learner: &Learner, answerer| {
            let row = Row { ids: vec![1, 2, 3, 28], answerer };
            learner.next_token_probabilities(&[row], &tokens, 1, &mut |_| crate::Flow::Go).unwrap()
        };
        let plain = Learner::open(&backbone, &device(1)).unwrap();
        let slot = plain.mount(&expert).unwrap();
        let theirs = ask(&plain, Answerer::Expert(slot));
        let ours = ask(&Learner::open(&merged, &device(1)).unwrap(), Answerer::Backbone);
        for (a, b) in ours[0].iter().zip(&theirs[0]) {
            assert!((a - b).abs() < 3e-6, "{:?}: {a} {b}", spec.kind);
        }
    }
}

#[test]
fn one_token_of_a_tied_backbone_has_no_form() {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, expert) = model(folder.path(), true, 1);
    let error = export_adapter(&backbone, &expert, &folder.path().join("peft")).unwrap_err();
    assert!(matches!(error, NnError::NoPeftForm { .. }), "{error}");
}

#[test]
fn a_merged_backbone_answers_as_the_expert() {
    use crate::generation::{Answerer, Row};
    for (tied, added) in [(false, 0), (true, 2)] {
        let folder = tempfile::tempdir().unwrap();
        let (backbone, expert) = model(folder.path(), tied, added);
        let merged = folder.path().join("merged");
        export_merged(&backbone, &expert, &merged).unwrap();
        let ids = match added {
            0 => vec![1, 2, 3, 28],
            _ => vec![1, 29, 3, 30],
        };
        let tokens: Vec<u32> = (0..29 + added as u32).collect();
        let ask = |learner: &Learner, answerer| {
            let row = Row { ids: ids.clone(), answerer };
            learner.next_token_probabilities(&[row], &tokens, 1, &mut |_| crate::Flow::Go).unwrap()
        };
        let plain = Learner::open(&backbone, &device(1)).unwrap();
        let slot = plain.mount(&expert).unwrap();
        let theirs = ask(&plain, Answerer::Expert(slot));
        let ours = ask(&Learner::open(&merged, &device(1)).unwrap(), Answerer::Backbone);
        for (a, b) in ours[0].iter().zip(&theirs[0]) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        assert!(!merged.join(".model.safetensors.part").exists());
    }
}

/// Asserts that an adapter is refused with a message containing `part` after a change to its configuration.
fn refusal(change: impl Fn(&mut serde_json::Value), part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, expert) = model(folder.path(), false, 0);
    let out = folder.path().join("peft");
    export_adapter(&backbone, &expert, &out).unwrap();
    let path = out.join("adapter_config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(&path, config.to_string()).unwrap();
    let refused = import_adapter(&backbone, &out, &folder.path().join("back"));
    let error = cadre_store::chain(&refused.expect_err(part));
    assert!(error.contains("adapter_config.json") && error.contains(part), "{error}");
    assert!(!folder.path().join("back").exists(), "nothing is written");
}

#[test]
fn adapters_of_other_kinds_are_refused_by_name() {
    refusal(|config| config["peft_type"] = "VERA".into(), "`peft_type` = \"VERA\"");
    refusal(|config| config["peft_type"] = "IA3".into(), "key `");
    refusal(|config| config["feedforward_modules"] = serde_json::json!(["down_proj"]), "feedforward_modules");
    refusal(|config| config["bias"] = "all".into(), "`bias` = \"all\"");
    refusal(|config| config["init_lora_weights"] = "pissa_niter_4".into(), "`init_lora_weights`");
    refusal(|config| config["modules_to_save"] = serde_json::json!(["lm_head"]), "`modules_to_save`");
    refusal(|config| config["r"] = 4.into(), "rank 3, but its configuration gives 4");
    refusal(|config| config["rank_pattern"] = serde_json::json!({ "(": 3 }), "rank_pattern");
    refusal(|config| config["r"] = "eight".into(), "invalid type");
    refusal(|config| config["lora_bias"] = true.into(), "`lora_bias` = true");
    refusal(|config| config["layer_replication"] = serde_json::json!([[0, 1]]), "`layer_replication`");
    refusal(|config| config["alora_invocation_tokens"] = serde_json::json!([3]), "`alora_invocation_tokens`");
    refusal(|config| config["target_parameters"] = serde_json::json!(["w"]), "`target_parameters`");
    refusal(|config| config["init_lora_weights"] = "of_next_year".into(), "of_next_year");
}

#[test]
fn an_unknown_key_is_refused_unless_it_is_neutral() {
    refusal(|config| config["use_twice"] = true.into(), "key `use_twice` = true is not known");
    refusal(|config| config["scale_of_next_year"] = 2.0.into(), "key `scale_of_next_year` = 2.0");
    let folder = tempfile::tempdir().unwrap();
    let (_, out) = exported(folder.path());
    let of_peft = serde_json::json!({
        "use_twice": false, "of_next_year": null, "another": {}, "peft_version": "0.18.0", "revision": "main",
        "eva_config": { "rho": 2.0 }, "megatron_core": "megatron.core", "qalora_group_size": 16,
        "init_lora_weights": "gaussian", "exclude_modules": null, "auto_mapping": null,
    });
    changed(&out, |config| config.as_object_mut().unwrap().extend(of_peft.as_object().unwrap().clone()));
    assert!(check_adapter(&shape(false), &out).unwrap().remarks.is_empty());
}

/// A backbone and one of its adapters in PEFT's format.
fn exported(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (backbone, expert) = model(folder, false, 0);
    let out = folder.join("peft");
    export_adapter(&backbone, &expert, &out).unwrap();
    (backbone, out)
}

fn changed(adapter: &Path, change: impl Fn(&mut serde_json::Value)) {
    let path = adapter.join("adapter_config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(&path, config.to_string()).unwrap();
}

#[test]
fn the_modules_of_configuration_and_weights_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (_, out) = exported(folder.path());
    let check = |modules: serde_json::Value| {
        changed(&out, |config| config["target_modules"] = modules.clone());
        check_adapter(&shape(false), &out)
    };
    let refused = |modules| check(modules).unwrap_err().to_string();
    let error = refused(serde_json::json!(["query_key_value"]));
    assert!(error.contains("adapter_config.json") && error.contains("q_proj, k_proj"), "{error}");
    let error = refused(serde_json::json!(["q_proj"]));
    assert!(error.contains("adapter_model.safetensors") && error.contains("does not select"), "{error}");
    let all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
    assert!(check(serde_json::json!(all)).unwrap().remarks.is_empty());
    assert!(check("all-linear".into()).unwrap().remarks.is_empty());
    let more = [&all[..], &["w1", "c_attn"]].concat();
    assert!(check(serde_json::json!(more)).unwrap().remarks[0].contains("w1, c_attn"));
    assert!(check(serde_json::Value::Null).unwrap().remarks[0].contains("target_modules"));
    let path = out.join(WEIGHTS);
    let mut map = weights::read(&path).unwrap();
    map.retain(|name, _| !name.contains("layers.1.mlp.up_proj"));
    std::fs::write(&path, weights::bytes(&map, &path).unwrap()).unwrap();
    let error = refused(serde_json::json!(all));
    assert!(error.contains("no update of `model.layers.1.mlp.up_proj`"), "{error}");
}

#[test]
fn a_tensor_that_nothing_reads_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, out) = exported(folder.path());
    let with = |path: &Path, name: &str| {
        let good = std::fs::read(path).unwrap();
        let mut map = weights::read(path).unwrap();
        map.insert(name.into(), weights::Weight { shape: vec![2, 24], values: vec![0.5; 48] });
        std::fs::write(path, weights::bytes(&map, path).unwrap()).unwrap();
        let error =
            check_adapter(&shape(false), &out).map(drop).and(Learner::open(&backbone, &device(1)).map(drop));
        let error = error.and(Adapter::read(&folder.path().join("expert"), &shape(false)).map(drop));
        std::fs::write(path, good).unwrap();
        let error = error.expect_err(name).to_string();
        assert!(error.contains(&path.display().to_string()) && error.contains(name), "{error}");
    };
    // Rows of tokens that the configuration does not list.
    with(&out.join(WEIGHTS), &format!("{PREFIX}model.{EMBEDDING}.{TOKENS}"));
    with(&out.join(WEIGHTS), "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector");
    with(&backbone.join("model.safetensors"), "model.layers.0.self_attn.q_proj.extra");
    with(&folder.path().join("expert/adapter.safetensors"), "base_model.model.model.layers.9.lora_A.weight");
}

#[test]
fn a_merged_backbone_keeps_a_head_that_its_configuration_calls_tied() {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, expert) = model(folder.path(), false, 0);
    let config = backbone.join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("\"tie_word_embeddings\": false"));
    std::fs::write(&config, text.replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true"))
        .unwrap();
    let merged = folder.path().join("merged");
    export_merged(&backbone, &expert, &merged).unwrap();
    let head =
        |folder: &Path| weights::read(&folder.join("model.safetensors")).unwrap()["lm_head.weight"].clone();
    assert_eq!(head(&merged), head(&backbone));
    assert!(!BackboneShape::read(&merged.join("config.json")).unwrap().tied);
    assert!(!Learner::open(&backbone, &device(1)).unwrap().shape().tied);
}

#[test]
fn adapters_of_other_backbones_are_refused_by_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, expert) = model(folder.path(), false, 0);
    let out = folder.path().join("peft");
    export_adapter(&backbone, &expert, &out).unwrap();
    let with = |changed: BackboneShape| check_adapter(&changed, &out).unwrap_err();
    let error = with(BackboneShape { feed_forward: 48, ..shape(false) });
    assert!(
        error.to_string().contains("mlp.")
            && matches!(error, NnError::Checkpoint(CheckpointError::TensorShape { .. })),
        "{error}"
    );
    let error = with(BackboneShape { layers: 1, ..shape(false) });
    assert!(
        error.to_string().contains("layers.1.")
            && matches!(error, NnError::Checkpoint(CheckpointError::ExtraTensor { .. })),
        "{error}"
    );
    let weights = out.join("adapter_model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 4]).unwrap();
    assert!(matches!(with(shape(false)), NnError::Checkpoint(CheckpointError::Weights { .. })));
    let mut poisoned = bytes.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    std::fs::write(&weights, &poisoned).unwrap();
    assert!(matches!(with(shape(false)), NnError::NotFinite { .. }));
}
