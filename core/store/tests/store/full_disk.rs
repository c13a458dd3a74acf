//! A full disk: the error names file and cause, partial writes do not count, and existing data is kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use cadre_store::{ArtifactStore, StoreError};

use crate::{commit, entries, facts, key, whole};

const WHERE: &str = "CADRE_STORE_TEST_SMALL_DISK";

/// A 256 KiB disk, if this process may mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=256k", "cadre-test"])
            .arg(folder)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(folder.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    match SmallDisk::mount(folder.path()) {
        Some(disk) => fill(&disk.0),
        None => {
            // If mounting is not permitted: a child process whose files are limited to 64 KiB.
            let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" full_disk::child --exact";
            let program = std::env::current_exe().unwrap();
            let output =
                Command::new("bash").args(["-c", script]).arg(program).env(WHERE, folder.path()).output();
            let output = output.unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

/// Not a test of its own: the body of the child process.
#[test]
fn child() {
    if let Ok(folder) = std::env::var(WHERE) {
        fill(Path::new(&folder));
    }
}

fn fill(folder: &Path) {
    let store = ArtifactStore::open(folder).unwrap();
    commit(&store, "small", &[("f", &[1; 1000])]);
    let segments = store.segments(&key("s"));
    segments.append(b"first").unwrap();

    let draft = store.draft(&key("large")).unwrap();
    let problem = draft.write("weights", &[1; 400_000]).unwrap_err();
    let StoreError::Write { path, .. } = &problem else { panic!("{problem:?}") };
    assert!(path.ends_with("weights"));
    let message = problem.to_string();
    assert!(message.contains("what was finished is kept"), "{message}");
    assert!(segments.append(&[7; 400_000]).is_err());
    assert!(cadre_store::write_atomic(&folder.join("report.json"), &[1; 400_000]).is_err());
    assert!(!folder.join("report.json").exists());
    drop(draft);

    // There is space again.
    assert!(!store.contains(&key("large")).unwrap());
    assert_eq!(entries(&folder.join("drafts")), [""; 0]);
    assert_eq!(segments.read_all().unwrap().segments, [b"first".to_vec()]);
    segments.append(b"second").unwrap();
    whole(&ArtifactStore::open(folder).unwrap(), "small");
    let draft = store.draft(&key("large")).unwrap();
    draft.write("weights", &[1; 10_000]).unwrap();
    draft.commit(facts("large")).unwrap();
    whole(&store, "large");
}
