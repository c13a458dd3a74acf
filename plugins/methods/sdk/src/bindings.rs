//! The contract's types, generated from `wit/method.wit`; nothing is written by hand here.

wit_bindgen::generate!({
    path: "wit",
    world: "methods",
    pub_export_macro: true,
    export_macro_name: "export_methods_world",
    default_bindings_module: "cadre_method_sdk::export::bindings",
    additional_derives: [PartialEq],
    generate_all,
});
