//! The cache of compiled policies: intact entries are used, others are compiled again.

#[cfg(test)]
mod guest;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use cadre_policy::{LoadedFrom, Sandbox};
use guest::{Fixture, Guest, batch, cards, tight};
#[cfg(test)]
fn entries(fixture: &Fixture) -> Vec<PathBuf> {
    let folder = fixture.folder.path().join("compiled");
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}
#[cfg(test)]
fn loaded(fixture: &Fixture) -> LoadedFrom {
    let plugin = fixture.load(&Guest::router()).unwrap();
    let mut router = plugin.router("{}", &cards(2)).unwrap();
    assert_eq!(router.route(&batch(2)).unwrap().len(), 2);
    plugin.loaded_from()
}

#[test]
fn the_second_load_compiles_nothing() {
    let fixture = Fixture::new();
    assert_eq!(loaded(&fixture), LoadedFrom::Compilation);
    assert_eq!(loaded(&fixture), LoadedFrom::Cache);
    assert_eq!(entries(&fixture).len(), 1);
    // Another engine with the same settings uses the entry too.
    let other = Sandbox::new(&fixture.folder.path().join("compiled"), tight()).unwrap();
    let plugin = other.load(&fixture.folder.path().join("hostile.wasm")).unwrap();
    assert_eq!(plugin.loaded_from(), LoadedFrom::Cache);
}

#[test]
fn other_bytes_are_another_entry() {
    let fixture = Fixture::new();
    assert_eq!(loaded(&fixture), LoadedFrom::Compilation);
    let plugin = fixture.load(&Guest::router().name("other")).unwrap();
    assert_eq!(plugin.loaded_from(), LoadedFrom::Compilation);
    assert_eq!(entries(&fixture).len(), 2);
}

#[test]
fn a_damaged_entry_is_recompiled() {
    let fixture = Fixture::new();
    loaded(&fixture);
    let entry = entries(&fixture).remove(0);
    let whole = fs::read(&entry).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for damaged in [flipped, whole[..whole.len() - 9].to_vec(), Vec::new(), b"\x7fELF".to_vec()] {
        fs::write(&entry, &damaged).unwrap();
        assert_eq!(loaded(&fixture), LoadedFrom::Compilation);
        assert_eq!(fs::read(&entry).unwrap(), whole);
        assert_eq!(loaded(&fixture), LoadedFrom::Cache);
    }
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let sandbox = Sandbox::new(&cache, tight()).unwrap();
    let file = Guest::router().write(folder.path());
    for _ in 0..2 {
        let plugin = sandbox.load(&file).unwrap();
        assert_eq!(plugin.loaded_from(), LoadedFrom::Compilation);
    }
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 0);
}
