//! Tests of configurations and weight files, valid and damaged.

mod configurations;
mod mangled;
mod weights;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::error::CheckpointError;
use crate::shape::BackboneShape;

/// Reads the configuration of a small Llama with some keys changed.
fn config(changes: &Value) -> Result<BackboneShape, CheckpointError> {
    let mut keys = json!({
        "model_type": "llama", "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 6,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 29, "max_position_embeddings": 96,
    });
    for (key, value) in changes.as_object().unwrap() {
        keys[key] = value.clone();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, keys.to_string()).unwrap();
    BackboneShape::read(&path)
}

/// The bytes of a file of f32 tensors.
fn file_of(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let raw: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&raw).map(|((name, shape, _), data)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), data).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}
