//! The contract between the core and its policies: `wit/policy.wit` and the plain Rust words for its
//! records. The core speaks these types; only `cadre-policy` knows that a WebAssembly component is
//! behind them, and no policy ever sees this crate.

#![forbid(unsafe_code)]

mod expert;
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

/// Version of the WIT package `cadre:policy` that this build speaks.
pub const CONTRACT_VERSION: &str = "0.2.0";

/// The text of the contract, as it stands in `wit/policy.wit`.
pub const WIT: &str = include_str!("../wit/policy.wit");

#[cfg(test)]
mod tests;
