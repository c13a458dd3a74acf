//! Damage is detected on reading, reported with the file name, and moved out of the way.

use std::fs;
use std::path::Path;

use cadre_store::{ArtifactStore, Lookup};

use crate::{commit, entries, key, whole};

fn break_and_look(name: &str, harm: impl Fn(&Path)) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let artifact = commit(&store, name, &[("weights", &[7; 5000]), ("card", b"{}")]);
    commit(&store, "neighbour", &[("card", b"{}")]);
    harm(artifact.folder());
    let store = ArtifactStore::open(folder.path()).unwrap();
    let Lookup::Damaged { file, problem, moved_to } = store.get(&key(name)).unwrap() else {
        panic!("damage was not found");
    };
    assert!(moved_to.starts_with(fs::canonicalize(folder.path()).unwrap().join("quarantine")));
    assert!(moved_to.exists());
    assert!(matches!(store.get(&key(name)).unwrap(), Lookup::Missing));
    commit(&store, name, &[("weights", &[7; 5000])]);
    whole(&store, name);
    whole(&store, "neighbour");
    (file, problem)
}

#[test]
fn a_flipped_bit_is_found() {
    let (file, problem) = break_and_look("a", |folder| {
        let mut bytes = fs::read(folder.join("weights")).unwrap();
        bytes[2500] ^= 4;
        fs::write(folder.join("weights"), bytes).unwrap();
    });
    assert_eq!(file, "weights");
    assert!(problem.contains("digest"), "{problem}");
}

#[test]
fn a_truncated_or_missing_file_is_found_without_reading_it() {
    let (file, problem) = break_and_look("a", |folder| fs::write(folder.join("weights"), [7; 100]).unwrap());
    assert_eq!((file.as_str(), problem.as_str()), ("weights", "it has 100 bytes, and 5000 were written"));
    let (file, problem) = break_and_look("a", |folder| fs::remove_file(folder.join("card")).unwrap());
    assert_eq!((file.as_str(), problem.as_str()), ("card", "it is missing"));

    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let artifact = commit(&store, "a", &[("card", b"{}")]);
    fs::write(artifact.path("card"), b"").unwrap();
    assert!(!store.contains(&key("a")).unwrap());
}

#[test]
fn a_damaged_manifest_is_found() {
    for harm in ["\"wall-seconds\": 1.25=>\"wall-seconds\": 1.35", "{=>", "\"loss\": 0.1=>\"loss\": 0.2"] {
        let (from, to) = harm.split_once("=>").unwrap();
        let (file, _) = break_and_look("a", |folder| {
            let path = folder.join("manifest.json");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
        });
        assert_eq!(file, "manifest.json");
    }
    let (_, problem) = break_and_look("a", |folder| fs::remove_file(folder.join("manifest.json")).unwrap());
    assert_eq!(problem, "it is missing");
}

#[test]
fn the_same_key_can_be_damaged_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    for _ in 0..3 {
        let artifact = commit(&store, "a", &[("card", b"{}")]);
        fs::write(artifact.path("card"), b"[]x").unwrap();
        assert!(matches!(store.get(&key("a")).unwrap(), Lookup::Damaged { .. }));
    }
    assert_eq!(entries(&folder.path().join("quarantine")).len(), 3);
}
