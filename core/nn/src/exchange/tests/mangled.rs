//! Fuzz test: damaged files of a PEFT adapter are read or refused without a panic.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Number of cases per test: `CADRE_FUZZ_CASES`, or 100.
fn cases() -> u32 {
    std::env::var("CADRE_FUZZ_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(100)
}

/// Keys of `adapter_config.json` that are read or checked.
const KEYS: [&str; 16] = [
    "peft_type",
    "task_type",
    "r",
    "lora_alpha",
    "lora_dropout",
    "target_modules",
    "rank_pattern",
    "alpha_pattern",
    "use_rslora",
    "use_dora",
    "bias",
    "init_lora_weights",
    "layers_to_transform",
    "layers_pattern",
    "modules_to_save",
    "trainable_token_indices",
];

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0u64..40).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_.*(\\[]{0,12}".prop_map(Value::from),
        prop::collection::vec(0u64..90, 0..4).prop_map(Value::from),
        prop::collection::vec("[a-z_]{0,9}", 0..3).prop_map(Value::from),
        ("[a-z_.*(0-9]{0,12}", 0i64..9).prop_map(|(name, rank)| json!({ name: rank })),
    ]
}

/// A backbone and two valid adapters of it: one without added tokens and one with.
fn whole() -> (tempfile::TempDir, [std::path::PathBuf; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let out = [0, 2].map(|added| {
        let at = folder.path().join(added.to_string());
        let (backbone, expert) = model(&at, true, added);
        export_adapter(&backbone, &expert, &at.join("peft")).unwrap();
        at.join("peft")
    });
    out.iter().for_each(|adapter| drop(check_adapter(&shape(true), adapter).unwrap()));
    (folder, out)
}

#[test]
fn mangled_adapters_do_not_panic() {
    let (_folder, adapters) = whole();
    let read = |adapter: &Path| {
        let [config, weights] =
            [CONFIG, WEIGHTS].map(|name| (adapter.join(name), std::fs::read(adapter.join(name)).unwrap()));
        (config, weights)
    };
    let adapters: Vec<_> = adapters.iter().map(|adapter| (adapter, read(adapter))).collect();
    let bytes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    let changes = prop::collection::vec((prop::sample::select(KEYS.to_vec()), any_value()), 0..4);
    let cut = prop::option::of(any::<prop::sample::Index>());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) };
    proptest!(config, |(bytes in bytes, changes in changes, cut in cut, which in 0usize..2)| {
        let (adapter, ((config_at, config), (weights_at, weights))) = &adapters[which];
        let mut keys: Value = serde_json::from_slice(config).unwrap();
        for (key, value) in changes {
            keys[key] = value;
        }
        std::fs::write(config_at, keys.to_string()).unwrap();
        let mut mangled = weights.clone();
        // Damage goes to the header, which is a small part of the file.
        let head = 8 + u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
        for (place, byte) in bytes {
            let at = place.index(if byte % 4 == 0 { mangled.len() } else { head });
            mangled[at] = byte;
        }
        if let Some(cut) = cut {
            mangled.truncate(cut.index(mangled.len()));
        }
        std::fs::write(weights_at, &mangled).unwrap();
        let _ = check_adapter(&shape(true), adapter);
    });
}
