//! `[device]`: where tensors live and in which numbers. It never opens a device.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where the tensors of a run live, and in which numbers it computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Device {
    /// The backend: `cpu` (burn-flex), `ndarray`, `cuda`, or `cuda:N` for the N-th device. All but `cpu` need a build
    /// with the feature of that name.
    pub backend: Backend,
    /// The numbers of the frozen backbone. `bf16` on `cpu` keeps its matrices in half the memory and computes everything
    /// in f32: a checkpoint in bf16 gives the results of `f32` to the last bit, another is rounded once. On `cuda`
    /// activations are `bf16` as well. Experts, gradients and the optimizer's state are f32 in memory, and pretraining on
    /// `cpu` is f32 throughout. `ndarray` has `f32` only.
    pub precision: Precision,
    /// Threads of the CPU backends; 0 takes all there are.
    #[schemars(range(min = 0, max = 1024))]
    pub threads: u32,
    /// Whether training keeps one activation a layer and computes the others again on the way back (Chen et al. 2016,
    /// arXiv 1604.06174): much less memory for about a third more computing. Results do not depend on it.
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
    /// CUDA.
    Cuda {
        /// Which device, from 0.
        index: u32,
    },
}

impl Backend {
    /// The name without a device index: that of the build feature which brings the backend.
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

/// A text that names no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no backend is called `{text}`; expected `cpu`, `ndarray`, `cuda` or `cuda:N`")]
pub struct UnknownBackend {
    /// What was given.
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

/// The numbers a run computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 16-bit brain floats; what is trained stays in 32 bits.
    Bf16,
}
