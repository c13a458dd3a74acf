//! The table of model families: how to interpret a `config.json`, and the defaults of missing keys (those of Hugging
//! Face's configuration classes).

use crate::variation::Activation;

/// When a projection has a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bias {
    Never,
    Always,
    /// If this key is true.
    Key(&'static str),
}

/// Which layers use windowed attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Windows {
    /// None.
    Never,
    /// All, if `sliding_window` is a number.
    All,
    /// With `use_sliding_window`: those given by `layer_types`, or else those from `max_window_layers` on.
    Late,
    /// With `use_sliding_window`: those given by `layer_types`, or else those without rotary embedding.
    WithoutRope,
    /// Those given by `layer_types`, or else all except every `sliding_window_pattern`-th.
    Pattern,
}

/// A model family.
#[derive(Debug)]
pub(crate) struct Family {
    /// `model_type` in the configuration.
    pub(crate) model_type: &'static str,
    /// The papers that describe it.
    #[cfg_attr(not(test), expect(dead_code, reason = "documentation, checked by a test"))]
    pub(crate) reference: &'static str,
    pub(crate) qkv_bias: Bias,
    pub(crate) output_bias: Bias,
    pub(crate) feed_forward_bias: Bias,
    /// Whether queries and keys are normalised per head.
    pub(crate) head_norms: bool,
    /// Gemma's differences: norms after the blocks; norm weights stored minus 1; embedding scaled by the square root of
    /// its width; scores scaled by `query_pre_attn_scalar`; a separate rotary base in windowed layers.
    pub(crate) gemma: bool,
    pub(crate) windows: Windows,
    /// Whether some layers may have no rotary embedding (`no_rope_layers`).
    pub(crate) may_skip_rope: bool,
    pub(crate) activation_key: &'static str,
    pub(crate) activation: (&'static str, Activation),
    /// Defaults of missing keys (this field and the following ones).
    pub(crate) kv_heads: Option<usize>,
    pub(crate) head_width: Option<usize>,
    pub(crate) context: usize,
    pub(crate) tied: bool,
    pub(crate) rope_theta: f64,
    pub(crate) window: Option<usize>,
}

/// A plain Llama; the other families are defined by their differences from it.
const LLAMA: Family = Family {
    model_type: "llama",
    reference: "arXiv 2302.13971, 2307.09288, 2407.21783; SmolLM and SmolLM2 (arXiv 2502.02737)",
    qkv_bias: Bias::Key("attention_bias"),
    output_bias: Bias::Key("attention_bias"),
    feed_forward_bias: Bias::Key("mlp_bias"),
    head_norms: false,
    gemma: false,
    windows: Windows::Never,
    may_skip_rope: false,
    activation_key: "hidden_act",
    activation: ("silu", Activation::Silu),
    kv_heads: None,
    head_width: None,
    context: 2048,
    tied: false,
    rope_theta: 10_000.0,
    window: None,
};

/// All supported families.
pub(crate) const FAMILIES: &[Family] = &[
    LLAMA,
    Family {
        model_type: "mistral",
        reference: "arXiv 2310.06825",
        qkv_bias: Bias::Never,
        output_bias: Bias::Never,
        feed_forward_bias: Bias::Never,
        windows: Windows::All,
        kv_heads: Some(8),
        context: 131_072,
        window: Some(4096),
        ..LLAMA
    },
    Family {
        model_type: "qwen2",
        reference: "arXiv 2407.10671, 2412.15115",
        qkv_bias: Bias::Always,
        output_bias: Bias::Never,
        feed_forward_bias: Bias::Never,
        windows: Windows::Late,
        kv_heads: Some(32),
        context: 32_768,
        window: Some(4096),
        ..LLAMA
    },
    Family {
        model_type: "qwen3",
        reference: "arXiv 2505.09388",
        feed_forward_bias: Bias::Never,
        head_norms: true,
        windows: Windows::Late,
        kv_heads: Some(32),
        head_width: Some(128),
        context: 32_768,
        window: Some(4096),
        ..LLAMA
    },
    Family {
        model_type: "smollm3",
        reference: "https://huggingface.co/blog/smollm3",
        windows: Windows::WithoutRope,
        may_skip_rope: true,
        kv_heads: Some(4),
        context: 32_768,
        tied: true,
        rope_theta: 2_000_000.0,
        ..LLAMA
    },
    Family {
        model_type: "gemma3_text",
        reference: "arXiv 2503.19786",
        feed_forward_bias: Bias::Never,
        head_norms: true,
        gemma: true,
        windows: Windows::Pattern,
        activation_key: "hidden_activation",
        activation: ("gelu_pytorch_tanh", Activation::GeluTanh),
        kv_heads: Some(4),
        head_width: Some(256),
        context: 131_072,
        tied: true,
        rope_theta: 1_000_000.0,
        window: Some(4096),
        ..LLAMA
    },
];

/// Keys that would change the computation in an unsupported way, unless they are absent, null, false or equal to the
/// given value.
pub(crate) const REFUSED: &[(&str, Option<f64>)] = &[
    ("quantization_config", None),
    ("attn_logit_softcapping", None),
    ("final_logit_softcapping", None),
    ("use_bidirectional_attention", None),
    ("partial_rotary_factor", Some(1.0)),
    ("embedding_multiplier", Some(1.0)),
    ("residual_multiplier", Some(1.0)),
    ("attention_multiplier", Some(1.0)),
    ("logits_scaling", Some(1.0)),
    ("logit_scale", Some(1.0)),
    ("num_experts", Some(0.0)),
    ("num_local_experts", Some(0.0)),
    ("clip_qkv", None),
    ("use_qk_norm", None),
    ("rope_interleaved", None),
    ("use_mrope", None),
    ("is_encoder_decoder", None),
    ("add_cross_attention", None),
];

/// Keys that are read.
pub(crate) const READ: &[&str] = &[
    "model_type",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "max_position_embeddings",
    "original_max_position_embeddings",
    "rms_norm_eps",
    "tie_word_embeddings",
    "hidden_act",
    "hidden_activation",
    "attention_bias",
    "mlp_bias",
    "rope_theta",
    "rope_local_base_freq",
    "rope_scaling",
    "rope_parameters",
    "sliding_window",
    "use_sliding_window",
    "max_window_layers",
    "sliding_window_pattern",
    "_sliding_window_pattern",
    "layer_types",
    "no_rope_layers",
    "no_rope_layer_interval",
    "query_pre_attn_scalar",
];

/// Keys that have no effect on the forward pass.
pub(crate) const HARMLESS: &[&str] = &[
    "_attn_implementation",
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "auto_map",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "dtype",
    "eos_token_id",
    "format-version",
    "id2label",
    "initializer_range",
    "unk_token_id",
    "is_llama_config",
    "label2id",
    "max_length",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "pretraining_tp",
    "return_dict",
    "tokenizer_class",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
];

/// The family with this `model_type`.
pub(crate) fn family(model_type: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.model_type == model_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_reference_and_no_key_is_listed_twice() {
        assert!(FAMILIES.iter().all(|family| !family.reference.is_empty()));
        let mut keys: Vec<&str> = READ.iter().chain(HARMLESS).copied().collect();
        keys.extend(REFUSED.iter().map(|(key, _)| key));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
