//! Sweeps: shared stages are done once, workers share the work, failures are reported and the rest continues; kills,
//! damage and a full disk do not change any figure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use cadre_tests::{Outcome, Workbench, children, kill, repository};
use serde_json::Value;

pub(crate) fn smoke(name: &str) -> String {
    repository().join("recipes/smoke").join(name).display().to_string()
}

/// The only folder in `sweeps/`.
pub(crate) fn sweep_folder(bench: &Path) -> PathBuf {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(bench.join("sweeps")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.remove(0)
}

/// `sweep.json` without its times: the part that must be equal in two sweeps over the same points.
pub(crate) fn figures(bench: &Path) -> Value {
    let text = std::fs::read(sweep_folder(bench).join("sweep.json")).unwrap();
    let mut report: Value = serde_json::from_slice(&text).unwrap();
    for list in ["points", "settings"] {
        for entry in report[list].as_array_mut().unwrap() {
            assert!(entry.as_object_mut().unwrap().remove("times").is_some(), "{list} have times");
        }
    }
    report
}

/// Three thresholds and two seeds of the smallest SEE recipe.
fn small() -> Vec<String> {
    let grid = |grid: &str| ["--grid".to_owned(), grid.to_owned()];
    let mut args = vec!["sweep".to_owned(), smoke("see-tiny.toml")];
    args.extend(grid("routing.router.threshold=0.1,0.5,0.9"));
    args.extend(grid("seed=0,1"));
    args.extend(["--baseline".to_owned(), "see-tiny[threshold=0.5]".to_owned()]);
    args
}

fn cadre(bench: &Workbench, args: &[String], more: &[&str]) -> Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
    bench.cadre(&args)
}

/// How often a stage of this kind was started, by any worker.
fn begun(bench: &Path, kind: &str) -> usize {
    let text = std::fs::read_to_string(sweep_folder(bench).join("events.jsonl")).unwrap_or_default();
    let of_kind = |event: &Value| {
        event["stage"].as_str().is_some_and(|stage| stage == kind || stage.starts_with(&format!("{kind}/")))
            && event["kind"] == "started"
    };
    text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(of_kind).count()
}

#[test]
fn points_share_what_they_have_in_common() {
    let bench = Workbench::new();
    let outcome = cadre(&bench, &small(), &["--dry-run", "--json"]).expect_code(0);
    let plan: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(
        !bench.path().join("store").exists() && !bench.path().join("sweeps").exists(),
        "a dry run writes nothing"
    );
    let count = |name: &str| plan["stages"][name].as_u64().unwrap();
    assert_eq!((plan["points"].as_array().unwrap().len(), count("cached")), (6, 0));
    assert_eq!(count("without-sharing"), 120);
    assert_eq!(count("to-do"), count("distinct"));
    assert_eq!(
        plan["stages"]["to-do-by-kind"]["train"], 6,
        "three tasks and two seeds; thresholds need no training"
    );
    let planner: Vec<String> = small().into_iter().filter(|arg| arg != "--dry-run").collect();
    let planner: Vec<&str> = planner.iter().map(String::as_str).chain(["--json"]).collect();
    let light: Value = serde_json::from_str(&bench.planner(&planner).expect_code(0).stdout).unwrap();
    assert_eq!(light, plan, "cadre-plan prints the same");

    let outcome = cadre(&bench, &small(), &[]).expect_code(0);
    assert!(outcome.stdout.contains("6 of 6 points done"), "{}", outcome.stdout);
    assert_eq!((begun(bench.path(), "train"), begun(bench.path(), "backbone")), (6, 1));
    let folder = sweep_folder(bench.path());
    let report = figures(bench.path());
    assert_eq!(report["points"].as_array().unwrap().len(), 6);
    assert_eq!(report["settings"].as_array().unwrap().len(), 3);
    assert_eq!(report["baseline"], "see-tiny[threshold=0.5]");
    assert_eq!(report["settings"][0]["differences"]["average-score"]["pairs"], 2);
    for point in report["points"].as_array().unwrap() {
        assert!(folder.join(point["report"].as_str().unwrap()).is_file(), "{point}");
    }
    let csv = std::fs::read_to_string(folder.join("sweep.csv")).unwrap();
    assert_eq!(csv.lines().count(), 7);
    let page = std::fs::read_to_string(folder.join("sweep.html")).unwrap();
    assert!(page.contains("see-tiny[threshold=0.9]") && page.contains("<svg"));

    // A point is the same run as its recipe alone.
    let set = ["run", &smoke("see-tiny.toml"), "--set", "routing.router.threshold=0.9", "--set", "seed=1"];
    assert!(bench.cadre(&set).expect_code(0).stderr.contains("stages are done already"));
    // Again: nothing is left to do.
    let again = cadre(&bench, &small(), &[]).expect_code(0);
    assert!(again.stderr.contains(" 0 to do"), "{}", again.stderr);
    assert_eq!(figures(bench.path()), report);
    let status = bench.cadre(&["sweep", "status", "see-tiny"]).expect_code(0);
    assert!(status.stdout.contains("6 of 6 points done"), "{}", status.stdout);
    bench.cadre(&["sweep", "cancel", "see-tiny"]).expect_code(2).expect_told(&["not submitted"]);
    bench.cadre(&["sweep", "status", "nobody"]).expect_code(2).expect_told(&["nobody", "see-tiny"]);
}

