//! The differences of a Llama-family decoder from Llama itself: biases, head norms, windows, positions, activation. All
//! variants are options of the one decoder; none has a decoder of its own.

use serde::{Deserialize, Serialize};

/// All differences of a decoder from a plain Llama. The default is a plain Llama.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Variation {
    /// Width of a head, if it is not `hidden / heads`.
    pub head_width: Option<usize>,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Whether the output projection of attention has a bias.
    pub output_bias: bool,
    /// Whether the projections of the feed-forward block have a bias.
    pub feed_forward_bias: bool,
    /// Whether queries and keys are normalised per head (Qwen 3, Gemma 3).
    pub head_norms: bool,
    /// Whether a block's output is normalised before it is added to the residual stream (Gemma).
    pub post_norms: bool,
    /// Whether the file stores the weights of norms minus 1 (Gemma).
    pub unit_offset_norms: bool,
    /// The activation of the feed-forward block's gate.
    pub activation: Activation,
    /// Scale of the embedding; 1 if absent.
    pub embedding_scale: Option<f64>,
    /// Scale of the attention scores; `1 / sqrt(head width)` if absent.
    pub score_scale: Option<f64>,
    /// Number of tokens that a windowed layer attends to, the query's own token included.
    pub window: Option<usize>,
    /// The kind of each layer; empty if no layer is windowed and all use rotary embedding.
    pub layers: Vec<LayerKind>,
    /// Scaling of the rotary frequencies.
    pub rope_scaling: RopeScaling,
    /// Base of the rotary frequencies in windowed layers, if it differs (Gemma 3).
    pub window_rope_theta: Option<f64>,
}

/// Activation of the feed-forward block's gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x · sigmoid(x)`.
    #[default]
    Silu,
    /// Tanh-approximated GELU (Hendrycks & Gimpel 2016).
    GeluTanh,
}

/// The kind of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerKind {
    /// Whether a token attends only to the window that ends with it.
    pub windowed: bool,
    /// Whether queries and keys are rotated by position.
    pub uses_rope: bool,
}

impl LayerKind {
    /// A layer with full attention and rotary embedding.
    pub const PLAIN: Self = Self { windowed: false, uses_rope: true };
}

/// Scaling of the rotary frequencies for a longer context.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RopeScaling {
    /// Unscaled.
    #[default]
    None,
    /// All frequencies divided by a factor (Chen et al. 2023).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Llama 3.1: low frequencies are divided, high ones stay, and those in between are blended.
    Llama3 {
        /// Divisor of low frequencies.
        factor: f64,
        /// Wavelengths above `original-context / low` are low frequencies.
        low: f64,
        /// Wavelengths below `original-context / high` are high frequencies.
        high: f64,
        /// Context length in pretraining, in tokens.
        original_context: f64,
    },
}

impl RopeScaling {
    /// Applies the scaling to the frequency of one pair, in f32 as in Hugging Face.
    pub(crate) fn apply(self, frequency: f32) -> f32 {
        match self {
            Self::None => frequency,
            Self::Linear { factor } => frequency / factor as f32,
            Self::Llama3 { factor, low, high, original_context } => {
                let wavelength = 2.0 * std::f32::consts::PI / frequency;
                if wavelength > (original_context / low) as f32 {
                    frequency / factor as f32
                } else if wavelength < (original_context / high) as f32 {
                    frequency
                } else {
                    let smooth = (original_context as f32 / wavelength - low as f32) / (high - low) as f32;
                    (1.0 - smooth) * frequency / factor as f32 + smooth * frequency
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RopeScaling;

    #[test]
    fn llama_3_stretches_low_frequencies_alone() {
        let scaling = RopeScaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original_context: 8192.0 };
        assert_eq!(scaling.apply(1.0), 1.0);
        assert_eq!(scaling.apply(1e-5), 1e-5 / 8.0);
        let between = scaling.apply(0.002);
        assert!(between < 0.002 && between > 0.002 / 8.0, "{between}");
        assert_eq!(RopeScaling::Linear { factor: 4.0 }.apply(1.0), 0.25);
    }
}
