//! Evidence: appended, read back, and damaged in various places.

use std::fs;
use std::path::PathBuf;

use cadre_store::{ArtifactStore, StoreError};

use crate::key;

fn file(store: &ArtifactStore) -> PathBuf {
    let name = key("s").to_string();
    store.root().join("evidence").join(&name[..2]).join(format!("{name}.segments"))
}

#[test]
fn segments_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let segments = store.segments(&key("s"));
    assert!(segments.read_all().unwrap().segments.is_empty());
    let payloads: Vec<Vec<u8>> = vec![b"one".to_vec(), Vec::new(), vec![0; 100_000], b"SEG1SEG1".to_vec()];
    for payload in &payloads {
        segments.append(payload).unwrap();
    }
    let read = ArtifactStore::open(folder.path()).unwrap().segments(&key("s")).read_all().unwrap();
    assert_eq!(read.segments, payloads);
    assert!(read.damaged.is_empty());
    assert!(store.segments(&key("t")).read_all().unwrap().segments.is_empty());
}

#[test]
fn damage_costs_at_most_the_segment_it_is_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let segments = store.segments(&key("s"));
    let payloads = [b"first".to_vec(), b"second one".to_vec(), b"third".to_vec()];
    for payload in &payloads {
        segments.append(payload).unwrap();
    }
    let sound = fs::read(file(&store)).unwrap();
    for index in (0..sound.len()).step_by(3) {
        let mut bytes = sound.clone();
        bytes[index] ^= 0x20;
        fs::write(file(&store), &bytes).unwrap();
        let read = segments.read_all().unwrap();
        assert!(read.segments.len() >= 2, "byte {index}");
        assert!(read.segments.iter().all(|segment| payloads.contains(segment)), "byte {index}");
        assert_eq!(read.damaged.len(), 1, "byte {index}");
        let again = segments.read_all().unwrap();
        assert_eq!(again.segments, read.segments, "byte {index}");
        assert!(again.damaged.is_empty(), "byte {index}: reported once, then repaired");
        segments.append(b"next").unwrap();
        assert_eq!(segments.read_all().unwrap().segments.last().unwrap(), b"next");
    }
}

#[test]
fn a_truncation_anywhere_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let segments = store.segments(&key("s"));
    segments.append(b"first").unwrap();
    let first = fs::read(file(&store)).unwrap().len();
    segments.append(b"second").unwrap();
    let sound = fs::read(file(&store)).unwrap();
    for length in 1..sound.len() {
        fs::write(file(&store), &sound[..length]).unwrap();
        segments.append(b"next").unwrap();
        let read = segments.read_all().unwrap();
        let mut expected = vec![b"first".to_vec(), b"next".to_vec()];
        if length < first {
            expected.remove(0);
        }
        assert_eq!(read.segments, expected, "cut after {length}");
    }
}

#[test]
fn a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    store.segments(&key("s")).append(b"x").unwrap();
    fs::write(file(&store), b"cadre-segments 2\nwhatever").unwrap();
    let problem = store.segments(&key("s")).read_all().unwrap_err();
    assert!(matches!(problem, StoreError::NewerFormat { found: 2, known: 1, .. }));
}
