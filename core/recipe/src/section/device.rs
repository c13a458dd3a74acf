//! `[device]`: backend, precision, threads.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The device that a run computes on, and its numeric precision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Device {
    /// The backend: `cpu` (burn-flex), `ndarray`, `cuda`, or `cuda:N` for the N-th device. Every backend except
    /// `cpu` requires a build with the feature of that name.
    pub backend: Backend,
    /// The number format of the frozen backbone. `bf16` on `cpu` stores its matrices in half the memory and computes
    /// everything in f32: a bf16 checkpoint gives bit-identical results to `f32`, any other is rounded once. On `cuda`
    /// activations are `bf16` as well. Experts, gradients and the optimizer's state are f32 in memory, and pretraining
    /// on `cpu` is f32 throughout. `ndarray` supports only `f32`.
    pub precision: Precision,
    /// Threads of the CPU backends; 0 uses all.
    #[schemars(range(min = 0, max = 1024))]
    pub threads: u32,
    /// Whether training keeps one activation per layer and recomputes the others in the backward pass (Chen et al.
    /// 2016, arXiv 1604.06174): much less memory for about a third more computation. Results do not depend on it.
    pub gradient_checkpointing: bool,
}

impl Default for Device {
    fn default() -> Self {
        Self { backend: Backend::Cpu, precision: Precision::F32, threads: 0, gradient_checkpointing: false }
    }
}

/// A tensor backend, written `cpu`, `ndarray`, `cuda` or `cuda:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// burn-flex on the CPU, the default.
    Cpu,
    /// burn-ndarray on the CPU.
    NdArray,
    /// A CUDA GPU.
    Cuda {
        /// Index of the device, from 0.
        index: u32,
    },
}

impl Backend {
    /// The name without a device index, which is also the name of the build feature that enables the backend.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::NdArray => "ndarray",
            Self::Cuda { .. } => "cuda",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cuda { index } if *index > 0 => write!(f, "cuda:{index}"),
            other => f.write_str(other.name()),
        }
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "ndarray" => Ok(Self::NdArray),
            "cuda" => Ok(Self::Cuda { index: 0 }),
            _ => text
                .strip_prefix("cuda:")
                .filter(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|index| index.parse().ok())
                .map(|index| Self::Cuda { index })
                .ok_or_else(|| UnknownBackend { text: text.to_owned() }),
        }
    }
}

/// A text that is not the name of a backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown backend `{text}`; expected `cpu`, `ndarray`, `cuda` or `cuda:N`")]
pub struct UnknownBackend {
    /// The text.
    pub text: String,
}

impl Serialize for Backend {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Backend {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Backend {
    fn schema_name() -> Cow<'static, str> {
        "Backend".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "backend",
            "pattern": "^(cpu|ndarray|cuda(:[0-9]+)?)$",
            "x-expected": "`cpu`, `ndarray`, `cuda` or `cuda:N`",
            "x-words": ["cpu", "ndarray", "cuda"],
        })
    }
}

/// The number format of the backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit brain floats; trained weights stay in 32 bits.
    Bf16,
}
