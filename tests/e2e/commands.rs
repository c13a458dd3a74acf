//! Every command but `run`: it does what its help says.

use cadre_tests::{Workbench, repository};
use serde_json::Value;

use super::report_file::run_folder;

fn smoke() -> String {
    repository().join("recipes/smoke/see-tiny.toml").display().to_string()
}

#[test]
fn expand_gives_a_recipe_that_means_the_same() {
    let bench = Workbench::new();
    let expanded = bench.cadre(&["expand", &smoke(), "--set", "seed=7"]).expect_code(0);
    assert!(expanded.stdout.contains("seed = 7"), "{}", expanded.stdout);
    bench.write("again.toml", &expanded.stdout);
    let key = |recipe: &str, sets: &[&str]| {
        let mut args = vec!["plan", recipe, "--json"];
        args.extend(sets);
        let plan: Value = serde_json::from_str(&bench.cadre(&args).expect_code(0).stdout).unwrap();
        plan["run-key"].clone()
    };
    assert_eq!(key("again.toml", &[]), key(&smoke(), &["--set", "seed=7"]));
}

#[test]
fn the_light_program_plans_what_the_whole_one_plans() {
    let bench = Workbench::new();
    let whole = bench.cadre(&["plan", &smoke(), "--json"]).expect_code(0);
    let light = bench.planner(&["plan", &smoke(), "--json"]).expect_code(0);
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(&whole.stdout), parse(&light.stdout));
}

#[test]
fn the_light_program_says_which_backend_to_build() {
    let bench = Workbench::new();
    let backend = |sets: &[&str]| {
        let recipe = smoke();
        let args: Vec<&str> = ["backend", &recipe].into_iter().chain(sets.iter().copied()).collect();
        bench.planner(&args)
    };
    assert_eq!(backend(&[]).expect_code(0).stdout, "cpu\n");
    assert_eq!(backend(&["--set", "device.backend=cuda:1"]).expect_code(0).stdout, "cuda:1\n");
    backend(&["--set", "seeed=1"]).expect_code(2).expect_told(&["seeed"]);
}

#[test]
fn the_schema_is_the_one_in_the_repository() {
    let bench = Workbench::new();
    let schema = bench.cadre(&["schema"]).expect_code(0);
    let kept = std::fs::read_to_string(repository().join("core/recipe/recipe.schema.json")).unwrap();
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(&schema.stdout), parse(&kept));
}

#[test]
fn completions_come_for_every_shell() {
    let bench = Workbench::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.cadre(&["completions", shell]).expect_code(0);
        assert!(script.stdout.contains("cadre"), "{shell}");
    }
}

#[test]
fn doctor_says_what_is_there() {
    let bench = Workbench::new();
    let told = bench.cadre(&["doctor"]);
    assert!(told.code == Some(0) || told.code == Some(1));
    for word in ["cpu", "store", "see"] {
        assert!(told.stdout.contains(word), "{word}\n{}", told.stdout);
    }
}

#[test]
fn plugins_are_listed_and_checked() {
    let bench = Workbench::new();
    let list = bench.cadre(&["plugin", "list"]).expect_code(0);
    for name in ["see", "oracle", "nearest", "random", "kmeans"] {
        assert!(list.stdout.contains(name), "{name}\n{}", list.stdout);
        let file = repository().join("plugins").join(name).join(format!("{name}.wasm"));
        bench.cadre(&["plugin", "check", &file.display().to_string()]).expect_code(0);
    }
    let list = bench.cadre(&["plugin", "list", "--json"]).expect_code(0);
    for line in list.stdout.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&entry["version"], &entry["contract"]), (&"0.1.0".into(), &"0.2.0".into()), "{line}");
    }
}

#[test]
fn a_file_that_is_no_component_fails_its_check() {
    let bench = Workbench::new();
    bench.write("no.wasm", "not a component");
    bench.cadre(&["plugin", "check", "no.wasm"]).expect_code(1).expect_told(&["no.wasm"]);
}

#[test]
fn data_show_marks_what_carries_loss() {
    let bench = Workbench::new();
    let shown = bench.cadre(&["data", "show", &smoke()]).expect_code(0);
    assert!(shown.stdout.contains('⟦') && shown.stdout.contains('⟧'), "{}", shown.stdout);
}

#[test]
fn a_finished_run_answers_questions() {
    let bench = Workbench::new();
    bench.cadre(&["run", &smoke(), "--quiet"]).expect_code(0);
    let folder = run_folder(bench.path());
    let id = folder.file_name().unwrap().to_string_lossy().into_owned();

    let asked = bench.cadre(&["ask", &id, "put the numbers in order: 3 1 2"]).expect_code(0);
    assert!(asked.stdout.contains("claim") || asked.stdout.contains("accept"), "{}", asked.stdout);

    std::fs::remove_file(folder.join("report.html")).unwrap();
    bench.cadre(&["report", &id]).expect_code(0);
    assert!(folder.join("report.html").exists());

    bench.cadre(&["report", "nothing-like-it"]).expect_code(2).expect_told(&["nothing-like-it"]);
}
