//! Exports an expert as a PEFT adapter: `adapter_config.json` and `adapter_model.safetensors`, with the rows of its
//! added tokens as trainable tokens. Must not change any weight.

use std::path::Path;

use cadre_checkpoint::{BackboneShape, CheckpointError, TARGETS};
use cadre_store::write_atomic;
use serde_json::json;

use super::{CONFIG, EMBEDDING, HEAD, PREFIX, TOKENS, WEIGHTS};
use crate::adapter::{ADDED_EMBEDDING, ADDED_HEAD, Adapter, AdapterKind, Scaling, kind, on_input, places};
use crate::error::NnError;
use crate::weights::{self, Weight, WeightMap};

/// Writes the expert in the folder `expert`, trained on the backbone in the folder `backbone`, to `to`, in the format
/// that `PeftModel.from_pretrained` reads. Returns the number of added tokens.
///
/// Added tokens have the ids after the backbone's rows. Before loading the adapter, the model must be resized to that
/// many rows (`model.resize_token_embeddings`). If the backbone's head is tied to its embedding, the two tables list
/// their tokens in different orders, which tells PEFT not to tie them.
///
/// # Errors
/// Missing or damaged files, an expert of another backbone, a single added token on a tied backbone, or a file that
/// cannot be written.
pub fn export_adapter(backbone: &Path, expert: &Path, to: &Path) -> Result<usize, NnError> {
    let shape = BackboneShape::of_folder(backbone)?;
    let Adapter { spec, mut weights, .. } = Adapter::read(expert, &shape)?;
    let Some(form) = kind(spec.kind).peft() else {
        return Err(NnError::NoPeftForm {
            path: expert.into(),
            problem: "PEFT has no adapter of this kind: export the merged backbone",
        });
    };
    if spec.kind == AdapterKind::Ia3 && spec.added_tokens > 0 {
        return Err(NnError::NoPeftForm {
            path: expert.into(),
            problem: "PEFT's IA3 cannot hold added tokens: export the merged backbone",
        });
    }
    for place in places(&spec, &shape) {
        for (tensor, sizes) in kind(spec.kind).trained(&spec, place) {
            if let Some(weight) = weights.get_mut(&place.site.name(tensor)) {
                weight.shape = (form.shape)(place, tensor, &sizes);
            }
        }
    }
    let added = spec.added_tokens;
    if added == 1 && shape.tied {
        return Err(NnError::NoPeftForm {
            path: expert.into(),
            problem: "PEFT cannot hold one added token whose head row is not its embedding row",
        });
    }
    let ids: Vec<usize> = (shape.vocabulary..shape.vocabulary + added).collect();
    let mut head_ids = ids.clone();
    let mut tokens = serde_json::Value::Null;
    if added > 0 {
        let mut take = |name: &str| weights.remove(name).ok_or_else(|| missing(expert, name));
        let embedding = take(ADDED_EMBEDDING)?;
        let mut head = take(ADDED_HEAD)?;
        if shape.tied {
            head_ids.reverse();
            let rows: Vec<&[f32]> = head.values.chunks_exact(shape.hidden).rev().collect();
            head = Weight { values: rows.concat(), ..head };
        }
        weights.insert(format!("{PREFIX}model.{EMBEDDING}.{TOKENS}"), embedding);
        weights.insert(format!("{PREFIX}{HEAD}.{TOKENS}"), head);
        tokens = json!({ EMBEDDING: ids, HEAD: head_ids });
    }
    let targets = TARGETS.iter().filter(|entry| spec.targets.contains(&entry.target));
    let last = |module: &'static str| module.rsplit('.').next().unwrap_or(module);
    let mut config = json!({
        "peft_type": form.peft_type,
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": backbone.to_string_lossy(),
        "target_modules": targets.map(|entry| last(entry.module)).collect::<Vec<_>>(),
        "modules_to_save": null,
        "fan_in_fan_out": false,
        "inference_mode": true,
    });
    let own = if spec.kind == AdapterKind::Ia3 {
        let inputs =
            TARGETS.iter().filter(|entry| spec.targets.contains(&entry.target) && on_input(entry.target));
        json!({ "feedforward_modules": inputs.map(|entry| last(entry.module)).collect::<Vec<_>>() })
    } else {
        json!({
            "r": spec.rank,
            "lora_alpha": spec.alpha,
            "lora_dropout": spec.dropout,
            "trainable_token_indices": tokens,
            "rank_pattern": {},
            "alpha_pattern": {},
            "layers_to_transform": null,
            "layers_pattern": null,
            "bias": "none",
            "init_lora_weights": true,
            "use_dora": form.use_dora,
            "use_rslora": spec.scaling == Scaling::RootRank,
        })
    };
    if let (Some(config), serde_json::Value::Object(own)) = (config.as_object_mut(), own) {
        config.extend(own);
    }
    write(to, &weights, &config)?;
    Ok(added)
}

/// Writes both files, the weights first.
fn write(to: &Path, weights: &WeightMap, config: &serde_json::Value) -> Result<(), NnError> {
    std::fs::create_dir_all(to).map_err(|source| CheckpointError::File { path: to.into(), source })?;
    let path = to.join(WEIGHTS);
    write_atomic(&path, &weights::bytes(weights, &path)?)?;
    Ok(write_atomic(&to.join(CONFIG), format!("{config:#}\n").as_bytes())?)
}

fn missing(expert: &Path, name: &str) -> NnError {
    CheckpointError::MissingTensor { path: expert.into(), name: name.into() }.into()
}
