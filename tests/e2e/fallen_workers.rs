//! Workers of a sweep that die: each is replaced, and a stage at which several workers die counts as failed.

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use cadre_tests::{Outcome, Workbench, children, kill};
use serde_json::Value;

use crate::sweep::{figures, smoke, sweep_folder};

/// Two points that share only their data: the second has a different learning rate.
fn args() -> Vec<String> {
    let recipe = smoke("sequential-tiny.toml");
    ["sweep", &recipe, "--grid", "expert.training.learning-rate=0.003,0.001", "--jobs", "2"]
        .map(str::to_owned)
        .to_vec()
}

/// The locks of the stages that train the first task, by point.
fn locks(bench: &Workbench) -> Option<Vec<PathBuf>> {
    let folder = std::fs::read_dir(bench.path().join("sweeps")).ok()?.next()?.ok()?.path();
    let plan: Value = serde_json::from_slice(&std::fs::read(folder.join("sweep-plan.json")).ok()?).ok()?;
    let stages = plan["stages"].as_array()?;
    let first = |point: &Value| {
        let places = point["stages"].as_array()?.iter().filter_map(Value::as_u64);
        let stages = places.map(|place| &stages[place as usize]);
        let key = |stage: &Value| stage["key"].as_str().map(|key| format!("store/locks/{key}.lock"));
        let mut training =
            stages.filter(|stage| stage["name"].as_str().is_some_and(|name| name.starts_with("train/")));
        Some(bench.path().join(training.next().and_then(key)?))
    };
    plan["points"].as_array()?.iter().map(first).collect()
}

/// Kills workers that do the first training stage of the second point, up to a number of times, until the sweep ends.
fn killing(bench: &Workbench, max_kills: usize) -> (Outcome, usize) {
    let words: Vec<String> = args();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = bench.command("cadre", &words);
    let said = bench.path().join("said.txt");
    command.stdout(std::process::Stdio::null()).stderr(std::fs::File::create(&said).unwrap());
    let mut sweep: Child = command.spawn().unwrap();
    let mut killed = Vec::new();
    let code = loop {
        if let Some(status) = sweep.try_wait().unwrap() {
            break status.code();
        }
        let lock = locks(bench).map(|locks| locks[1].clone());
        let holder =
            lock.and_then(|lock| std::fs::read_to_string(lock).ok()).and_then(|pid| pid.parse().ok());
        if let Some(pid) = holder
            && killed.len() < max_kills
            && !killed.contains(&pid)
            && children(sweep.id()).contains(&pid)
        {
            kill(pid);
            killed.push(pid);
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let outcome = Outcome { code, stdout: String::new(), stderr: std::fs::read_to_string(said).unwrap() };
    (outcome, killed.len())
}

#[test]
fn a_worker_that_dies_is_replaced() {
    let bench = Workbench::new();
    let (outcome, killed) = killing(&bench, 1);
    assert_eq!(killed, 1);
    let outcome = outcome.expect_code(0);
    assert!(
        outcome.stderr.contains("killed by signal 9") && outcome.stderr.contains("another took its place"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_stage_at_which_workers_die_fails_and_the_rest_continues() {
    let bench = Workbench::new();
    let (outcome, killed) = killing(&bench, usize::MAX);
    assert!(killed >= 2, "{killed}");
    let outcome = outcome.expect_code(1);
    assert!(outcome.stderr.contains("1 of 2 points failed"), "{}", outcome.stderr);
    let report = figures(bench.path());
    let state = |at: usize| report["points"][at]["state"].as_str().unwrap();
    assert_eq!([state(0), state(1)], ["done", "failed"]);
    let problem = report["points"][1]["problem"].as_str().unwrap();
    assert!(problem.starts_with("train/") && problem.contains("2 workers died at it"), "{problem}");
    let events = std::fs::read_to_string(sweep_folder(bench.path()).join("events.jsonl")).unwrap();
    assert!(events.contains("2 workers died at it"), "it must be an event");
    // Without kills the sweep resumes, with the results of an undisturbed one.
    let words: Vec<String> = args();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    bench.cadre(&words).expect_code(0);
    let alone = Workbench::new();
    alone.cadre(&words).expect_code(0);
    assert_eq!(figures(bench.path()), figures(alone.path()));
}
