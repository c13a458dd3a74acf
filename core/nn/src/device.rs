//! Maps the name of a backend to a burn device. All code that depends on which backends are compiled in belongs in this
//! file.

use burn::tensor::{DType, Device};

use crate::error::NnError;
use crate::kernel::simd::asked;
use crate::training::Activations;

/// A compute backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// burn-flex on the CPU; always available.
    Cpu,
    /// burn-ndarray on the CPU; requires the feature `ndarray`.
    NdArray,
    /// The CUDA device with this index; requires the feature `cuda`.
    Cuda(usize),
}

/// Number type of frozen weights. Trained weights, their gradients and the optimizer state are always f32 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16. On the CPU, the matrices of a frozen backbone are stored in bfloat16 and everything is computed in
    /// f32. If a checkpoint's weights are bfloat16 already, results are the same as with f32, to the last bit, with
    /// half the memory; other weights are rounded once, when they are read. Pretraining has no frozen matrices and is
    /// f32 throughout. On CUDA, activations and matmuls are bfloat16 as well, in pretraining too.
    Bf16,
}

/// The backends of this build: their names in recipes, and whether they compute in bf16.
pub fn backends() -> Vec<(&'static str, bool)> {
    let mut backends = vec![("cpu", true)];
    if cfg!(feature = "ndarray") {
        backends.push(("ndarray", false));
    }
    if cfg!(feature = "cuda") {
        backends.push(("cuda", true));
    }
    backends
}

/// The device and how to compute on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSpec {
    /// The backend.
    pub backend: BackendKind,
    /// Number type of frozen weights.
    pub precision: Precision,
    /// Worker threads on the CPU; 0 means one per core. Results do not depend on it.
    pub threads: usize,
    /// Gradient checkpointing (Chen et al. 2016): training keeps the input of every layer and recomputes the rest of
    /// its forward pass in the backward pass. This keeps one activation per layer in memory, for about a third more
    /// computation. Results do not depend on it; on the CPU they are the same to the last bit.
    pub gradient_checkpointing: bool,
}

/// Number types of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Type of the matrices of a frozen backbone.
    pub(crate) matrices: DType,
    /// Type of everything else: activations, norms, biases and adapters.
    pub(crate) others: DType,
}

impl Numbers {
    /// Number type of a frozen weight with this shape.
    pub(crate) fn of(self, shape: &[usize]) -> DType {
        if shape.len() > 1 { self.matrices } else { self.others }
    }
}

impl DeviceSpec {
    /// Opens the burn device of this description.
    ///
    /// # Errors
    /// The backend is not in this build, it does not support the precision, or the environment requests a vector level
    /// that this processor does not support.
    pub(crate) fn open(&self) -> Result<Device, NnError> {
        asked().map_err(|problem| NnError::Device { device: "cpu".into(), problem })?;
        match self.backend {
            BackendKind::Cpu => Ok(Device::flex()),
            BackendKind::NdArray => {
                self.f32_only("ndarray")?;
                ndarray()
            }
            BackendKind::Cuda(index) => cuda(index),
        }
    }

    /// The number types of this description.
    pub(crate) fn numbers(&self) -> Numbers {
        match (self.precision, self.backend) {
            (Precision::F32, _) => Numbers { matrices: DType::F32, others: DType::F32 },
            (Precision::Bf16, BackendKind::Cuda(_)) => Numbers { matrices: DType::BF16, others: DType::BF16 },
            (Precision::Bf16, BackendKind::Cpu | BackendKind::NdArray) => {
                Numbers { matrices: DType::BF16, others: DType::F32 }
            }
        }
    }

    /// What training keeps for its backward passes.
    pub(crate) fn activations(&self) -> Activations {
        if self.gradient_checkpointing { Activations::Recomputed } else { Activations::Kept }
    }

    /// Number of worker threads, at least 1.
    fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            count => count,
        }
    }

    /// Number of workers for independent pieces of work: 1 on a device that has its own parallelism.
    pub(crate) fn worker_count(&self) -> usize {
        match self.backend {
            BackendKind::Cpu | BackendKind::NdArray => self.thread_count(),
            BackendKind::Cuda(_) => 1,
        }
    }

    fn f32_only(&self, backend: &'static str) -> Result<(), NnError> {
        match self.precision {
            Precision::F32 => Ok(()),
            Precision::Bf16 => Err(NnError::Precision { backend, precision: "bf16" }),
        }
    }
}

#[cfg(feature = "ndarray")]
#[expect(deprecated, reason = "burn will remove it after 0.22; it is offered until then")]
fn ndarray() -> Result<Device, NnError> {
    Ok(Device::ndarray())
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Device, NnError> {
    Err(NnError::BackendMissing {
        backend: "ndarray",
        command: "cargo build --package cadre-engine --features ndarray",
    })
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<Device, NnError> {
    // The runtime panics if the driver is missing; this turns the panic into an error message.
    std::panic::catch_unwind(|| Device::cuda(index)).map_err(|_| NnError::Device {
        device: format!("cuda:{index}"),
        problem: "the CUDA runtime did not start; check that the driver is installed and NVRTC is on the library path"
            .into(),
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<Device, NnError> {
    Err(NnError::BackendMissing {
        backend: "cuda",
        command: "cargo build --package cadre-engine --features cuda",
    })
}
