//! A recipe against the backends of a build and the plugins that are there.

use super::{Case, WHOLE, golden};
use crate::check::plugin_catalog::tests::{component, core_module};
use crate::{BackendSupport, Capabilities, PluginCatalog, Surroundings};

fn capabilities() -> Surroundings {
    let backend = |name: &str, bf16| BackendSupport { name: name.to_owned(), bf16 };
    let capabilities = Capabilities {
        backends: vec![backend("cpu", true), backend("ndarray", false)],
        build_with: "cargo build --workspace --bin cadre --features cadre-engine/".to_owned(),
    };
    Surroundings { capabilities: Some(capabilities), plugins: None }
}

#[test]
fn a_backend_that_was_not_built() {
    let case = Case::new().file("study.toml", WHOLE).set("device.backend=cuda:1").within(capabilities());
    golden("no-backend", &case.mistakes());
    let table = "[indicator]\n[device]\nbackend = \"ndarray\"\nprecision = \"bf16\"";
    golden("no-precision", &Case::changed("[indicator]", table).within(capabilities()).mistakes());
    Case::new().file("study.toml", WHOLE).set("device.precision=bf16").within(capabilities()).load();
    Case::new().file("study.toml", WHOLE).set("device.backend=ndarray").within(capabilities()).load();
}

fn with_plugins(case: Case, plugins: &[(&str, Vec<u8>)]) -> Case {
    let folder = case.path("plugins");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in plugins {
        std::fs::write(folder.join(format!("{name}.wasm")), bytes).unwrap();
    }
    let plugins = Some(PluginCatalog::scan(&[folder]));
    case.within(Surroundings { capabilities: None, plugins })
}

fn shipped() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("see", component("cadre:policy/router@0.2.0")),
        ("oracle", component("cadre:policy/router@0.2.7")),
        ("random", component("cadre:policy/selector@0.2.0")),
        ("kmeans", component("cadre:policy/selector@0.2.0")),
    ]
}

#[test]
fn plugins_that_are_there() {
    with_plugins(Case::new().file("study.toml", WHOLE), &shipped()).load();
    let case =
        with_plugins(Case::new().file("study.toml", WHOLE).set("routing.router.plugin=oracle"), &shipped());
    case.load();
}

#[test]
fn plugins_that_are_not() {
    let case = Case::changed("\"random\"", "\"randon\"").set("routing.router.plugin=voting");
    golden("no-plugin", &with_plugins(case, &shipped()).mistakes());
    golden("no-plugin-at-all", &with_plugins(Case::new().file("study.toml", WHOLE), &[]).mistakes());
}

#[test]
fn plugins_of_the_wrong_kind_or_contract() {
    let mut plugins = shipped();
    plugins[0].1 = component("cadre:policy/router@0.1.0");
    plugins[2].1 = core_module();
    golden("other-contract", &with_plugins(Case::new().file("study.toml", WHOLE), &plugins).mistakes());
    let case = Case::new().file("study.toml", &WHOLE.replace("plugin = \"see\"", "plugin = \"kmeans\""));
    golden("other-kind", &with_plugins(case, &shipped()).mistakes());
}

#[test]
fn a_loaded_recipe_can_be_checked_later() {
    let loaded = Case::new().file("study.toml", WHOLE).set("device.backend=cuda").load();
    let errors = loaded.check(&capabilities());
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].key.as_str(), errors[0].file.as_str()), ("device.backend", "--set"));
}
