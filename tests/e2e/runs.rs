//! Past runs as a database: list, filter, compare, tag, export, delete, and collect the store's garbage afterwards.

use std::path::{Path, PathBuf};

use cadre_tests::{Workbench, repository};
use serde_json::Value;

fn smoke(name: &str) -> String {
    repository().join("recipes/smoke").join(name).display().to_string()
}

/// Two runs of the backbone alone, with different seeds.
fn two_runs(bench: &Workbench) {
    for seed in ["seed=0", "seed=1"] {
        bench.cadre(&["run", &smoke("zero-shot-tiny.toml"), "--set", seed, "--quiet"]).expect_code(0);
    }
}

fn rows(bench: &Workbench, args: &[&str]) -> Vec<Value> {
    let outcome = bench.cadre(&[&["runs", "--json"][..], args].concat()).expect_code(0);
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn artifacts(bench: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for shelf in std::fs::read_dir(bench.join("store/objects")).unwrap() {
        found.extend(std::fs::read_dir(shelf.unwrap().path()).unwrap().map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
fn runs_are_listed_filtered_compared_tagged_and_exported() {
    let bench = Workbench::new();
    let none = bench.cadre(&["runs"]).expect_code(0);
    assert!(none.stderr.contains("there are no runs") && none.stdout.is_empty(), "{}", none.stderr);
    two_runs(&bench);

    let all = rows(&bench, &["--sort", "-seed"]);
    assert_eq!(all.iter().map(|row| row["seed"].as_i64().unwrap()).collect::<Vec<_>>(), [1, 0]);
    assert!(all.iter().all(|row| row["average-score"].is_number()), "{all:?}");
    let (one, zero) = (all[0]["id"].as_str().unwrap(), all[1]["id"].as_str().unwrap());
    let chosen = rows(&bench, &["--where", "seed = 1 and name = zero-shot-tiny", "--columns", "id,state"]);
    assert_eq!(chosen.len(), 1);
    assert_eq!((&chosen[0]["id"], &chosen[0]["state"]), (&Value::from(one), &Value::from("done")));
    let table = bench.cadre(&["runs", "--limit", "1"]).expect_code(0);
    assert_eq!(table.stdout.lines().count(), 2, "{}", table.stdout);
    bench.cadre(&["runs", "--where", "sed > 0"]).expect_code(2).expect_told(&[
        "--where",
        "column 1",
        "did you mean `seed`",
    ]);

    bench.cadre(&["runs", "tag", one, "+good", "+paper"]).expect_code(0);
    bench.cadre(&["runs", "tag", one, "-paper"]).expect_code(0);
    let good = rows(&bench, &["--where", "tag = good", "--columns", "id,tags"]);
    assert_eq!((good.len(), &good[0]["tags"]), (1, &Value::from("good")));
    bench.cadre(&["runs", "tag", one, "good"]).expect_code(2).expect_told(&["+good"]);

    let both = bench.cadre(&["runs", "compare", one, zero, "--json"]).expect_code(0);
    let both: Value = serde_json::from_str(&both.stdout).unwrap();
    let differs: Vec<&Value> = both["recipe"].as_array().unwrap().iter().map(|row| &row["key"]).collect();
    assert!(differs.contains(&&Value::from("seed")), "{both}");
    assert!(both["figures"].as_array().unwrap().iter().any(|row| row["key"] == "average-score"));
    let shown = bench.cadre(&["runs", "show", zero]).expect_code(0);
    assert!(shown.stdout.contains("average-score") && shown.stdout.contains("device.backend"));
    bench.cadre(&["runs", "show", "zero"]).expect_code(2).expect_told(&["choose", one, zero]);

    bench.cadre(&["runs", "export", "--to", "out/runs.csv"]).expect_code(0);
    let csv = std::fs::read_to_string(bench.path().join("out/runs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 3);
    bench.cadre(&["runs", "export", one, "--to", "out/runs.parquet"]).expect_code(0);
    assert!(std::fs::read(bench.path().join("out/runs.parquet")).unwrap().ends_with(b"PAR1"));
    bench.cadre(&["runs", "export", one, "--to", "out/board", "--format", "tensorboard"]).expect_code(0);
    assert_eq!(std::fs::read_dir(bench.path().join("out/board").join(one)).unwrap().count(), 1);
    bench.cadre(&["runs", "export", "--to", "out/runs.xls"]).expect_code(2).expect_told(&[".parquet"]);

    // The index is only a cache: without it, everything is as before.
    for file in [".index.sqlite", ".index.lock"] {
        let path = bench.path().join("runs").join(file);
        assert!(path.is_file(), "{file}");
        std::fs::write(path, "nonsense").unwrap();
    }
    let outcome = bench.cadre(&["runs", "--sort", "-seed", "--json", "--columns", "id"]).expect_code(0);
    assert_eq!(outcome.stdout.lines().count(), 2);
}

#[test]
fn gc_removes_what_no_run_needs() {
    let bench = Workbench::new();
    two_runs(&bench);
    let before = artifacts(bench.path());
    let gc = |args: &[&str]| {
        let outcome = bench.cadre(&[&["store", "gc", "--json"][..], args].concat()).expect_code(0);
        serde_json::from_str::<Value>(&outcome.stdout).unwrap()
    };
    let idle = gc(&[]);
    assert_eq!(idle["removed"].get("artifacts"), None, "{idle}");
    assert_eq!(artifacts(bench.path()), before);

    let zero =
        rows(&bench, &["--where", "seed = 0", "--columns", "id"])[0]["id"].as_str().unwrap().to_owned();
    bench.cadre(&["runs", "delete", "zero-shot"]).expect_code(2).expect_told(&["choose", &zero]);
    bench.cadre(&["runs", "delete", &zero]).expect_code(0);
    assert_eq!(rows(&bench, &["--columns", "id"]).len(), 1);
    let would = gc(&["--dry-run"]);
    let count = would["removed"]["artifacts"]["count"].as_u64().unwrap();
    assert!(count > 0, "{would}");
    assert_eq!(artifacts(bench.path()), before, "a dry run removes nothing");
    assert_eq!(gc(&["--keep-days", "2"])["removed"].get("artifacts"), None);
    let did = gc(&[]);
    assert_eq!(did["removed"]["artifacts"], would["removed"]["artifacts"]);
    assert_eq!(artifacts(bench.path()).len() as u64, before.len() as u64 - count);

    // What is kept is all that the other run needs; what was removed is made again.
    let again = bench.cadre(&["run", &smoke("zero-shot-tiny.toml"), "--set", "seed=1"]).expect_code(0);
    assert!(again.stderr.contains("are done already"), "{}", again.stderr);
    bench.cadre(&["run", &smoke("zero-shot-tiny.toml"), "--set", "seed=0", "--quiet"]).expect_code(0);
    assert_eq!(artifacts(bench.path()), before);

    // A run in another folder counts too, wherever garbage is collected; an unreadable plan stops the collection.
    bench
        .cadre(&["run", &smoke("zero-shot-tiny.toml"), "--set", "seed=0", "--runs", "others", "--quiet"])
        .expect_code(0);
    bench.cadre(&["runs", "delete", &zero, "--gc"]).expect_code(0);
    assert_eq!(artifacts(bench.path()), before);
    let other = std::fs::read_dir(bench.path().join("others")).unwrap().next().unwrap().unwrap().path();
    let plan = std::fs::read(other.join("plan.json")).unwrap();
    std::fs::write(other.join("plan.json"), &plan[..plan.len() / 2]).unwrap();
    bench.cadre(&["store", "gc"]).expect_code(1).expect_told(&["plan.json", "line"]);
    std::fs::remove_dir_all(bench.path().join("others")).unwrap();
    bench.cadre(&["store", "gc"]).expect_code(1).expect_told(&["others", "--forget"]);
    assert_eq!(artifacts(bench.path()), before);
    assert!(gc(&["--forget", "others"])["removed"]["artifacts"]["count"].as_u64().unwrap() > 0);
}
