//! The shape of a Llama-family decoder and its `config.json`, in the words of Hugging Face's
//! `LlamaConfig`. It holds no weights.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::NnError;

/// Sizes of a Llama-family decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BackboneShape {
    /// Number of token ids.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of decoder layers.
    pub layers: usize,
    /// Number of query heads; divides `hidden`.
    pub heads: usize,
    /// Number of key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Inner width of the feed-forward block.
    pub feed_forward: usize,
    /// Longest sequence in tokens.
    pub context: usize,
    /// Whether the head is the embedding.
    pub tied: bool,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square before the root in RMSNorm.
    pub norm_epsilon: f64,
}

impl BackboneShape {
    /// Width of one head.
    pub fn head_width(&self) -> usize {
        self.hidden / self.heads
    }

    /// Width of all key heads together.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_width()
    }

    /// Number of weights.
    pub fn parameters(&self) -> u64 {
        let hidden = self.hidden;
        let layer =
            2 * hidden * hidden + 2 * hidden * self.kv_width() + 3 * hidden * self.feed_forward + 2 * hidden;
        let tables = if self.tied { 1 } else { 2 };
        (self.layers * layer + tables * self.vocabulary * hidden + hidden) as u64
    }

    /// Checks that the sizes fit each other.
    ///
    /// # Errors
    /// [`NnError::Shape`] names the first size that does not fit.
    pub fn check(&self) -> Result<(), NnError> {
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("hidden", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv-heads", self.kv_heads),
            ("feed-forward", self.feed_forward),
            ("context", self.context),
        ];
        let wrong = |field, value, problem| Err(NnError::Shape { field, value, problem });
        for (field, value) in sizes {
            if value == 0 {
                return wrong(field, value, "must be at least 1");
            }
        }
        if !self.hidden.is_multiple_of(self.heads) {
            return wrong("heads", self.heads, "must divide hidden");
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return wrong("kv-heads", self.kv_heads, "must divide heads");
        }
        if !self.head_width().is_multiple_of(2) {
            return wrong("heads", self.heads, "must leave heads of even width, for the rotary embedding");
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return Err(NnError::Setting { field: "rope-theta", value: self.rope_theta, range: "above 0" });
        }
        if !(self.norm_epsilon.is_finite() && self.norm_epsilon > 0.0) {
            return Err(NnError::Setting {
                field: "rms-norm-eps",
                value: self.norm_epsilon,
                range: "above 0",
            });
        }
        Ok(())
    }

    /// Reads `config.json` as Hugging Face writes it for Llama.
    ///
    /// # Errors
    /// A missing or broken file, sizes that do not fit, or a feature that changes the computation
    /// and is not done here (scaled rotary embeddings, biases, another activation).
    pub fn read(path: &Path) -> Result<Self, NnError> {
        let text = std::fs::read(path).map_err(|source| NnError::File { path: path.into(), source })?;
        let config: LlamaConfig =
            serde_json::from_slice(&text).map_err(|source| NnError::Json { path: path.into(), source })?;
        let refuse = |key, value: String| Err(NnError::Unsupported { path: path.into(), key, value });
        if let Some(act) = &config.hidden_act
            && act != "silu"
        {
            return refuse("hidden_act", act.clone());
        }
        if config.attention_bias == Some(true) {
            return refuse("attention_bias", "true".into());
        }
        if config.mlp_bias == Some(true) {
            return refuse("mlp_bias", "true".into());
        }
        if let Some(kind) = &config.model_type
            && kind != "llama"
        {
            return refuse("model_type", kind.clone());
        }
        let mut rope_theta = config.rope_theta.unwrap_or(10_000.0);
        for (key, scaling) in
            [("rope_scaling", &config.rope_scaling), ("rope_parameters", &config.rope_parameters)]
        {
            let Some(scaling) = scaling.as_ref().filter(|value| !value.is_null()) else { continue };
            let kind = scaling.get("rope_type").or_else(|| scaling.get("type"));
            if kind.is_some_and(|kind| kind != "default") {
                return refuse(key, scaling.to_string());
            }
            if let Some(theta) = scaling.get("rope_theta").and_then(serde_json::Value::as_f64) {
                rope_theta = theta;
            }
        }
        let shape = Self {
            vocabulary: config.vocab_size,
            hidden: config.hidden_size,
            layers: config.num_hidden_layers,
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads.unwrap_or(config.num_attention_heads),
            feed_forward: config.intermediate_size,
            context: config.max_position_embeddings.unwrap_or(2048),
            tied: config.tie_word_embeddings.unwrap_or(false),
            rope_theta,
            norm_epsilon: config.rms_norm_eps.unwrap_or(1e-6),
        };
        if let Some(width) = config.head_dim
            && width * shape.heads != shape.hidden
        {
            return refuse("head_dim", width.to_string());
        }
        shape.check()?;
        Ok(shape)
    }

    /// The bytes of `config.json` for this shape.
    pub(crate) fn config_json(&self) -> Vec<u8> {
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "format-version": 1,
            "hidden_act": "silu",
            "hidden_size": self.hidden,
            "intermediate_size": self.feed_forward,
            "max_position_embeddings": self.context,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": self.norm_epsilon,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tied,
            "torch_dtype": "float32",
            "vocab_size": self.vocabulary,
        });
        let mut text = format!("{config:#}").into_bytes();
        text.push(b'\n');
        text
    }
}

/// The keys of Hugging Face's `LlamaConfig` that change the computation. Others are theirs and are
/// passed over: the file is not ours to forbid.
#[derive(Deserialize)]
struct LlamaConfig {
    model_type: Option<String>,
    hidden_act: Option<String>,
    hidden_size: usize,
    intermediate_size: usize,
    max_position_embeddings: Option<usize>,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<serde_json::Value>,
    rope_parameters: Option<serde_json::Value>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    vocab_size: usize,
}
