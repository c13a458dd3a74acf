//! Tests of configurations of every family: how they are interpreted and what is refused.

use std::path::Path;

use serde_json::{Value, json};

use super::config;
use crate::shape::BackboneShape;
use crate::variation::{Activation, LayerKind, RopeScaling};

fn windowed(shape: &BackboneShape) -> Vec<usize> {
    (0..shape.layers).filter(|layer| shape.layer_kind(*layer).windowed).collect()
}

#[test]
fn families_differ_as_their_configurations_specify() {
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
    let without_rope = LayerKind { windowed: false, uses_rope: false };
    assert_eq!((smol.tied, smol.layer_kind(3), smol.layer_kind(4)), (true, without_rope, LayerKind::PLAIN));
    assert_eq!(config(&json!({ "model_type": "smollm3" })).unwrap().layer_kind(3), without_rope);

    let gemma = json!({ "model_type": "gemma3_text", "sliding_window": 8, "head_dim": 8, "query_pre_attn_scalar": 16,
        "rope_scaling": { "factor": 8.0, "rope_type": "linear" } });
    let gemma = config(&gemma).unwrap();
    assert_eq!((windowed(&gemma), gemma.variation.activation), (vec![0, 1, 2, 3, 4], Activation::GeluTanh));
    assert_eq!((gemma.variation.score_scale, gemma.variation.window_rope_theta), (Some(0.25), Some(1e4)));
    assert_eq!(gemma.frequencies(false)[0], 0.125);
    assert_eq!(gemma.frequencies(true)[0], 1.0);
}

#[test]
fn unsupported_settings_that_change_the_computation_are_named() {
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
    // Null, false and neutral values have no effect.
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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for (name, count) in counts {
        assert_eq!(
            BackboneShape::read(&folder.join(format!("{name}.json"))).unwrap().parameters(),
            count,
            "{name}"
        );
    }
}
