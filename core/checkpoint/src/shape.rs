//! The shape of a Llama-family decoder, and the `config.json` of a decoder that Cadre pretrained.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::CheckpointError;
use crate::variation::{LayerKind, Variation};

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
    /// Number of query heads; divides `hidden` unless the head width is given.
    pub heads: usize,
    /// Number of key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Inner width of the feed-forward block.
    pub feed_forward: usize,
    /// Maximum sequence length in tokens.
    pub context: usize,
    /// Whether the output head is the embedding.
    pub tied: bool,
    /// Base of the rotary frequencies, above 0.
    pub rope_theta: f64,
    /// Epsilon of RMSNorm: added to the mean square before the square root; above 0.
    pub norm_epsilon: f64,
    /// Differences from a plain Llama.
    #[serde(default)]
    pub variation: Variation,
}

impl BackboneShape {
    /// Width of one head.
    pub fn head_width(&self) -> usize {
        self.variation.head_width.unwrap_or(self.hidden / self.heads)
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_width()
    }

    /// Width of all key heads together; the value heads have the same width.
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_width()
    }

    /// Number of weights.
    pub fn parameters(&self) -> u64 {
        let count = |(_, sizes): &(String, Vec<usize>)| {
            sizes.iter().fold(1u64, |all, size| all.saturating_mul(*size as u64))
        };
        crate::inventory::weight_names(self).iter().map(count).fold(0, u64::saturating_add)
    }

    /// The kind of the layer with this index.
    pub fn layer_kind(&self, layer: usize) -> LayerKind {
        self.variation.layers.get(layer).copied().unwrap_or(LayerKind::PLAIN)
    }

    /// Frequencies of the rotary pairs, `[head width / 2]`, for windowed or other layers.
    pub fn frequencies(&self, windowed: bool) -> Vec<f32> {
        let own = self.variation.window_rope_theta.filter(|_| windowed);
        let theta = own.unwrap_or(self.rope_theta);
        let width = self.head_width();
        (0..width / 2)
            .map(|pair| {
                let frequency = theta.powf(-2.0 * pair as f64 / width as f64) as f32;
                // A separate base of windowed layers is never scaled.
                if own.is_some() { frequency } else { self.variation.rope_scaling.apply(frequency) }
            })
            .collect()
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// [`CheckpointError::Shape`] or [`CheckpointError::Range`] for the first value that does not fit.
    pub fn check(&self) -> Result<(), CheckpointError> {
        let sizes = [
            ("vocabulary", self.vocabulary),
            ("hidden", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
            ("kv-heads", self.kv_heads),
            ("feed-forward", self.feed_forward),
            ("context", self.context),
        ];
        let wrong = |field, value, problem| Err(CheckpointError::Shape { field, value, problem });
        for (field, value) in sizes {
            if value == 0 {
                return wrong(field, value, "must be at least 1");
            }
        }
        if self.variation.head_width.is_none() && !self.hidden.is_multiple_of(self.heads) {
            return wrong("heads", self.heads, "must divide hidden");
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return wrong("kv-heads", self.kv_heads, "must divide heads");
        }
        if self.head_width() == 0 || !self.head_width().is_multiple_of(2) {
            return wrong("heads", self.heads, "must leave heads of even width, for the rotary embedding");
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return Err(CheckpointError::Range {
                field: "rope-theta",
                value: self.rope_theta,
                range: "above 0",
            });
        }
        if self.variation.layers.iter().any(|layer| layer.windowed) && self.variation.window.unwrap_or(0) == 0
        {
            return wrong("window", 0, "must be at least 1 if there are windowed layers");
        }
        if !(self.norm_epsilon.is_finite() && self.norm_epsilon > 0.0) {
            return Err(CheckpointError::Range {
                field: "rms-norm-eps",
                value: self.norm_epsilon,
                range: "above 0",
            });
        }
        Ok(())
    }

    /// Reads the `config.json` of a checkpoint in Hugging Face's layout.
    ///
    /// # Errors
    /// A missing or malformed file, an unknown family, sizes that do not fit together, or an unsupported setting that
    /// changes the computation; each error names the file and the key.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        crate::config::read_config(path)
    }

    /// The bytes of `config.json` for this shape, which must be a plain Llama.
    pub fn config_json(&self) -> Vec<u8> {
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
