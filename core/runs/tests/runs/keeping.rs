//! The artifacts the store must keep for runs: every plan counts, and an unreadable plan stops collection.

use std::fs;

use cadre_runs::{RunsError, delete_run, live_keys};
use cadre_store::{ArtifactStore, CollectionOptions, Digest, Garbage, ManifestFacts};

use super::{Runs, names};

fn key(name: &str) -> Digest {
    Digest::of_bytes(name.as_bytes())
}

fn plan(stages: &[&str]) -> String {
    let stages: Vec<String> =
        stages.iter().map(|name| format!("{{\"name\": \"{name}\", \"key\": \"{}\"}}", key(name))).collect();
    format!("{{\"format-version\": 1, \"stages\": [{}]}}", stages.join(", "))
}

fn commit(store: &ArtifactStore, name: &str) {
    let draft = store.draft(&key(name)).unwrap();
    draft.write("data", name.as_bytes()).unwrap();
    let facts = ManifestFacts {
        stage: name.to_owned(),
        kind: "train".to_owned(),
        made_by: "run".to_owned(),
        wall_seconds: 1.0,
        facts: serde_json::Value::Null,
    };
    draft.commit(facts).unwrap();
}

#[test]
fn plans_of_runs_and_sweeps_are_live() {
    let runs = Runs::new();
    fs::write(runs.begin("a", 0.1).plan(), plan(&["one", "two"])).unwrap();
    fs::write(runs.begin("b", 0.1).plan(), plan(&["two", "three"])).unwrap();
    for (folder, stage) in [(runs.path().join("sweeps/s"), "four"), (runs.path().join("../sweeps/t"), "five")]
    {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("sweep-plan.json"), plan(&[stage])).unwrap();
    }
    fs::create_dir(runs.path().join("not-a-run")).unwrap();
    // A hidden run still needs its artifacts; one that is being deleted does not.
    fs::write(runs.begin(".hidden", 0.1).plan(), plan(&["six"])).unwrap();
    fs::write(runs.begin(".deleted-c-1", 0.1).plan(), plan(&["seven"])).unwrap();
    let live = live_keys(&[runs.path()]).unwrap();
    let expected = ["one", "two", "three", "four", "five", "six"].map(key);
    assert_eq!(live, expected.into_iter().collect());
}

#[test]
fn an_unreadable_plan_is_an_error() {
    let runs = Runs::new();
    let run = runs.begin("a", 0.1);
    let folders = [runs.path()];
    for (broken, word) in [
        ("", "plan.json"),
        ("{\"format-version\": 1}", "stages"),
        ("{\"format-version\": 1, \"stages\": [{\"name\": \"x\"}]}", "key"),
        ("{\"format-version\": 1, \"stages\": [{\"key\": \"12\"}]}", "digest"),
        ("{\"format-version\": 2, \"stages\": []}", "format-version 2"),
    ] {
        fs::write(run.plan(), broken).unwrap();
        let message = cadre_store::chain(&live_keys(&folders).unwrap_err());
        assert!(message.contains(word) && message.contains("plan.json"), "{message}");
    }
    fs::remove_file(run.plan()).unwrap();
    assert!(live_keys(&folders).unwrap().is_empty(), "a run without a plan has no artifacts");
    fs::write(run.report_json(), "{}").unwrap();
    assert!(matches!(live_keys(&folders), Err(RunsError::NoPlan { .. })));
    fs::remove_dir_all(run.folder()).unwrap();
    let sweep = runs.path().join("sweeps/s");
    fs::create_dir_all(&sweep).unwrap();
    fs::write(sweep.join("sweep-plan.json"), "{\"points\": []}").unwrap();
    assert!(live_keys(&folders).unwrap_err().to_string().contains("sweep-plan.json"));
    assert!(matches!(live_keys(&[runs.path().join("gone")]), Err(RunsError::FolderGone { .. })));
}

#[test]
fn deleting_a_run_frees_what_no_other_needs() {
    let runs = Runs::new();
    let store = ArtifactStore::open(&runs.path().join("../store")).unwrap();
    for name in ["one", "two", "three"] {
        commit(&store, name);
    }
    let (a, b) = (runs.begin("a", 0.1), runs.begin("b", 0.1));
    fs::write(a.plan(), plan(&["one", "two"])).unwrap();
    fs::write(b.plan(), plan(&["two", "three"])).unwrap();

    let lock = store.try_lock(&key("one")).unwrap().unwrap();
    let refused = delete_run(&a, Some(&store)).unwrap_err();
    let own = std::process::id();
    assert!(matches!(refused, RunsError::AtWork { pid, ref stage, .. } if pid == own && stage == "one"));
    assert!(a.plan().exists());
    drop(lock);
    fs::create_dir(runs.path().join(".deleted-earlier-1")).unwrap();
    delete_run(&a, Some(&store)).unwrap();
    assert_eq!(names(&runs.path()), ["b"]);

    let live = live_keys(&[runs.path()]).unwrap();
    let mut collection = store.collect(CollectionOptions::default()).unwrap();
    collection.set_aside(&live).unwrap();
    let collected = collection.finish(&live_keys(&[runs.path()]).unwrap()).unwrap();
    assert_eq!(collected.removed[&Garbage::Artifact].count, 1);
    assert!(!store.contains(&key("one")).unwrap());
    assert!(store.contains(&key("two")).unwrap() && store.contains(&key("three")).unwrap());
}
