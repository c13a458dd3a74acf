//! The normal case: drafts become artifacts, and artifacts are found again.

use cadre_store::{ArtifactStore, Lookup, StoreError};
use serde_json::{Value, json};

use crate::{commit, entries, facts, key, whole};

#[test]
fn a_draft_becomes_an_artifact_with_its_files_and_facts() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    assert!(!store.contains(&key("a")).unwrap());
    assert!(matches!(store.get(&key("a")).unwrap(), Lookup::Missing));
    std::fs::write(store.workspace(&key("a")).unwrap().join("checkpoint"), b"half").unwrap();
    assert!(store.has_workspace(&key("a")));

    let made = commit(&store, "a", &[("x.json", b"{\"n\":7}"), ("sub/y", b"")]);
    assert_eq!(made.manifest().bytes(), 7);
    assert!(!store.has_workspace(&key("a")), "a commit ends the work");

    // As another process sees it.
    let store = ArtifactStore::open(folder.path()).unwrap();
    assert!(store.contains(&key("a")).unwrap());
    let found = whole(&store, "a");
    assert_eq!(found.manifest(), made.manifest());
    assert_eq!(found.manifest().facts, json!({ "loss": 0.1, "rows": 3 }));
    assert_eq!(found.read_json::<Value>("x.json").unwrap(), json!({ "n": 7 }));
    assert_eq!(found.read("sub/y").unwrap(), b"");
    let message = found.read("z").unwrap_err().to_string();
    assert!(message.contains("sub/y, x.json"), "{message}");
    assert!(matches!(found.read_json::<u32>("x.json"), Err(StoreError::Malformed { .. })));
    assert_eq!(entries(&folder.path().join("drafts")), [""; 0]);
}

#[test]
fn the_first_of_two_drafts_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let (one, two) = (store.draft(&key("a")).unwrap(), store.draft(&key("a")).unwrap());
    one.write("f", b"one").unwrap();
    two.write("f", b"two").unwrap();
    one.commit(facts("first")).unwrap();
    let second = two.commit(facts("second")).unwrap();
    assert_eq!(second.manifest().stage, "first");
    assert_eq!(second.read("f").unwrap(), b"one");
    assert_eq!(entries(&folder.path().join("drafts")), [""; 0]);
}

#[test]
fn a_dropped_draft_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let draft = store.draft(&key("a")).unwrap();
    draft.write("f", b"one").unwrap();
    drop(draft);
    assert!(!store.contains(&key("a")).unwrap());
    assert_eq!(entries(&folder.path().join("drafts")), [""; 0]);
}

#[test]
fn names_that_lead_out_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let draft = store.draft(&key("a")).unwrap();
    for name in ["", "../x", "/x", "a/../../x", "manifest.json", "."] {
        assert!(matches!(draft.write(name, b""), Err(StoreError::BadName { .. })), "{name}");
    }
    std::os::unix::fs::symlink("/etc/passwd", draft.path("link")).unwrap();
    assert!(matches!(draft.commit(facts("a")), Err(StoreError::BadName { .. })));
    assert!(!store.contains(&key("a")).unwrap());
}

#[test]
fn a_folder_with_other_files_is_not_opened_as_a_store() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.tex"), b"").unwrap();
    assert!(matches!(ArtifactStore::open(folder.path()), Err(StoreError::NotAStore { .. })));
    assert_eq!(entries(folder.path()), ["thesis.tex"]);
}
