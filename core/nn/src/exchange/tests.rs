//! Experts out and in, against what PEFT wrote and computed, and damage. Fixtures are made by
//! `tests/parity/record_adapters.py`.

mod mangled;

use std::path::Path;

use super::*;
use crate::adapter::{Adapter, AdapterSpec};
use crate::error::NnError;
use crate::fixture::{ALL, adapter, device, shaken, shape};
use crate::learner::Learner;
use crate::weights;
use cadre_checkpoint::CheckpointError;

/// A backbone of the test shape and an expert on it, each in a folder.
fn model(folder: &Path, tied: bool, added: usize) -> (std::path::PathBuf, std::path::PathBuf) {
    let (backbone, expert) = (folder.join("backbone"), folder.join("expert"));
    let shape = shape(tied);
    let learner = Learner::untrained(&shape, 3, &device(1)).unwrap();
    shaken(&expert, &learner, &adapter(&ALL, added, 0.1), 5);
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
fn what_goes_out_comes_in_as_it_was() {
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

/// What an imported adapter is refused for, after a change of its configuration.
fn refusal(change: impl Fn(&mut serde_json::Value), part: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, expert) = model(folder.path(), false, 0);
    let out = folder.path().join("peft");
    export_adapter(&backbone, &expert, &out).unwrap();
    let path = out.join("adapter_config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(&path, config.to_string()).unwrap();
    let error = import_adapter(&backbone, &out, &folder.path().join("back")).expect_err(part).to_string();
    assert!(error.contains("adapter_config.json") && error.contains(part), "{error}");
    assert!(!folder.path().join("back").exists(), "nothing is written");
}

#[test]
fn adapters_of_other_kinds_are_refused_by_name() {
    refusal(|config| config["peft_type"] = "IA3".into(), "`peft_type` = \"IA3\"");
    refusal(|config| config["use_dora"] = true.into(), "`use_dora` = true");
    refusal(|config| config["bias"] = "all".into(), "`bias` = \"all\"");
    refusal(|config| config["init_lora_weights"] = "pissa_niter_4".into(), "`init_lora_weights`");
    refusal(|config| config["modules_to_save"] = serde_json::json!(["lm_head"]), "`modules_to_save`");
    refusal(|config| config["r"] = 4.into(), "rank 3, the configuration says 4");
    refusal(|config| config["rank_pattern"] = serde_json::json!({ "(": 3 }), "rank_pattern");
    refusal(|config| config["r"] = "eight".into(), "invalid type");
}

#[test]
fn adapters_of_other_backbones_are_refused_by_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let (backbone, expert) = model(folder.path(), false, 0);
    let out = folder.path().join("peft");
    export_adapter(&backbone, &expert, &out).unwrap();
    let config = backbone.join("config.json");
    let good = std::fs::read_to_string(&config).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from));
        std::fs::write(&config, good.replace(from, to)).unwrap();
        import_adapter(&backbone, &out, &folder.path().join("back")).unwrap_err()
    };
    let error = with("\"intermediate_size\": 40", "\"intermediate_size\": 48");
    assert!(
        error.to_string().contains("mlp.")
            && matches!(error, NnError::Checkpoint(CheckpointError::TensorShape { .. })),
        "{error}"
    );
    let error = with("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    assert!(
        error.to_string().contains("layers.1.")
            && matches!(error, NnError::Checkpoint(CheckpointError::ExtraTensor { .. })),
        "{error}"
    );
    let weights = out.join("adapter_model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 4]).unwrap();
    assert!(matches!(with("silu", "silu"), NnError::Checkpoint(CheckpointError::Weights { .. })));
    let mut poisoned = bytes.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::INFINITY.to_le_bytes());
    std::fs::write(&weights, &poisoned).unwrap();
    assert!(matches!(with("silu", "silu"), NnError::NotFinite { .. }));
}
