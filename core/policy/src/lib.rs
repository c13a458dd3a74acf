//! Loads WebAssembly policies, sandboxes them and calls them. A policy is a component that implements the contract
//! `cadre:policy`. It runs with limits on instructions, time, memory and output size, has no access to clock, files,
//! network or randomness, and its answers are validated before they are used. Only this crate uses wasmtime; its public
//! API must not expose it.
//!
//! ```no_run
//! use cadre_policy::{Limits, Sandbox};
//! let sandbox = Sandbox::new("store/compiled".as_ref(), Limits::default())?;
//! let plugin = sandbox.load("plugins/see/see.wasm".as_ref())?;
//! let mut router = plugin.router(r#"{"threshold": 0.5}"#, &[])?;
//! let steps = router.route(&[])?;
//! # Ok::<(), cadre_policy::PolicyError>(())
//! ```

mod answer_check;
mod bindings;
mod columns;
mod compiled_cache;
mod component_info;
mod conformance;
mod convert;
mod error;
mod guest;
mod limits;
mod method;
mod plugin;
mod router;
mod sandbox;
mod selector;

pub use cadre_contract::PluginKind;
pub use limits::Limits;
pub use method::{
    Directive, LogitStream, Methods, ModelShape, ParameterInit, ParameterSpec, SampleShape, StreamSource,
    TrainingPart, sample_settings,
};
pub use plugin::Plugin;
pub use router::Router;
pub use sandbox::{LoadedFrom, Sandbox};
pub use selector::Selector;

pub use conformance::{Conformance, ConformanceCheck, ConformanceOutcome};

pub use error::{AnswerProblem, Call, Fault, PluginId, PolicyError};
