//! Loads WASM policies, confines them and calls them. A policy is a component that keeps the contract
//! `cadre:policy`; it runs with limits on instructions, time, memory and the size of what it says, it
//! has no clock, files, network or chance of its own, and its answers are checked before anyone acts
//! on them. This is the only crate that knows of wasmtime; nothing of it shows outside.
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
mod plugin;
mod router;
mod sandbox;
mod selector;

pub use limits::Limits;
pub use plugin::{Plugin, PluginKind};
pub use router::Router;
pub use sandbox::{LoadedFrom, Sandbox};
pub use selector::Selector;

pub use conformance::{Conformance, ConformanceCheck, ConformanceOutcome};

pub use error::{AnswerProblem, Call, Fault, PluginId, PolicyError};
