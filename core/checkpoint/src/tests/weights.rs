//! Tests of weight files and their index: errors name the damaged file.

use std::path::Path;

use serde_json::json;

use super::file_of;
use crate::error::CheckpointError;
use crate::folder::CheckpointFolder;
use crate::inventory::weight_names;
use crate::shape::BackboneShape;
use crate::tensor_files::TensorFiles;
use crate::variation::Variation;

/// A small shape with an untied head.
fn small() -> BackboneShape {
    BackboneShape {
        vocabulary: 29,
        hidden: 24,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        feed_forward: 40,
        context: 96,
        tied: false,
        rope_theta: 1e4,
        norm_epsilon: 1e-6,
        variation: Variation::default(),
    }
}

/// Writes a model of the small shape to a folder, as one file or as shards.
fn written(folder: &Path, shards: usize) -> Vec<String> {
    let shape = small();
    let names = weight_names(&shape);
    std::fs::write(folder.join("config.json"), shape.config_json()).unwrap();
    let mut parts = vec![Vec::new(); shards];
    let mut map = serde_json::Map::new();
    for (number, (name, sizes)) in names.iter().enumerate() {
        let count: usize = sizes.iter().product();
        let values = (0..count).map(|at| ((number * 31 + at) as f32 * 0.7).sin() * 0.1).collect();
        let shard = number * shards / names.len();
        parts[shard].push((name.clone(), sizes.clone(), values));
        map.insert(name.clone(), json!(file_name(shard, shards)));
    }
    for (shard, part) in parts.iter().enumerate() {
        let path = folder.join(file_name(shard, shards));
        std::fs::write(&path, file_of(part)).unwrap();
    }
    if shards > 1 {
        let index = json!({ "metadata": {}, "weight_map": map });
        std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    }
    names.into_iter().map(|(name, _)| name).collect()
}

fn file_name(shard: usize, shards: usize) -> String {
    match shards {
        1 => "model.safetensors".to_owned(),
        _ => format!("model-{:05}-of-{shards:05}.safetensors", shard + 1),
    }
}

fn refusal(folder: &Path) -> String {
    let error = CheckpointFolder::open(folder).expect_err("a damaged checkpoint");
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    format!("{error}: {cause}")
}

#[test]
fn damaged_weights_are_located() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 1);
    let file = folder.path().join("model.safetensors");
    let good = std::fs::read(&file).unwrap();
    let with = |bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        refusal(folder.path())
    };
    assert!(with(&good[..good.len() - 100]).contains("model.safetensors"), "truncated");
    assert!(with(&[&good[..], &[0; 8]].concat()).contains("model.safetensors"), "oversized");
    assert!(with(b"").contains("model.safetensors"), "empty");
    let mut lying = good.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(with(&lying).contains("model.safetensors"), "a header of 2^64 bytes");
    let text = String::from_utf8_lossy(&good[8..]).into_owned();
    let at = 8 + text.find("[29,24]").unwrap();
    let mut lying = good.clone();
    lying[at..at + 7].copy_from_slice(b"[29,25]");
    assert!(with(&lying).contains("model.safetensors"), "a shape that its bytes do not have");
    let mut lying = good.clone();
    lying[at..at + 7].copy_from_slice(b"[24,29]");
    let error = with(&lying);
    assert!(error.contains("[24, 29]") && error.contains("[29, 24]"), "{error}");
    let name = 8 + text.find("layers.1.mlp.up_proj").unwrap();
    let mut renamed = good.clone();
    renamed[name..name + 8].copy_from_slice(b"layers.7");
    let error = with(&renamed);
    assert!(error.contains("has no tensor `model.layers.1.mlp.up_proj.weight`"), "{error}");
    let config = folder.path().join("config.json");
    let keys = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, keys.replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1")).unwrap();
    let error = with(&good);
    assert!(error.contains("`model.layers.1.") && error.contains("no place"), "{error}");
    std::fs::write(&config, keys).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(refusal(folder.path()).contains("model.safetensors"));
}

#[test]
fn index_and_shards_fit_or_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let names = written(folder.path(), 3);
    let index = folder.path().join("model.safetensors.index.json");
    let good = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, good.replace("model-00002-of", "model-00009-of")).unwrap();
    assert!(refusal(folder.path()).contains("shard `model-00009-of-00003.safetensors` is missing"));
    std::fs::write(&index, good.replace("model-00002-of-00003", "../elsewhere")).unwrap();
    assert!(refusal(folder.path()).contains("no safetensors file of this folder"));
    std::fs::write(&index, good.replace("model-00002-of", "model-00001-of")).unwrap();
    assert!(refusal(folder.path()).contains("the index does not name it"));
    std::fs::write(&index, good.replace(&names[1], "model.elsewhere")).unwrap();
    assert!(refusal(folder.path()).contains("no tensor `model.elsewhere`"));
    std::fs::write(&index, "{}").unwrap();
    assert!(refusal(folder.path()).contains("weight_map"));
    std::fs::write(&index, &good).unwrap();
    std::fs::remove_file(folder.path().join("model-00003-of-00003.safetensors")).unwrap();
    assert!(refusal(folder.path()).contains("`model-00003-of-00003.safetensors` is missing"));
}