#[test]
fn workers_share_a_sweep_with_the_same_results() {
    let alone = Workbench::new();
    cadre(&alone, &small(), &[]).expect_code(0);
    let many = Workbench::new();
    cadre(&many, &small(), &["--jobs", "4"]).expect_code(0);
    assert_eq!(figures(many.path()), figures(alone.path()));
    assert_eq!((begun(many.path(), "train"), begun(many.path(), "evaluate")), (6, 18));
    let locks = std::fs::read_dir(many.path().join("store/locks")).map_or(0, Iterator::count);
    assert_eq!(locks, 0, "no lock is left behind");
}

#[test]
fn two_sweeps_at_once_do_no_stage_twice() {
    let alone = Workbench::new();
    cadre(&alone, &small(), &[]).expect_code(0);
    let bench = Workbench::new();
    let start = |sweeps: &str, jobs: &str| {
        let args: Vec<String> = small();
        let args: Vec<&str> =
            args.iter().map(String::as_str).chain(["--sweeps", sweeps, "--jobs", jobs]).collect();
        bench.start(&args)
    };
    let (mut one, mut other) = (start("sweeps", "1"), start("others", "2"));
    assert!(one.wait().unwrap().success() && other.wait().unwrap().success());
    assert_eq!(figures(bench.path()), figures(alone.path()));
    let mut done: Vec<String> = Vec::new();
    for folder in ["sweeps", "others"] {
        let sweep = std::fs::read_dir(bench.path().join(folder)).unwrap().next().unwrap().unwrap().path();
        let text = std::fs::read_to_string(sweep.join("events.jsonl")).unwrap();
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            if event["kind"] == "started" {
                done.push(event["key"].as_str().unwrap().to_owned());
            }
        }
    }
    let distinct: BTreeSet<&String> = done.iter().collect();
    assert_eq!(distinct.len(), done.len(), "a stage was done twice");
    assert_eq!(std::fs::read_dir(bench.path().join("store/locks")).map_or(0, Iterator::count), 0);
}

