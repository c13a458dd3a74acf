//! Garbage collection removes exactly what no plan references, whatever else is running and whenever it is killed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use cadre_store::{Amount, ArtifactStore, Collected, CollectionOptions, Digest, Garbage, StoreError};

use super::{commit, entries, key, whole};

const DAY: Duration = Duration::from_secs(86_400);

fn live(names: &[&str]) -> HashSet<Digest> {
    names.iter().map(|name| key(name)).collect()
}

fn collect(store: &ArtifactStore, names: &[&str], options: CollectionOptions) -> Collected {
    let mut collection = store.collect(options).unwrap();
    collection.set_aside(&live(names)).unwrap();
    collection.finish(&live(names)).unwrap()
}

fn count(collected: &Collected, kind: Garbage) -> u64 {
    collected.removed.get(&kind).map_or(0, |amount| amount.count)
}

#[test]
fn what_no_plan_references_is_removed_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    for name in ["live", "dead"] {
        commit(&store, name, &[("weights", &[7; 1000]), ("deep/er", b"x")]);
        fs::write(store.workspace(&key(&format!("{name} work"))).unwrap().join("step"), [1; 100]).unwrap();
        store.segments(&key(name)).append(b"claims").unwrap();
    }
    store.segments(&key("a mixture")).append(b"answers").unwrap();
    fs::write(folder.path().join("quarantine/something"), b"damaged").unwrap();
    fs::write(folder.path().join("objects/00-note"), b"not ours").unwrap();
    fs::create_dir_all(folder.path().join("objects/zz/mine")).unwrap();
    let needed = ["live", "live work"];

    let before = entries(folder.path());
    let dry = CollectionOptions { dry_run: true, ..CollectionOptions::default() };
    let would = collect(&store, &needed, dry);
    assert_eq!(entries(folder.path()), before);
    whole(&store, "dead");
    assert!(entries(&folder.path().join("trash")).is_empty());
    let did = collect(&store, &needed, CollectionOptions::default());
    assert_eq!(did, would, "a dry run predicts the collection");

    assert_eq!(did.removed[&Garbage::Artifact].count, 1);
    assert!(did.removed[&Garbage::Artifact].bytes > 1001);
    assert_eq!(did.removed[&Garbage::Workspace], Amount { count: 1, bytes: 100 });
    assert_eq!((count(&did, Garbage::Evidence), count(&did, Garbage::Damaged)), (1, 1));
    assert_eq!((did.untraced.count, did.foreign.len(), did.locked.len()), (1, 1, 0));
    assert_eq!(did.kept[&Garbage::Artifact].count, 1);
    whole(&store, "live");
    assert!(!store.contains(&key("dead")).unwrap() && store.has_workspace(&key("live work")));
    assert!(!store.has_workspace(&key("dead work")));
    let evidence = |name: &str| store.segments(&key(name)).read_all().unwrap().segments.len();
    assert_eq!([evidence("live"), evidence("dead"), evidence("a mixture")], [1, 0, 1]);
    assert!(entries(&folder.path().join("trash")).is_empty());
    assert!(entries(&folder.path().join("locks")).is_empty());

    let untraced = CollectionOptions { untraced_evidence: true, ..CollectionOptions::default() };
    assert_eq!(count(&collect(&store, &needed, untraced), Garbage::Evidence), 1);
    assert_eq!([evidence("live"), evidence("a mixture")], [1, 0]);
    commit(&store, "dead", &[("weights", b"again")]);
    whole(&store, "dead");
}

#[test]
fn a_locked_key_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    commit(&store, "dead", &[("weights", b"x")]);
    store.segments(&key("dead")).append(b"claims").unwrap();
    store.workspace(&key("begun")).unwrap();
    let lock = store.try_lock(&key("dead")).unwrap().unwrap();
    let begun = store.try_lock(&key("begun")).unwrap().unwrap();
    // A live draft is protected by its own lock, not the key's.
    let draft = store.draft(&key("other")).unwrap();
    draft.write("half", b"x").unwrap();
    let did = collect(&store, &[], CollectionOptions::default());
    let mut locked = vec![(key("dead"), std::process::id()), (key("begun"), std::process::id())];
    locked.sort();
    assert_eq!((did.locked, did.removed.len()), (locked, 0));
    assert_eq!(store.worker(&key("dead")).unwrap(), Some(std::process::id()));
    whole(&store, "dead");
    assert!(draft.path("half").exists());
    drop((lock, begun, draft));
    assert_eq!(store.worker(&key("dead")).unwrap(), None);

    // Computing evidence locks a separate key.
    let computing = store.try_lock(&ArtifactStore::evidence_key(&key("dead"))).unwrap().unwrap();
    let did = collect(&store, &[], CollectionOptions::default());
    assert_eq!((count(&did, Garbage::Artifact), count(&did, Garbage::Evidence)), (1, 0));
    assert_eq!(did.locked.len(), 1);
    assert_eq!(store.segments(&key("dead")).read_all().unwrap().segments.len(), 1);
    drop(computing);
}

