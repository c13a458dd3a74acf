//! From the name of a backend to a burn device: the one file that knows which backends were
//! compiled in. It never touches a tensor.

use burn::tensor::{DType, Device};

use crate::error::NnError;
use crate::kernel::simd::asked;
use crate::training::Activations;

/// A backend that can compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// burn-flex on the processor: always there.
    Cpu,
    /// burn-ndarray on the processor: feature `ndarray`.
    NdArray,
    /// CUDA device of this index: feature `cuda`.
    Cuda(usize),
}

/// Number type of frozen weights. What is trained, its gradients and the optimizer's state are f32 in
/// memory whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16. On the processor the matrices of a frozen backbone are kept in it and everything is
    /// computed in f32: for weights that are bfloat16 already, results are those of f32 to the last
    /// bit, with half the memory; others are rounded once, when they are read. Pretraining has no
    /// frozen matrix and is f32 throughout. On CUDA activations and products are bfloat16 as well, in
    /// pretraining too.
    Bf16,
}

/// Where and how to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSpec {
    /// The backend.
    pub backend: BackendKind,
    /// Number type.
    pub precision: Precision,
    /// Worker threads on the processor; 0 means one for each core. Results do not depend on it.
    pub threads: usize,
    /// Training keeps the input of every layer and computes the rest of its forward pass again on the
    /// way back (Chen et al. 2016): one activation a layer in memory, about a third more computing.
    /// Results do not depend on it, on the processor to the last bit.
    pub gradient_checkpointing: bool,
}

/// Number types of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Of the matrices of a frozen backbone.
    pub(crate) matrices: DType,
    /// Of everything that is computed: activations, and with them norms, biases and adapters.
    pub(crate) others: DType,
}

impl Numbers {
    /// The type of a frozen weight of this shape.
    pub(crate) fn of(self, shape: &[usize]) -> DType {
        if shape.len() > 1 { self.matrices } else { self.others }
    }
}

impl DeviceSpec {
    /// The burn device of this description.
    ///
    /// # Errors
    /// A backend that is not in this build, a precision the backend does not compute in, or a vector level asked for by the
    /// environment that this processor does not have.
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

    /// Worker threads to use, at least one.
    fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            count => count,
        }
    }

    /// Workers for independent pieces of work: one on a device that has its own parallelism.
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
#[expect(deprecated, reason = "burn marks it for removal after 0.22; it is offered while it is there")]
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
    // A missing driver makes the runtime panic; a person gets a sentence instead.
    std::panic::catch_unwind(|| Device::cuda(index)).map_err(|_| NnError::Device {
        device: format!("cuda:{index}"),
        problem: "the CUDA runtime did not start; is the driver there, and NVRTC on the library path?".into(),
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_index: usize) -> Result<Device, NnError> {
    Err(NnError::BackendMissing {
        backend: "cuda",
        command: "cargo build --package cadre-engine --features cuda",
    })
}
