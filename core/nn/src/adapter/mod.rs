//! Experts: the description of an adapter, its files, and mixtures of experts within a batch.

mod lora;
mod mix;
mod spec;

pub(crate) use lora::{ADDED_EMBEDDING, ADDED_HEAD, Adapter, AdapterTensors, normal};
pub(crate) use mix::{Mix, Shares, Update};

pub use spec::AdapterSpec;

/// Handle of an expert mounted on a learner. It is valid for that learner only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExpertSlot(pub(crate) usize);

#[cfg(test)]
mod tests;
