//! The contract's types, generated from `wit/policy.wit`; nothing is written by hand here.

pub mod router_world {
    //! Of a component that exports a router.
    wit_bindgen::generate!({
        path: "wit",
        world: "router-plugin",
        pub_export_macro: true,
        export_macro_name: "export_router_world",
        default_bindings_module: "cadre_policy_sdk::export::router_world",
        additional_derives: [PartialEq],
        generate_all,
    });
}

pub mod selector_world {
    //! Of a component that exports a selector.
    wit_bindgen::generate!({
        path: "wit",
        world: "selector-plugin",
        pub_export_macro: true,
        export_macro_name: "export_selector_world",
        default_bindings_module: "cadre_policy_sdk::export::selector_world",
        with: {
            "cadre:policy/types@0.2.0": crate::bindings::router_world::cadre::policy::types,
            "cadre:policy/diagnostics@0.2.0": crate::bindings::router_world::cadre::policy::diagnostics,
        },
        additional_derives: [PartialEq],
    });
}
