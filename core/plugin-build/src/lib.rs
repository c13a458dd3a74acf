//! Where policies are made: a new one is started from the template, and a policy written in Rust is
//! built into a component. Runs cargo; never runs or loads a policy.

#![forbid(unsafe_code)]

mod build;
mod encode;
mod error;
mod make;
mod start;
mod toolchain;

pub use start::{NewPolicy, PolicyKind, start, start_in_tree};

pub use build::{Built, build};
pub use encode::encode;
pub use make::{make, stamp};
pub use toolchain::Toolchain;

pub use error::PluginBuildError;
