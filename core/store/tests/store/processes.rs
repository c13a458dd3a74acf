//! Several processes share a store, and some die midway. The children are this test program, controlled by environment
//! variables.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cadre_store::{ArtifactStore, Lookup};

use crate::{entries, facts, key, whole};

const WHAT: &str = "CADRE_STORE_TEST_CHILD";
const WHERE: &str = "CADRE_STORE_TEST_FOLDER";

fn spawn(what: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["processes::child", "--exact", "--nocapture"])
        .env(WHAT, what)
        .env(WHERE, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads a child's output up to the line `word`.
fn hear(child: &mut Child, word: &str) -> BufReader<std::process::ChildStdout> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while output.read_line(&mut line).unwrap() > 0 {
        if line.contains(word) {
            return output;
        }
        line.clear();
    }
    panic!("the child never printed {word}");
}

/// Not a test of its own: the body of the child processes.
#[test]
fn child() {
    let Ok(what) = std::env::var(WHAT) else { return };
    let store = ArtifactStore::open(Path::new(&std::env::var(WHERE).unwrap())).unwrap();
    match what.as_str() {
        "die in a draft" => {
            let _lock = store.lock(&key("a"), &mut |_| {}).unwrap();
            let draft = store.draft(&key("a")).unwrap();
            draft.write("f", &[1; 1000]).unwrap();
            std::fs::write(store.workspace(&key("a")).unwrap().join("checkpoint"), b"step 7").unwrap();
            std::process::abort();
        }
        "die in an append" => {
            store.segments(&key("s")).append(b"whole").unwrap();
            let path = store.root().join("evidence").join(&key("s").to_string()[..2]);
            let file = path.join(format!("{}.segments", key("s")));
            let mut bytes = std::fs::read(&file).unwrap();
            bytes.extend_from_slice(b"SEG1\x40\0\0\0\0\0\0\0 cut off here");
            std::fs::write(&file, bytes).unwrap();
            std::process::abort();
        }
        "hold" => {
            let _lock = store.lock(&key("a"), &mut |_| {}).unwrap();
            println!("holding");
            std::thread::sleep(Duration::from_secs(60));
        }
        "race" => {
            let _lock = store.lock(&key("a"), &mut |_| {}).unwrap();
            if matches!(store.get(&key("a")).unwrap(), Lookup::Missing) {
                println!("made");
                let draft = store.draft(&key("a")).unwrap();
                std::thread::sleep(Duration::from_millis(50));
                draft.write("pid", std::process::id().to_string().as_bytes()).unwrap();
                draft.commit(facts("race")).unwrap();
            } else {
                println!("found");
            }
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_kill_during_a_draft_leaves_no_artifact_and_keeps_the_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let status = spawn("die in a draft", folder.path()).wait().unwrap();
    assert!(!status.success());
    let store = ArtifactStore::open(folder.path()).unwrap();
    assert!(matches!(store.get(&key("a")).unwrap(), Lookup::Missing));
    assert_eq!(entries(&folder.path().join("drafts")).len(), 1, "what the dead process left");
    let checkpoint = store.workspace(&key("a")).unwrap().join("checkpoint");
    assert_eq!(std::fs::read(checkpoint).unwrap(), b"step 7");

    let lock = store.try_lock(&key("a")).unwrap();
    assert!(lock.is_some(), "the lock of a dead process is free");
    let draft = store.draft(&key("a")).unwrap();
    assert_eq!(entries(&folder.path().join("drafts")).len(), 1, "all but the new one were swept");
    draft.write("f", b"x").unwrap();
    draft.commit(facts("a")).unwrap();
    whole(&store, "a");
    drop(lock);
    assert_eq!(entries(&folder.path().join("locks")), [""; 0]);
}

#[test]
fn a_lock_reports_its_holder_and_is_free_when_the_holder_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let store = ArtifactStore::open(folder.path()).unwrap();
    let mut child = spawn("hold", folder.path());
    let _output = hear(&mut child, "holding");
    assert!(store.try_lock(&key("a")).unwrap().is_none());
    assert_eq!(store.lock_or_holder(&key("a")).unwrap().unwrap_err(), child.id());
    assert!(store.try_lock(&key("b")).unwrap().is_some(), "other keys are free");

    let pid = child.id();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let mut waited_for = Vec::new();
    let lock = store.lock(&key("a"), &mut |holder| waited_for.push(holder)).unwrap();
    assert_eq!(waited_for, [pid]);
    killer.join().unwrap();
    assert!(store.try_lock(&key("a")).unwrap().is_none(), "one holder also within a process");
    drop(lock);
    assert!(store.try_lock(&key("a")).unwrap().is_some());
}

#[test]
fn of_processes_that_race_for_a_key_only_one_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<Child> = (0..6).map(|_| spawn("race", folder.path())).collect();
    let mut makers = Vec::new();
    for mut child in children {
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        if said.contains("made") {
            makers.push(child.id().to_string());
        } else {
            assert!(said.contains("found"), "{said}");
        }
    }
    assert_eq!(makers.len(), 1);
    let store = ArtifactStore::open(folder.path()).unwrap();
    assert_eq!(whole(&store, "a").read("pid").unwrap(), makers[0].as_bytes());
}

#[test]
fn a_kill_in_an_append_loses_only_that_segment() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!spawn("die in an append", folder.path()).wait().unwrap().success());
    let store = ArtifactStore::open(folder.path()).unwrap();
    let segments = store.segments(&key("s"));
    segments.append(b"after").unwrap();
    let read = segments.read_all().unwrap();
    assert_eq!(read.segments, [b"whole".to_vec(), b"after".to_vec()]);
    assert!(read.damaged.is_empty(), "moved to quarantine by the append");
    assert_eq!(entries(&folder.path().join("quarantine")).len(), 1);
}
