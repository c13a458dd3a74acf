//! The contract between the core and its policies: `wit/policy.wit` and plain Rust types for its records. The core
//! uses these types; only `cadre-policy` deals with WebAssembly components. Policies do not depend on this crate.

#![forbid(unsafe_code)]

mod expert;
pub mod program;
mod routing;
mod selection;

pub use expert::{Description, ExpertCard, ExpertIndex, NamedVector};
pub use routing::{
    Answer, Claim, Evidence, Query, RouterFinding, RouterObservation, RouterProbe, RouterStep, Share,
};
pub use selection::{
    Candidate, Generation, Order, Pick, Purpose, Role, SelectorFinding, SelectorObservation, SelectorProbe,
    SelectorStep, Source, SyntheticExample,
};

/// Version of the WIT package `cadre:policy` that this build supports.
pub const CONTRACT_VERSION: &str = "0.2.0";

/// The contract's text: the content of `wit/policy.wit`.
pub const WIT: &str = include_str!("../wit/policy.wit");

#[cfg(test)]
mod tests;