#[test]
fn several_recipes_form_one_sweep() {
    let bench = Workbench::new();
    let recipes = ["see-tiny.toml", "sequential-tiny.toml", "zero-shot-tiny.toml"].map(smoke);
    let args: Vec<&str> = ["sweep"].into_iter().chain(recipes.iter().map(String::as_str)).collect();
    let outcome =
        bench.cadre(&[&args[..], &["--baseline", "sequential-tiny", "--jobs", "2"]].concat()).expect_code(0);
    assert!(outcome.stdout.contains("3 of 3 points done"), "{}", outcome.stdout);
    assert_eq!(begun(bench.path(), "backbone"), 1, "all share one backbone");
    let report = figures(bench.path());
    assert_eq!(report["settings"][1]["name"], "sequential-tiny");
    let wrong = bench.cadre(&[&args[..], &["--baseline", "sequentail-tiny"]].concat()).expect_code(2);
    assert!(wrong.stderr.contains("sequential-tiny"), "{}", wrong.stderr);
    let twice = [&args[..], &[args[1]]].concat();
    bench.cadre(&twice).expect_code(2).expect_told(&["is called `see-tiny` too"]);
}

#[test]
fn errors_of_points_are_reported_before_anything_runs() {
    let bench = Workbench::new();
    let see = smoke("see-tiny.toml");
    let wrong = |grid: &str, messages: &[&str]| {
        bench.cadre(&["sweep", &see, "--grid", grid]).expect_code(2).expect_told(messages);
        assert!(!bench.path().join("store").exists() && !bench.path().join("sweeps").exists());
    };
    wrong("routing.ruter.threshold=0.1", &["routing.router.threshold"]);
    wrong("routing.router.threshold=0.1,x", &["see-tiny[threshold=x]", "threshold"]);
    wrong("stream.order=short,shrot", &["see-tiny[order=shrot]", "short"]);
    wrong("expert.per=task,stream", &["see-tiny[per=stream]", "routing"]);
    wrong("expert.adapter.rank=4,0", &["expert.adapter.rank", "0"]);
}

/// A sweep with a point whose training must fail: its scale is not finite in the learner's precision.
fn with_a_failure(bench: &Workbench) -> Vec<String> {
    bench.write("mine.toml", &format!("inherit = [{:?}]\n", smoke("sequential-tiny.toml")));
    ["sweep", "mine.toml", "--grid", "expert.adapter.alpha=1e300,8"].map(str::to_owned).to_vec()
}

#[test]
fn a_failed_point_is_reported_and_the_rest_continues() {
    let bench = Workbench::new();
    let args = with_a_failure(&bench);
    let states = || -> Vec<String> {
        let report = figures(bench.path());
        let points = report["points"].as_array().unwrap();
        points.iter().map(|point| point["state"].as_str().unwrap().to_owned()).collect()
    };
    cadre(&bench, &args, &["--fail-fast"]).expect_code(1);
    assert_eq!(states(), ["failed", "left"]);
    for jobs in ["1", "3"] {
        let outcome = cadre(&bench, &args, &["--jobs", jobs]).expect_code(1);
        assert!(outcome.stderr.contains("1 of 2 points failed"), "{}", outcome.stderr);
        assert_eq!(states(), ["failed", "done"]);
        let report = figures(bench.path());
        let problem = report["points"][0]["problem"].as_str().unwrap().to_owned();
        assert!(problem.starts_with("train/") && problem.contains("step 1"), "{problem}");
        let status = bench.cadre(&["sweep", "status", "mine"]).expect_code(0);
        assert!(status.stdout.contains("failed: train/"), "{}", status.stdout);
    }
    // With a finite scale the same recipe succeeds, and the stages of the other point are reused.
    let fixed: Vec<String> = args.iter().map(|arg| arg.replace("1e300", "4")).collect();
    let outcome = cadre(&bench, &fixed, &[]).expect_code(0);
    assert!(outcome.stdout.contains("2 of 2 points done"), "{}", outcome.stdout);
}

