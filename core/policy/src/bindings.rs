//! The contract's types on the host's side, generated from `wit/policy.wit` of `cadre-contract`; nothing is
//! written by hand here, and nothing of it leaves this crate.

pub(crate) mod router_world {
    wasmtime::component::bindgen!({
        path: "../contract/wit",
        world: "router-plugin",
        // Logging beyond the limit ends the call.
        imports: { "cadre:policy/diagnostics.log": trappable },
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

pub(crate) mod selector_world {
    wasmtime::component::bindgen!({
        path: "../contract/wit",
        world: "selector-plugin",
        ownership: Borrowing { duplicate_if_necessary: true },
        with: {
            "cadre:policy/types": crate::bindings::router_world::cadre::policy::types,
            "cadre:policy/diagnostics": crate::bindings::router_world::cadre::policy::diagnostics,
        },
    });
}
