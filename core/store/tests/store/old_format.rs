//! Samples of every released format version are readable; newer versions are refused.

use std::fs;
use std::path::Path;

use cadre_store::{ArtifactStore, Digest, Lookup, StoreError};
use serde_json::json;

use crate::{commit, key};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn version_1_is_read() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/version-1"), folder.path());
    let store = ArtifactStore::open(folder.path()).unwrap();
    let Lookup::Whole(artifact) = store.get(&Digest::of_bytes(b"sample")).unwrap() else {
        panic!("not whole")
    };
    assert_eq!(artifact.manifest().stage, "sample");
    assert_eq!(artifact.manifest().facts, json!({ "rows": 3, "loss": 0.1 }));
    assert_eq!(artifact.read("words/hello.txt").unwrap(), b"hello\n");
    let evidence = store.segments(&Digest::of_bytes(b"sample")).read_all().unwrap();
    assert_eq!(evidence.segments, [b"first".to_vec(), b"second".to_vec()]);
    assert!(evidence.damaged.is_empty());
}

/// Writes the sample; run it by hand for a new format version, and keep the old sample.
#[test]
#[ignore = "writes the sample of the current version"]
fn write_sample() {
    let folder = std::env::var("CADRE_STORE_SAMPLE").unwrap();
    let store = ArtifactStore::open(Path::new(&folder)).unwrap();
    commit(&store, "sample", &[("words/hello.txt", b"hello\n")]);
    let segments = store.segments(&key("sample"));
    segments.append(b"first").unwrap();
    segments.append(b"second").unwrap();
    for name in ["drafts", "locks", "quarantine", "work"] {
        fs::remove_dir_all(Path::new(&folder).join(name)).unwrap();
    }
}

#[test]
fn newer_versions_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("FORMAT"), b"{\"format-version\":2,\"more\":true}").unwrap();
    let problem = ArtifactStore::open(folder.path()).unwrap_err();
    assert!(matches!(problem, StoreError::NewerFormat { found: 2, known: 1, .. }));

    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let path = commit(&store, "a", &[("f", b"x")]).path("manifest.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"format-version\": 1", "\"format-version\": 2");
    fs::write(&path, text).unwrap();
    assert!(matches!(store.get(&key("a")), Err(StoreError::NewerFormat { found: 2, .. })));
    assert!(path.exists(), "must not be treated as damage");

    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("FORMAT"), b"what").unwrap();
    let problem = ArtifactStore::open(folder.path()).unwrap_err();
    assert!(matches!(problem, StoreError::DamagedFormat { .. }));
    let text = problem.to_string();
    for part in [
        "FORMAT contains \"what\"",
        "expected `{\"format-version\":1}`",
        "write that into the file",
        "--store",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
