//! Write a router or a selector for Cadre in Rust: implement [`router::Router`] or
//! [`selector::Selector`], name the type to [`export_router!`] or [`export_selector!`], build for
//! `wasm32-unknown-unknown` as a `cdylib`, and let `cargo xtask plugins` (or `wasm-tools component
//! new`) make a component of it. Policies stay plain Rust: their tests run natively.
//!
//! The contract itself is `wit/policy.wit`; the types here are generated from it.

mod bindings;
mod chance;
mod evidence;
mod panics;
pub mod router;
mod sample;
pub mod selector;
mod settings;

pub use bindings::router_world::cadre::policy::diagnostics::{Level, log};
pub use bindings::router_world::cadre::policy::types::{Description, ExpertCard, NamedVector};
pub use chance::Chance;
#[doc(hidden)]
pub use panics::keep_last_words;
pub use serde;
pub use settings::settings;

#[doc(hidden)]
pub mod export {
    //! What the export macros name; not for use by hand.
    pub use crate::bindings::router_world;
    pub use crate::bindings::selector_world;
}

/// Makes a [`router::Router`] the router of this component.
#[macro_export]
macro_rules! export_router {
    ($policy:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::export::router_world::{self, exports::cadre::policy::router};
            static POLICY: ::std::sync::OnceLock<$policy> = ::std::sync::OnceLock::new();
            struct Component;
            impl router::Guest for Component {
                fn describe() -> $crate::Description {
                    $crate::router::describe::<$policy>()
                }
                fn open(settings: String, experts: Vec<$crate::ExpertCard>) -> Result<(), String> {
                    $crate::router::open(&POLICY, &settings, experts)
                }
                fn route(batch: router::Batch) -> Result<Vec<router::Step>, String> {
                    $crate::router::route(&POLICY, &batch)
                }
            }
    router_world::export_router_world!(Component with_types_in router_world);
        };
    };
}

/// Makes a [`selector::Selector`] the selector of this component.
#[macro_export]
macro_rules! export_selector {
    ($policy:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::export::selector_world::{self, exports::cadre::policy::selector};
            static POLICY: ::std::sync::OnceLock<$policy> = ::std::sync::OnceLock::new();
            struct Component;
            impl selector::Guest for Component {
                fn describe() -> $crate::Description {
                    $crate::selector::describe::<$policy>()
                }
                fn open(settings: String) -> Result<(), String> {
                    $crate::selector::open(&POLICY, &settings)
                }
                fn select(
                    order: selector::Order,
                    candidates: Vec<selector::Candidate>,
                    observations: Vec<selector::Observation>,
                ) -> Result<selector::Step, String> {
                    $crate::selector::select(&POLICY, &order, &candidates, &observations)
                }
            }
    selector_world::export_selector_world!(Component with_types_in selector_world);
        };
    };
}
