//! Fuzz tests: damaged files are read or refused without a panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{config, file_of};
use crate::tensor_files::TensorFiles;

/// Number of cases per test: `CADRE_FUZZ_CASES`, or 400.
fn cases() -> u32 {
    std::env::var("CADRE_FUZZ_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    /// A damaged weight file is read or refused without a panic.
    #[test]
    fn mangled_weight_files_do_not_panic(cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), length in any::<prop::sample::Index>(), cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let tensors = [("a", vec![2, 2]), ("b", vec![3])].map(|(name, shape)| {
            let count = shape.iter().product();
            (name.to_owned(), shape, vec![1.0; count])
        });
        let mut bytes = file_of(&tensors);
        for (place, byte) in cuts {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(length.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(files) = TensorFiles::of(vec![path]) {
            for name in files.names() {
                let shape = files.shape(name).unwrap().to_vec();
                let _ = files.values(name, &shape);
            }
        }
    }

    /// A configuration with any value under any supported key is read or refused without a panic.
    #[test]
    fn mangled_configurations_do_not_panic(
        kind in prop::sample::select(vec!["llama", "mistral", "qwen2", "qwen3", "smollm3", "gemma3_text"]),
        changes in prop::collection::vec((prop::sample::select(crate::family::READ.to_vec()), any_value()), 1..5),
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
