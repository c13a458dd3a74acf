//! The contracts between the core and its policies: `wit/policy.wit` (routers, selectors) and `wit-method/method.wit`
//! (methods that compute with tensors), and plain Rust types for their records. The core uses these types; only
//! `cadre-policy` deals with WebAssembly components. Policies do not depend on this crate.

#![forbid(unsafe_code)]

mod component;
mod declaration;
mod expert;
mod hook_call;
mod kind;
pub mod program;
mod routing;
mod selection;

pub use component::{CodeSize, ComponentFacts, ExportedKind, NotAComponent};
pub use declaration::{
    DECLARATIONS_SECTION, Declarations, Hook, PolicyDeclaration, SettingDeclaration, SettingKind,
    SettingProblem, Slot,
};
pub use expert::{Description, ExpertCard, ExpertIndex, NamedVector};
pub use hook_call::{HookCall, HookExpert, Phase, Traced};
pub use kind::{KINDS, KindEntry, PluginKind};
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

/// Version of the WIT package `cadre:method` that this build supports.
pub const METHOD_VERSION: &str = "0.1.0";

/// The contract's text: the content of `wit-method/method.wit`.
pub const METHOD_WIT: &str = include_str!("../wit-method/method.wit");

#[cfg(test)]
mod tests;
