//! A run that is killed at any moment and restarted ends with the same report; Ctrl-C stops it cleanly.

use std::path::Path;
use std::time::{Duration, Instant};

use cadre_tests::{Workbench, repository};

use super::report_file::{report, without_times};

fn recipe() -> String {
    repository().join("recipes/smoke/see-tiny.toml").display().to_string()
}

fn undisturbed(recipe: &str) -> serde_json::Value {
    let bench = Workbench::new();
    bench.cadre(&["run", recipe]).expect_code(0);
    without_times(report(bench.path()))
}

#[test]
fn a_killed_run_ends_with_the_same_report() {
    let recipe = recipe();
    let begun = Instant::now();
    let expected = undisturbed(&recipe);
    let whole = begun.elapsed();
    let bench = Workbench::new();
    let mut kills = 0;
    // Kill times that drift over the whole run, relative to its duration on this machine: early ones fall into
    // preparation, later ones into training, evaluation and the report.
    for moment in 0..60u32 {
        let mut child = bench.start(&["run", &recipe]);
        let limit = whole * (5 + 3 * (moment % 13) + moment) / 100;
        let finished = wait(&mut child, limit);
        if finished {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    bench.cadre(&["run", &recipe]).expect_code(0);
    assert!(kills >= 3, "only {kills} kills fell into the run");
    assert_eq!(without_times(report(bench.path())), expected);
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_run_resumes() {
    let recipe = recipe();
    let expected = undisturbed(&recipe);
    let bench = Workbench::new();
    let mut child = bench.start(&["run", &recipe]);
    until_something_is_made(&mut child, bench.path());
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    bench.cadre(&["run", &recipe, "--resume-only"]).expect_code(0);
    assert_eq!(without_times(report(bench.path())), expected);
}

/// Waits for an event rather than for a time: a fast machine finishes in a second.
fn until_something_is_made(child: &mut std::process::Child, folder: &Path) {
    while !something_is_made(folder) {
        assert!(!wait(child, Duration::from_millis(2)), "the run was over before it could be stopped");
    }
}

/// Whether this process was started with SIGHUP ignored, which child processes inherit.
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 1
}

#[test]
fn a_closed_terminal_stops_the_run_like_ctrl_c_unless_nohup_is_used() {
    if hang_up_is_ignored() {
        println!(
            "skipped: these tests were started with SIGHUP ignored (nohup), and programs they start ignore it too"
        );
        return;
    }
    let recipe = recipe();
    let expected = undisturbed(&recipe);
    let bench = Workbench::new();
    let mut child = bench.start(&["run", &recipe]);
    until_something_is_made(&mut child, bench.path());
    // Twice, as the shell and the kernel do when a terminal is closed: neither ends the process immediately.
    let kill = format!("kill -HUP {0}; kill -HUP {0}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    bench.cadre(&["run", &recipe, "--resume-only"]).expect_code(0);
    assert_eq!(without_times(report(bench.path())), expected);

    let kept = Workbench::new();
    let cadre = kept.command("cadre", &["run", &recipe]);
    let mut nohup = std::process::Command::new("nohup");
    nohup.arg(cadre.get_program()).args(["run", &recipe, "--quiet"]).current_dir(kept.path());
    nohup.envs(cadre.get_envs().filter_map(|(name, value)| Some((name, value?))));
    nohup
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let mut child = nohup.spawn().unwrap();
    until_something_is_made(&mut child, kept.path());
    let kill = std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn resume_only_starts_no_new_run() {
    let bench = Workbench::new();
    bench.cadre(&["run", &recipe(), "--resume-only"]).expect_code(2).expect_told(&["resume"]);
    assert!(!bench.path().join("runs").exists());
}

/// Whether a stage has committed its artifact.
fn something_is_made(folder: &Path) -> bool {
    let Ok(runs) = std::fs::read_dir(folder.join("runs")) else { return false };
    runs.flatten().any(|run| {
        let events = std::fs::read_to_string(run.path().join("events.jsonl")).unwrap_or_default();
        events.contains("\"finished\"")
    })
}

/// Whether the program ended within the time limit.
fn wait(child: &mut std::process::Child, limit: Duration) -> bool {
    let step = Duration::from_millis(10).min(limit);
    let mut waited = Duration::ZERO;
    while waited < limit {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(step);
        waited += step;
    }
    false
}
