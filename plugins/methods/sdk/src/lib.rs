//! Write methods for Cadre in Rust: gates, objectives, merges, decoders, transforms and schedules. Implement [`Policy`] for a
//! struct of settings, name it to [`export_methods!`], declare it in `policies.toml`, and build for `wasm32-unknown-unknown`
//! as a `cdylib`; `cadre plugin build` makes a component of it.
//!
//! Hooks compute with [`Tensor`]s, which have a shape and no data: the core traces a hook once and runs the resulting program
//! as often as it needs to, with gradients where they are wanted. The contract itself is `wit/method.wit`.

#[doc(hidden)]
pub mod bindings;
mod case;
mod chance;
mod expert;
#[doc(hidden)]
pub mod export;
pub mod host;
mod named;
mod panics;
mod policy;
mod settings;
mod tensor;

pub use case::{Case, Played};
pub use chance::Chance;
pub use expert::{Expert, LowRank};
pub use host::{Level, fact, fact_number, log};
pub use named::Named;
pub use policy::{
    Context, Directive, Gate, Gated, Init, Model, Owner, Parameter, Phase, Plan, Policy, Scope, Shape, Site,
    Source, Step, Stepped, Stream, training,
};
pub use serde;
pub use serde_json;
pub use settings::PerExpert;
pub use tensor::{
    Kind, Operand, Tensor, arange, cat, choose, constant, full, ones, stack, sum_of, uniform, zeros,
};

/// Makes these types the policies of the component, by name: `export_methods! { "ties" => ties::Ties }`.
#[macro_export]
macro_rules! export_methods {
    ($($name:literal => $policy:ty),+ $(,)?) => {
        /// The policies of this component.
        pub struct Methods;

        impl $crate::export::Collection for Methods {
            const POLICIES: &[(&str, &dyn $crate::export::Hooks)] =
                &[$(($name, &$crate::export::Of::<$policy>::HOOKS)),+];
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::export::bindings;
            bindings::export_methods_world!(Methods with_types_in bindings);
        };
    };
}
