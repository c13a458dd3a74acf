//! Catalogues over components that are made here.

use std::fs;

use wasm_encoder::{
    Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection, CustomSection, Module,
};

use cadre_contract::PluginKind;

use super::PluginCatalog;
use crate::EnvSource;

/// A component whose only export is an empty instance of this name.
pub(crate) fn component(export: &str) -> Vec<u8> {
    let mut component = Component::new();
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(std::iter::empty::<(&str, ComponentExportKind, u32)>());
    component.section(&instances);
    let mut exports = ComponentExportSection::new();
    exports.export(export, ComponentExportKind::Instance, 0, None);
    component.section(&exports);
    component.section(&CustomSection { name: "version".into(), data: b"1.2.3".as_slice().into() });
    component.finish()
}

pub(crate) fn core_module() -> Vec<u8> {
    Module::new().finish()
}

#[test]
fn nearer_folders_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("near/mine")).unwrap();
    fs::create_dir_all(at("far/see/target")).unwrap();
    fs::write(at("near/mine/mine.wasm"), component("cadre:policy/router@0.2.0")).unwrap();
    fs::write(at("near/see.wasm"), component("cadre:policy/router@0.2.1")).unwrap();
    fs::write(at("far/see/see.wasm"), component("cadre:policy/selector@0.2.0")).unwrap();
    fs::write(at("far/see/target/other.wasm"), component("cadre:policy/selector@0.2.0")).unwrap();
    fs::write(at("far/random.wasm"), component("cadre:policy/selector@0.2.0")).unwrap();
    fs::write(at("far/broken.wasm"), b"x").unwrap();
    let catalog = PluginCatalog::scan(&[at("near"), at("nowhere"), at("far")]);
    let names: Vec<_> = catalog.entries().iter().map(|entry| (entry.kind, entry.name.as_str())).collect();
    assert_eq!(
        names,
        [(PluginKind::Router, "mine"), (PluginKind::Router, "see"), (PluginKind::Selector, "random")]
    );
    let see = catalog.find("see").unwrap();
    assert_eq!((see.contract.as_str(), see.version.as_deref()), ("0.2.1", Some("1.2.3")));
    assert!(see.keeps_contract());
    assert_eq!(see.digest, cadre_store::Digest::of_file(&see.file).unwrap());
    assert_eq!(catalog.broken()[0].name, "broken");
}

#[test]
fn the_search_path_goes_from_the_recipe_outwards() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("checkout/recipes/baseline")).unwrap();
    fs::write(root.join("checkout/recipes/baseline/a.toml"), "").unwrap();
    let env = EnvSource::empty().at(root.join("checkout")).with("CADRE_PLUGINS", "/one:/two");
    let folders = PluginCatalog::search_path("recipes/baseline/a.toml".as_ref(), &env);
    let expected = [
        root.join("checkout/recipes/baseline/plugins"),
        "/one".into(),
        "/two".into(),
        root.join("checkout/plugins"),
    ];
    assert_eq!(folders, expected);
}