#[test]
fn half_precision_is_read_as_it_is() {
    use safetensors::tensor::{Dtype, TensorView};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let values = [1.5f32, -2.0, 0.25, 1e-3, 65504.0, -7.0];
    let f16s: Vec<u8> = values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect();
    let bf16s: Vec<u8> = values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect();
    let views = [
        ("a", TensorView::new(Dtype::F16, vec![2, 3], &f16s).unwrap()),
        ("b", TensorView::new(Dtype::BF16, vec![6], &bf16s).unwrap()),
        ("c", TensorView::new(Dtype::I16, vec![6], &bf16s).unwrap()),
    ];
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let files = TensorFiles::open(folder.path()).unwrap();
    let exact = |round: fn(f32) -> f32| values.map(round).to_vec();
    assert_eq!(files.values("a", &[2, 3]).unwrap(), exact(|v| half::f16::from_f32(v).to_f32()));
    assert_eq!(files.values("b", &[6]).unwrap(), exact(|v| half::bf16::from_f32(v).to_f32()));
    assert_eq!(files.bf16_values("b", &[6]).unwrap(), values.map(half::bf16::from_f32).to_vec());
    assert!(matches!(files.values("c", &[6]), Err(CheckpointError::TensorType { .. })));
}

/// A small checkpoint whose configuration ties the head, with a head computed from the embedding.
fn tied(head: impl Fn(&[f32]) -> Option<Vec<f32>>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shape = BackboneShape { tied: true, ..small() };
    std::fs::write(folder.path().join("config.json"), shape.config_json()).unwrap();
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for (number, (name, sizes)) in weight_names(&shape).into_iter().enumerate() {
        let count: usize = sizes.iter().product();
        let values = (0..count).map(|at| ((number * 31 + at) as f32 * 0.7).sin() * 0.1).collect();
        tensors.push((name, sizes, values));
    }
    if let Some(values) = head(&tensors[0].2) {
        let rows = values.len() / shape.hidden;
        tensors.push(("lm_head.weight".to_owned(), vec![rows, shape.hidden], values));
    }
    std::fs::write(folder.path().join("model.safetensors"), file_of(&tensors)).unwrap();
    folder
}

#[test]
fn a_head_that_differs_is_used_though_the_configuration_ties_it() {
    let opened = |folder: &tempfile::TempDir| CheckpointFolder::open(folder.path()).unwrap();
    for same in [tied(|_| None), tied(|embedding| Some(embedding.to_vec()))] {
        let checkpoint = opened(&same);
        assert!(checkpoint.shape.tied && checkpoint.remarks.is_empty(), "{:?}", checkpoint.remarks);
    }
    let folder = tied(|embedding| {
        let mut head = embedding.to_vec();
        *head.last_mut().unwrap() += 0.5;
        Some(head)
    });
    let checkpoint = opened(&folder);
    assert!(!checkpoint.shape.tied && !BackboneShape::of_folder(folder.path()).unwrap().tied);
    assert!(checkpoint.remarks[0].contains("`lm_head.weight` that differs"), "{:?}", checkpoint.remarks);
    // A head with other sizes is refused, tied or not.
    let error = refusal(tied(|embedding| Some(embedding[24..].to_vec())).path());
    assert!(error.contains("lm_head.weight") && error.contains("[28, 24]"), "{error}");
}

#[test]
fn an_untied_checkpoint_without_a_head_is_refused() {
    let folder = tied(|_| None);
    std::fs::write(folder.path().join("config.json"), small().config_json()).unwrap();
    assert!(refusal(folder.path()).contains("no tensor `lm_head.weight`"));
}

#[test]
fn unsupported_number_types_are_reported_from_the_header() {
    let folder = tied(|_| None);
    let file = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(3).position(|window| window == b"F32").unwrap();
    bytes[at..at + 3].copy_from_slice(b"I32");
    std::fs::write(&file, &bytes).unwrap();
    let error = refusal(folder.path());
    assert!(
        error.contains("model.safetensors") && error.contains("I32") && error.contains("bf16"),
        "{error}"
    );
}

#[test]
fn ignored_weights_are_reported() {
    let folder = tied(|_| None);
    for name in ["consolidated.safetensors", "model-00001-of-00002.safetensors", "adapter_config.json"] {
        std::fs::write(folder.path().join(name), b"{}").unwrap();
    }
    let remarks = CheckpointFolder::open(folder.path()).unwrap().remarks.join("\n");
    assert!(remarks.contains("consolidated.safetensors, model-00001-of-00002.safetensors"), "{remarks}");
    assert!(remarks.contains("PEFT adapter"), "{remarks}");
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    std::fs::write(folder.path().join("pytorch_model.bin"), b"").unwrap();
    let error = refusal(folder.path());
    assert!(error.contains("no model.safetensors") && error.contains("pytorch_model.bin"), "{error}");
}