#[test]
fn a_kill_between_renaming_and_deleting_leaves_a_whole_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    for name in ["live", "dead", "needed again"] {
        commit(&store, name, &[("weights", name.as_bytes())]);
        store.segments(&key(name)).append(name.as_bytes()).unwrap();
    }
    let mut killed = store.collect(CollectionOptions::default()).unwrap();
    killed.set_aside(&live(&["live"])).unwrap();
    drop(killed);
    let store = ArtifactStore::open(folder.path()).unwrap();
    whole(&store, "live");
    for name in ["dead", "needed again"] {
        assert!(matches!(store.get(&key(name)).unwrap(), cadre_store::Lookup::Missing), "{name}");
    }
    // It was made again, so the one in the trash is not needed.
    commit(&store, "dead", &[("weights", b"made anew")]);

    let did = collect(&store, &["live", "needed again", "dead"], CollectionOptions::default());
    assert_eq!(did.put_back, 3, "an artifact and the evidence of two");
    assert_eq!(whole(&store, "needed again").read("weights").unwrap(), b"needed again");
    assert_eq!(whole(&store, "dead").read("weights").unwrap(), b"made anew");
    assert_eq!(store.segments(&key("needed again")).read_all().unwrap().segments.len(), 1);
    assert!(entries(&folder.path().join("trash")).is_empty());
}

#[test]
fn a_run_that_starts_meanwhile_gets_its_artifacts_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    commit(&store, "late", &[("weights", b"x")]);
    let mut collection = store.collect(CollectionOptions::default()).unwrap();
    collection.set_aside(&live(&[])).unwrap();
    assert!(!store.contains(&key("late")).unwrap());
    assert_eq!(collection.finish(&live(&["late"])).unwrap().put_back, 1);
    whole(&store, "late");
}

#[test]
fn recent_entries_stay_if_requested() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    for name in ["young", "old"] {
        commit(&store, name, &[("weights", b"x")]);
        store.segments(&key(name)).append(b"claims").unwrap();
    }
    let name = key("old").to_string();
    let old = SystemTime::now() - 3 * DAY;
    for path in [
        format!("objects/{}/{name}/manifest.json", &name[..2]),
        format!("evidence/{}/{name}.segments", &name[..2]),
    ] {
        File::options().write(true).open(folder.path().join(path)).unwrap().set_modified(old).unwrap();
    }
    let did = collect(&store, &[], CollectionOptions { keep: 2 * DAY, ..CollectionOptions::default() });
    assert_eq!((count(&did, Garbage::Artifact), count(&did, Garbage::Evidence)), (1, 1));
    whole(&store, "young");
    assert!(!store.contains(&key("old")).unwrap());
}

#[test]
fn one_collection_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let first = store.collect(CollectionOptions::default()).unwrap();
    let second = store.collect(CollectionOptions::default());
    assert!(matches!(second, Err(StoreError::Collecting { pid, .. }) if pid == std::process::id()));
    drop(first);
    store.collect(CollectionOptions::default()).unwrap();
}

#[test]
fn folders_of_runs_are_registered() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(&folder.path().join("store")).unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    assert!(store.remember_runs(&a).is_err(), "it does not exist");
    for runs in [&a, &b, &a] {
        fs::create_dir_all(runs).unwrap();
        store.remember_runs(runs).unwrap();
    }
    let known = store.known_runs().unwrap();
    assert_eq!(known, [fs::canonicalize(&a).unwrap(), fs::canonicalize(&b).unwrap()]);
    fs::remove_dir(&b).unwrap();
    assert_eq!(store.known_runs().unwrap().len(), 2, "a deleted folder stays registered");
    assert!(store.forget_runs(&known[1]).unwrap() && !store.forget_runs(&known[1]).unwrap());
    assert_eq!(store.known_runs().unwrap(), known[..1]);

    // The format of version 1, and a newer one.
    let roots = folder.path().join("store/roots");
    fs::write(roots.join("0.json"), "{\"format-version\":1,\"runs\":\"/somewhere/else\"}").unwrap();
    assert!(store.known_runs().unwrap().contains(&"/somewhere/else".into()));
    fs::write(roots.join("0.json"), "{\"format-version\":2,\"runs\":\"/x\"}").unwrap();
    assert!(matches!(store.known_runs(), Err(StoreError::NewerFormat { found: 2, .. })));
}
