//! What sets a decoder of the Llama family apart from Llama itself: biases, norms of the heads,
//! windows, positions, activation. Values only; the one decoder reads them, and none is a second copy
//! of it.

use serde::{Deserialize, Serialize};

/// Everything in which a decoder differs from a plain Llama; the default is a plain Llama.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Variation {
    /// Width of a head where it is not `hidden / heads`.
    pub head_width: Option<usize>,
    /// Whether the query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Whether the output projection of attention has a bias.
    pub output_bias: bool,
    /// Whether the projections of the feed-forward block have a bias.
    pub feed_forward_bias: bool,
    /// Whether queries and keys are normalised head by head (Qwen 3, Gemma 3).
    pub head_norms: bool,
    /// Whether what a block adds to the residual stream is normalised as well (Gemma).
    pub post_norms: bool,
    /// Whether the file stores a norm's weight less one (Gemma).
    pub unit_offset_norms: bool,
    /// The activation of the feed-forward block's gate.
    pub activation: Activation,
    /// Factor of the embedding; 1 without it.
    pub embedding_scale: Option<f64>,
    /// Factor of the attention scores; `1 / sqrt(head width)` without it.
    pub score_scale: Option<f64>,
    /// Tokens that a windowed layer sees, its own included.
    pub window: Option<usize>,
    /// What each layer does; empty where all see everything and turn by position.
    pub layers: Vec<LayerKind>,
    /// How rotary frequencies are stretched.
    pub rope_scaling: RopeScaling,
    /// Base of the rotary frequencies of windowed layers, where they have their own (Gemma 3).
    pub window_rope_theta: Option<f64>,
}

/// The activation of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x · sigmoid(x)`.
    #[default]
    Silu,
    /// GELU by the tangent (Hendrycks & Gimpel 2016).
    GeluTanh,
}

/// What one layer does differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LayerKind {
    /// Whether a token sees only the window before it.
    pub windowed: bool,
    /// Whether queries and keys are uses_rope by their position.
    pub uses_rope: bool,
}

impl LayerKind {
    /// A layer that sees everything and turns by position.
    pub const PLAIN: Self = Self { windowed: false, uses_rope: true };
}

/// How the frequencies of the rotary embedding are stretched for a longer context.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RopeScaling {
    /// As they are.
    #[default]
    None,
    /// All divided by a factor (Chen et al. 2023).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided, high ones kept, those between blended.
    Llama3 {
        /// The divisor of low frequencies.
        factor: f64,
        /// Wavelengths above `original-context / low` are low frequencies.
        low: f64,
        /// Wavelengths below `original-context / high` are high frequencies.
        high: f64,
        /// The context it was pretrained with.
        original_context: f64,
    },
}

impl RopeScaling {
    /// The stretched frequency of a pair, in f32 as Hugging Face computes it.
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
