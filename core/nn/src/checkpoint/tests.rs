//! Configurations and weight files, good and damaged. Nothing is downloaded.

use std::path::Path;

use burn::tensor::DType;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::NnError;
use crate::fixture::{device, shape};
use crate::learner::Learner;
use crate::variation::{Activation, LayerKind, RopeScaling};
use crate::weights::{self, Weight, WeightMap, download};

fn config(changes: &Value) -> Result<crate::BackboneShape, NnError> {
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
    read_config(&path)
}

fn windowed(shape: &crate::BackboneShape) -> Vec<usize> {
    (0..shape.layers).filter(|layer| shape.layer_kind(*layer).windowed).collect()
}

#[test]
fn families_differ_where_their_configurations_say() {
    let llama = config(&json!({ "rope_theta": 5e5, "rope_scaling": { "rope_type": "llama3", "factor": 32.0,
        "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192 } }))
    .unwrap();
    let scaling = RopeScaling::Llama3 { factor: 32.0, low: 1.0, high: 4.0, original_context: 8192.0 };
    assert_eq!((llama.rope_theta, llama.variation.rope_scaling), (5e5, scaling));
    let newer =
        config(&json!({ "rope_parameters": { "rope_type": "linear", "factor": 2.0, "rope_theta": 7.0 } }));
    assert_eq!(newer.unwrap().rope_theta, 7.0);

    let mistral = config(&json!({ "model_type": "mistral", "sliding_window": 8, "head_dim": 8 })).unwrap();
    assert_eq!((mistral.variation.window, windowed(&mistral).len()), (Some(8), 6));
    assert_eq!((mistral.head_width(), mistral.query_width()), (8, 32));
    let open = config(&json!({ "model_type": "mistral", "sliding_window": null })).unwrap();
    assert_eq!(windowed(&open), [0usize; 0]);

    let qwen =
        config(&json!({ "model_type": "qwen2", "sliding_window": 8, "max_window_layers": 4 })).unwrap();
    assert!(qwen.variation.qkv_bias && !qwen.variation.output_bias && windowed(&qwen).is_empty());
    let late = json!({ "model_type": "qwen2", "sliding_window": 8, "max_window_layers": 4, "use_sliding_window": true });
    assert_eq!(windowed(&config(&late).unwrap()), [4, 5]);
    let qwen3 = config(&json!({ "model_type": "qwen3" })).unwrap();
    assert!(qwen3.variation.head_norms && !qwen3.variation.qkv_bias);
    assert_eq!((qwen3.head_width(), qwen3.kv_heads), (128, 2));

    let smol = config(&json!({ "model_type": "smollm3", "no_rope_layers": [1, 1, 1, 0, 1, 1] })).unwrap();
    let unturned = LayerKind { windowed: false, turned: false };
    assert_eq!((smol.tied, smol.layer_kind(3), smol.layer_kind(4)), (true, unturned, LayerKind::PLAIN));
    assert_eq!(config(&json!({ "model_type": "smollm3" })).unwrap().layer_kind(3), unturned);

    let gemma = json!({ "model_type": "gemma3_text", "sliding_window": 8, "head_dim": 8, "query_pre_attn_scalar": 16,
        "rope_scaling": { "factor": 8.0, "rope_type": "linear" } });
    let gemma = config(&gemma).unwrap();
    assert_eq!((windowed(&gemma), gemma.variation.activation), (vec![0, 1, 2, 3, 4], Activation::GeluTanh));
    assert_eq!((gemma.variation.score_scale, gemma.variation.window_rope_theta), (Some(0.25), Some(1e4)));
    assert_eq!(gemma.frequencies(false)[0], 0.125);
    assert_eq!(gemma.frequencies(true)[0], 1.0);
}

#[test]
fn what_changes_the_computation_and_is_not_done_is_named() {
    let refused = |changes: Value, part: &str| {
        let error = config(&changes).expect_err(part).to_string();
        assert!(error.contains("config.json") && error.contains(part), "{error}");
    };
    refused(json!({ "model_type": "mamba" }), "`mamba` is not supported; known are llama, mistral");
    refused(json!({ "hidden_act": "gelu" }), "`hidden_act` = \"gelu\"");
    refused(json!({ "quantization_config": { "bits": 4 } }), "`quantization_config`");
    refused(json!({ "final_logit_softcapping": 30.0 }), "`final_logit_softcapping` = 30.0");
    refused(json!({ "partial_rotary_factor": 0.5 }), "`partial_rotary_factor` = 0.5");
    refused(
        json!({ "rope_scaling": { "rope_type": "yarn", "factor": 4.0 } }),
        "`rope_scaling` = {\"rope_type\":\"yarn\"",
    );
    refused(json!({ "rope_scaling": { "type": "linear" } }), "above 0");
    refused(json!({ "layer_types": vec!["sliding_attention"; 6] }), "`layer_types`");
    refused(json!({ "layer_types": ["full_attention"] }), "for each layer");
    refused(json!({ "hidden_size": "24" }), "`hidden_size` = \"24\"; expected a whole number");
    refused(json!({ "vocab_size": null }), "`vocab_size` = null");
    refused(json!({ "num_hidden_layers": 1u64 << 40 }), "`num_hidden_layers`");
    assert!(config(&json!({ "num_attention_heads": 5 })).is_err());
    // What is null, false or neutral changes nothing.
    let neutral = json!({ "quantization_config": null, "partial_rotary_factor": 1.0, "attention_bias": false,
        "rope_scaling": null, "pretraining_tp": 2, "unheard_of": 3 });
    assert_eq!(config(&neutral).unwrap(), config(&json!({})).unwrap());
}

#[test]
fn real_configurations_have_as_many_weights_as_their_models() {
    let counts: [(&str, u64); 9] = [
        ("llama-2-7b", 6_738_415_616),
        ("llama-3.2-1b", 1_235_814_400),
        ("mistral-7b-v0.1", 7_241_732_096),
        ("qwen2.5-0.5b", 494_032_768),
        ("deepseek-r1-distill-qwen-32b", 32_763_876_352),
        ("qwen3-0.6b", 596_049_920),
        ("smollm2-135m", 134_515_008),
        ("smollm3-3b", 3_075_098_624),
        ("gemma-3-1b", 999_885_952),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/config");
    for (name, count) in counts {
        assert_eq!(read_config(&folder.join(format!("{name}.json"))).unwrap().parameters(), count, "{name}");
    }
}

/// Writes a model of the test shape into a folder, as one file or as shards.
fn written(folder: &Path, shards: usize) -> Vec<String> {
    let shape = shape(false);
    let names = crate::backbone::Backbone::names(&shape);
    std::fs::write(folder.join("config.json"), shape.config_json()).unwrap();
    let mut parts = vec![WeightMap::new(); shards];
    let mut map = serde_json::Map::new();
    for (number, (name, sizes)) in names.iter().enumerate() {
        let count: usize = sizes.iter().product();
        let values = (0..count).map(|at| ((number * 31 + at) as f32 * 0.7).sin() * 0.1).collect();
        let shard = number * shards / names.len();
        parts[shard].insert(name.clone(), Weight { shape: sizes.clone(), values });
        map.insert(name.clone(), json!(file_name(shard, shards)));
    }
    for (shard, part) in parts.iter().enumerate() {
        let path = folder.join(file_name(shard, shards));
        std::fs::write(&path, weights::bytes(part, &path).unwrap()).unwrap();
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
    Learner::open(folder, &device(1)).expect_err("a damaged checkpoint").to_string()
}

#[test]
fn shards_are_the_same_model_as_one_file() {
    let (one, many) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    written(one.path(), 1);
    written(many.path(), 3);
    let open = |folder: &Path| Learner::open(folder, &device(1)).unwrap();
    let values = |learner: &Learner| -> Vec<Vec<f32>> {
        learner.model.backbone.tensors().into_iter().map(|tensor| download(tensor).unwrap()).collect()
    };
    assert_eq!(values(&open(one.path())), values(&open(many.path())));
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
    assert!(refusal(folder.path()).contains("shard `model-00009-of-00003.safetensors` is not there"));
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
    assert!(refusal(folder.path()).contains("`model-00003-of-00003.safetensors` is not there"));
}

/// Warnings of one call, as text.
fn warnings(work: impl FnOnce()) -> String {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_weight_that_is_no_number_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 1);
    let file = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&file, bytes).unwrap();
    let said = warnings(|| drop(Learner::open(folder.path(), &device(1)).unwrap()));
    assert!(said.contains("model.norm.weight") && said.contains("not finite"), "{said}");
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
    let device = device(1).open().unwrap();
    let tensor = files.tensor("b", &[6], &device, DType::BF16).unwrap();
    assert_eq!((tensor.dims(), tensor.dtype()), ([1, 6], DType::BF16));
    assert!(matches!(files.values("c", &[6]), Err(NnError::TensorType { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Whatever is done to a weight file, it is read or refused, and nothing panics.
    #[test]
    fn mangled_weight_files_do_not_panic(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), length in any::<prop::sample::Index>(), cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let weights = WeightMap::from([
            ("a".to_owned(), Weight { shape: vec![2, 2], values: vec![1.0; 4] }),
            ("b".to_owned(), Weight { shape: vec![3], values: vec![1.0; 3] }),
        ]);
        let mut bytes = weights::bytes(&weights, &path).unwrap();
        for (place, byte) in cuts {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(length.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        let _ = weights::read(&path);
    }

    /// So with configurations: any value under any key that is read.
    #[test]
    fn mangled_configurations_do_not_panic(
        kind in prop::sample::select(vec!["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma3_text"]),
        changes in prop::collection::vec((prop::sample::select(super::family::READ.to_vec()), any_value()), 1..5),
    ) {
        let mut keys = json!({ "model_type": kind });
        for (key, value) in changes {
            keys[key] = value;
        }
        let _ = config(&keys);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..40).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_]{0,12}".prop_map(Value::from),
        Just(json!({ "rope_type": "llama3", "factor": 0.0 })),
        Just(json!({ "full_attention": { "rope_type": "linear", "factor": 2 }, "sliding_attention": 3 })),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,8}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
