//! Damaged artifacts are reported, moved to quarantine and made again; a full disk loses nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use cadre_tests::{Outcome, Workbench, repository};

use super::report_file::{report, without_times};

fn recipe() -> String {
    repository().join("recipes/smoke/see-tiny.toml").display().to_string()
}

#[test]
fn every_damaged_file_of_the_store_is_found_and_made_again() {
    let bench = Workbench::new();
    bench.cadre(&["run", &recipe()]).expect_code(0);
    let expected = without_times(report(bench.path()));
    let mut files = Vec::new();
    collect(&bench.path().join("store/objects"), &mut files);
    assert!(files.len() > 10, "{files:?}");
    let mut damaged = 0;
    for (index, file) in files.iter().enumerate() {
        if !file.exists() || file.file_name().is_some_and(|name| name == "manifest.json") {
            continue;
        }
        let mut bytes = std::fs::read(file).unwrap();
        if bytes.is_empty() {
            continue;
        }
        let place = (index * 7919) % bytes.len();
        bytes[place] ^= 0x20;
        std::fs::write(file, bytes).unwrap();
        // Damage is only found when a file is read: without the report, everything is read again.
        damaged += 1;
    }
    assert!(damaged > 10);
    let again = bench.cadre(&["run", &recipe()]).expect_code(0);
    assert!(again.stderr.contains("damaged"), "{}", again.stderr);
    let mut after = without_times(report(bench.path()));
    let mut before = expected;
    // Artifacts that were made again count as made by this run.
    for report in [&mut after, &mut before] {
        report["cost"].as_object_mut().unwrap().remove("stages");
    }
    assert_eq!(after, before);
}

#[test]
fn a_full_disk_is_reported_and_the_run_resumes_when_there_is_space() {
    let bench = Workbench::new();
    let small = bench.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=600k", "tmpfs"])
        .arg(&small)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let full = bench.cadre(&["run", &recipe(), "--store", "small"]);
    let grown =
        Command::new("mount").args(["-o", "remount,size=200m"]).arg(&small).status().unwrap().success();
    let after = bench.cadre(&["run", &recipe(), "--store", "small"]);
    Command::new("umount").arg(&small).status().unwrap();
    full.expect_code(1).expect_told(&["No space left"]);
    assert!(grown);
    after.expect_code(0);
    let expected = Workbench::new();
    expected.cadre(&["run", &recipe()]).expect_code(0);
    assert_eq!(without_times(report(bench.path())), without_times(report(expected.path())));
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let bench = Workbench::new();
    bench.cadre(&["plan", &recipe()]).expect_code(0);
    let outcome: Outcome = {
        bench.write("store/FORMAT", "9999\n");
        bench.cadre(&["run", &recipe()])
    };
    outcome.expect_code(1).expect_told(&["FORMAT"]);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
