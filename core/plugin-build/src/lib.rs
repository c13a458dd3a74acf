//! Creates policies from the template, and builds policies written in Rust into components. Runs cargo; must not run or
//! load a policy.

#![forbid(unsafe_code)]

mod build;
mod declarations;
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
