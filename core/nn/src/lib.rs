//! All tensor code: a Llama-family backbone, the adapters of experts, and their training, scoring and generation, on
//! burn. [`Learner`] is the entry point. The public interface must use only ids, bytes and f32: no tensor, no burn type
//! and no text.

mod adapter;
mod allocator;
mod backbone;
mod device;
mod error;
mod exchange;
mod generation;
mod inference;
mod kernel;
mod learner;
mod model;
mod packed_batch;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "gates and objectives will call it"))]
mod program;
mod projection;
mod training;
mod weights;
mod workers;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod precision;
#[cfg(test)]
mod reference;

pub use learner::Learner;

pub use device::{BackendKind, DeviceSpec, Precision, backends};

pub use adapter::{AdapterKind, AdapterSpec, ExpertSlot, Scaling, Site};
pub use training::{
    Flow, Keep, Length, NamedTensor, Schedule, Statistic, StepReport, TensorName, TrainingControl,
    TrainingData, TrainingInputs, TrainingOutcome, TrainingSpec, Validation, ValidationSpec,
};

pub use exchange::{
    ImportedAdapter, MergeTensor, MergedTensor, check_adapter, export_adapter, export_merged, import_adapter,
    merge_experts,
};

pub use generation::{Answerer, Decoding, Generated, Row, ScoredRow, Strategy};
pub use inference::Progress;

pub use program::{Evaluated, HostTensor, HostValues, ProgramTime, evaluate, time_programs};

pub use allocator::{Allocator, keep_freed_pages, peak_bytes};

pub use error::NnError;
