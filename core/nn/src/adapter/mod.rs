//! Experts: the description of an adapter, its files, and mixtures of experts within a batch.

mod added;
mod delta;
mod dora;
mod expert;
mod ia3;
mod kind;
mod lora;
mod mix;
mod site;
mod sparse_delta;
mod spec;

pub(crate) use added::normal;
pub(crate) use dora::MAGNITUDE;
pub(crate) use expert::{ADDED_EMBEDDING, ADDED_HEAD, Adapter, AdapterTensors, SitesSide};
pub(crate) use ia3::{FACTORS, on_input};
pub(crate) use kind::{Activation, kind};
pub(crate) use lora::{A as LORA_A, B as LORA_B};
pub(crate) use mix::{ApartUpdate, JoinedUpdate, Mix, Shares, Tokens, Update};
pub(crate) use site::{Place, places};

pub use site::Site;
pub use spec::{AdapterKind, AdapterSpec, Scaling};

/// Handle of an expert mounted on a learner. It is valid for that learner only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExpertSlot(pub(crate) usize);

#[cfg(test)]
mod tests;
