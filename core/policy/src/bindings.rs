//! Host-side bindings of the contracts, generated from the WIT of `cadre-contract`. Must not be used outside this crate.

pub(crate) mod router_world {
    wasmtime::component::bindgen!({
        path: "../contract/wit",
        world: "router-plugin",
        // Exceeding the log limit ends the call.
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

pub(crate) mod method_world {
    wasmtime::component::bindgen!({
        path: "../contract/wit-method",
        world: "methods",
        imports: { "cadre:method/diagnostics.log": trappable },
        ownership: Owning,
    });
}
