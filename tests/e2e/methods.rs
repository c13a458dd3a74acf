//! Methods of the shipped collections: held to the cases of the reference, used in recipes, and their mistakes located.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cadre_tests::{Workbench, repository};
use serde_json::Value;

use super::report_file::run_folder;

/// The reference folder of a method, where it is not named like the method.
const FOLDERS: &[(&str, &str)] = &[("x-lora", "xlora"), ("emulated", "eft"), ("contrast", "eft")];

fn smoke(name: &str) -> String {
    repository().join("recipes/smoke").join(name).display().to_string()
}

/// The cases of a method, if they are on this machine.
fn cases(method: &str) -> PathBuf {
    let named = FOLDERS.iter().find(|(name, _)| *name == method).map(|(_, folder)| (*folder).to_owned());
    let folder = named.unwrap_or_else(|| method.replace('-', "_"));
    repository().join("../shared/reference").join(folder).join("golden.json")
}

fn methods(bench: &Workbench) -> Vec<Value> {
    let listed = bench.cadre(&["plugin", "list", "--json"]).expect_code(0);
    let lines = listed.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("slot").is_some()).collect()
}

#[test]
fn every_shipped_method_passes_all_cases_of_its_reference() {
    let bench = Workbench::new();
    let methods = methods(&bench);
    assert!(methods.len() >= 7, "{methods:?}");
    let (mut played, mut missing) = (0, Vec::new());
    for method in &methods {
        let name = method["name"].as_str().unwrap();
        let file = cases(name);
        if !file.is_file() {
            missing.push(name);
            continue;
        }
        let file = file.display().to_string();
        let outcome = bench.cadre(&["plugin", "check", name, "--cases", &file, "--json"]).expect_code(0);
        let outcome: Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
        assert_eq!(outcome["passed"], outcome["cases"], "{outcome}");
        played += outcome["cases"].as_u64().unwrap();
    }
    if !missing.is_empty() {
        eprintln!("skipped: no reference cases on this machine for {}", missing.join(", "));
    }
    eprintln!("{played} cases of {} methods", methods.len() - missing.len());
}

#[test]
fn a_case_that_fails_is_told_with_its_worst_difference() {
    let bench = Workbench::new();
    let case = |merged: f64| {
        format!(
            r#"{{"tolerance_f32": 1e-5, "cases": [{{"name": "two", "seed": 3,
                "settings": {{"weights": [1.0, 1.0], "normalize": true}},
                "inputs": {{"models": [{{"shape": [2], "data": [1.0, 3.0]}}, {{"shape": [2], "data": [3.0, 5.0]}}]}},
                "outputs": {{"merged": {{"shape": [2], "data": [2.0, {merged}]}}}}}}]}}"#
        )
    };
    bench.write("right.json", &case(4.0));
    bench.write("wrong.json", &case(4.5));
    let check = |file: &str| bench.cadre(&["plugin", "check", "averaging", "--cases", file]);
    let right = check("right.json").expect_code(0);
    assert!(right.stdout.contains("1 of 1 cases pass"), "{}", right.stdout);
    let wrong = check("wrong.json").expect_code(1);
    wrong.expect_told(&["two, seed 3", "output `merged` at 1 is 4, expected 4.5"]);
    bench.write("none.json", "{}");
    check("none.json").expect_code(1).expect_told(&["none.json", "missing field"]);
}

#[test]
fn every_shipped_collection_conforms() {
    let bench = Workbench::new();
    let collections: std::collections::BTreeSet<String> =
        methods(&bench).iter().map(|method| method["collection"].as_str().unwrap().to_owned()).collect();
    for name in collections {
        let checked = bench.cadre(&["plugin", "check", &name]).expect_code(0);
        assert!(!checked.stdout.contains("FAIL"), "{}", checked.stdout);
    }
    let shown = bench.cadre(&["plugin", "show", "task-arithmetic", "--rows", "3"]).expect_code(0);
    for part in ["lambda: a number, default 1.0", "%0: float[8, 10] = base", "merged <- %", "operations"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
}

/// Predictions of the last row of R, by task and query.
fn predictions(bench: &Workbench) -> BTreeMap<String, String> {
    let folder = run_folder(bench.path()).join("predictions");
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let key = format!("{} {} {}", path.file_name().unwrap().display(), row["task"], row["id"]);
            if let Some(text) = row["prediction"].as_str() {
                found.insert(key, text.to_owned());
            }
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn one_expert_merged_with_weight_one_answers_as_the_expert() {
    let merged = Workbench::new();
    // Enough training for answers that are not empty; what they say does not matter.
    let shared = [
        "stream.order=[\"sort\"]",
        "expert.training.epochs=60",
        "expert.training.learning-rate=0.02",
        "expert.adapter={ rank = 16, alpha = 32, dropout = 0.0, targets = [\"q\", \"k\", \"v\", \"o\", \"gate\", \"up\", \"down\"] }",
    ];
    let run = |bench: &Workbench, recipe: &str, more: &[&str]| {
        let recipe = smoke(recipe);
        let mut args = vec!["run", recipe.as_str()];
        args.extend(shared.iter().chain(more).flat_map(|set| ["--set", set]));
        bench.cadre(&args).expect_code(0);
    };
    run(&merged, "ties-tiny.toml", &["routing.merge={ plugin = \"task-arithmetic\" }"]);
    let routed = Workbench::new();
    run(&routed, "single-task-tiny.toml", &[]);
    let found = predictions(&merged);
    assert_eq!(found, predictions(&routed));
    assert!(found.values().any(|text| !text.is_empty()), "the answers show nothing: {found:?}");
}

#[test]
fn mistakes_in_a_merge_are_located_at_planning() {
    let bench = Workbench::new();
    let recipe = smoke("ties-tiny.toml");
    let plan = |set: &str| bench.cadre(&["plan", &recipe, "--set", set]).expect_code(2);
    plan("routing.merge={ plugin = \"tis\" }").expect_told(&["there is no merge `tis`", "`ties`"]);
    let bare = "routing.merge={ plugin = \"breadcrumbs\" }";
    plan(bare).expect_told(&["`breadcrumbs` requires the setting `per`", "one of \"tensor\", \"row\""]);
    plan("routing.merge={ plugin = \"ties\", rule = \"paper\", densty = 0.3 }")
        .expect_told(&["`ties` has no setting `densty`", "did you mean `density`"]);
    plan("routing.merge.density=2").expect_told(&["`density` of `ties` is 2", "at most 1"]);
    plan("routing.merge={ plugin = \"layer-swapping\", bottom = 1, top = 1, transition = 0 }")
        .expect_told(&["with 1 expert", "layer-swapping needs two experts"]);
    // A second collection that declares the same methods.
    let merges = repository().join("plugins/methods/merges/merges.wasm");
    let mine = bench.path().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::copy(merges, mine.join("others.wasm")).unwrap();
    let shipped = repository().join("plugins");
    let both = std::env::join_paths([mine, shipped]).unwrap();
    let mut twice = bench.command("cadre", &["plan", &recipe]);
    let outcome = cadre_tests::Outcome::of(&twice.env("CADRE_PLUGINS", both).output().unwrap());
    outcome.expect_code(2).expect_told(&["`ties` is declared by", "others.wasm", "merges.wasm"]);
    plan("indicator.accept=<y>").expect_told(&["`[indicator]` contradicts `routing.merge`"]);
    plan("routing.descriptors=[\"prompt-centroid\"]").expect_told(&["`descriptors` contradicts"]);
}