#[test]
fn ctrl_c_stops_all_workers_and_the_sweep_resumes() {
    let alone = Workbench::new();
    cadre(&alone, &small(), &[]).expect_code(0);
    let bench = Workbench::new();
    let args: Vec<String> = small();
    let args: Vec<&str> = args.iter().map(String::as_str).chain(["--jobs", "3"]).collect();
    let mut child = bench.start(&args);
    let there =
        || std::fs::read_dir(bench.path().join("sweeps")).is_ok_and(|mut folders| folders.next().is_some());
    while !there() || begun(bench.path(), "prepare") < 3 {
        assert!(child.try_wait().unwrap().is_none(), "the sweep was over before it could be stopped");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    cadre(&bench, &small(), &[]).expect_code(0);
    assert_eq!(figures(bench.path()), figures(alone.path()));
}

/// A pseudo-random number from 0 to `end` (exclusive), determined by `count`.
fn draw(count: u64, end: u64) -> u64 {
    let mut x = count.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (x ^ (x >> 31)) % end
}

fn ended_within(child: &mut Child, limit: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if child.try_wait().unwrap().is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Changes one byte of an artifact.
fn damage(store: &Path, count: u64) {
    let mut found = Vec::new();
    files(&store.join("objects"), &mut found);
    found.sort();
    if found.is_empty() {
        return;
    }
    let file = &found[draw(count, found.len() as u64) as usize];
    if let Ok(mut bytes) = std::fs::read(file)
        && !bytes.is_empty()
    {
        let index = draw(count + 1, bytes.len() as u64) as usize;
        bytes[index] ^= 0x11;
        std::fs::write(file, bytes).unwrap();
    }
}

/// Kills and damages a sweep and, if a small file system can be mounted, fills its disk, until `CADRE_KILLS` kills
/// (default 6) have happened; whenever the sweep finishes, its results must be those of an undisturbed one.
#[test]
fn kills_damage_and_a_full_disk_change_no_figure() {
    let wanted: u64 = std::env::var("CADRE_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(6);
    let alone = Workbench::new();
    cadre(&alone, &small(), &["--jobs", "4"]).expect_code(0);
    let expected = figures(alone.path());
    let begun = Instant::now();
    cadre(&Workbench::new(), &small(), &["--jobs", "4"]).expect_code(0);
    let whole = begun.elapsed().as_millis() as u64 + 1;

    let (mut kills, mut ends, mut round) = (0, 0, 0u64);
    while kills < wanted {
        let bench = Workbench::new();
        let store = bench.path().join("store");
        std::fs::create_dir(&store).unwrap();
        // Every other sweep starts on a disk that will soon be full.
        let disk = if ends % 2 == 1 { Disk::mounted(&store) } else { None };
        let args: Vec<String> = small();
        let args: Vec<&str> = args.iter().map(String::as_str).chain(["--jobs", "4"]).collect();
        loop {
            round += 1;
            let mut child = bench.start(&args);
            let limit = Duration::from_millis(draw(round * 3, whole));
            let over = ended_within(&mut child, limit) || kills >= wanted;
            if over {
                let done = child.wait().unwrap().success();
                if done {
                    break;
                }
                // The disk is full only for a while.
                if let Some(disk) = &disk {
                    disk.grow();
                }
                continue;
            }
            let workers = children(child.id());
            // Kill all processes at once, or a single worker while the others continue.
            if draw(round * 5, 3) == 0 && !workers.is_empty() {
                kill(workers[draw(round * 7, workers.len() as u64) as usize]);
                kills += 1;
                let done = child.wait().unwrap().success();
                if done {
                    break;
                }
            } else {
                kill(child.id());
                workers.iter().for_each(|pid| kill(*pid));
                kills += 1 + workers.len() as u64;
                let _ = child.wait();
            }
            if draw(round * 11, 2) == 0 {
                damage(&store, round * 13);
            }
        }
        // Artifacts damaged after their last use do not affect the report.
        cadre(&bench, &small(), &["--jobs", "4"]).expect_code(0);
        assert_eq!(figures(bench.path()), expected, "after {kills} kills");
        ends += 1;
    }
    println!("{kills} kills, {ends} finished sweeps");
}

/// A small file system that is mounted as long as this value lives.
struct Disk(PathBuf);

impl Disk {
    fn mounted(at: &Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=700k", "tmpfs"]).arg(at).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("the part with a full disk is skipped: a small file system cannot be mounted here");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    fn grow(&self) {
        let grown = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&self.0).status().unwrap();
        assert!(grown.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
