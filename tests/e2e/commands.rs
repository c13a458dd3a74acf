//! Every command except `run` does what its help says.

use cadre_tests::{Workbench, repository};
use serde_json::Value;

use super::report_file::run_folder;

fn smoke() -> String {
    repository().join("recipes/smoke/see-tiny.toml").display().to_string()
}

#[test]
fn expand_prints_an_equivalent_recipe() {
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
fn cadre_plan_prints_the_same_plan_as_cadre() {
    let bench = Workbench::new();
    let whole = bench.cadre(&["plan", &smoke(), "--json"]).expect_code(0);
    let light = bench.planner(&["plan", &smoke(), "--json"]).expect_code(0);
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parse(&whole.stdout), parse(&light.stdout));
}

#[test]
fn cadre_plan_prints_which_backend_to_build() {
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
fn completions_exist_for_every_shell() {
    let bench = Workbench::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.cadre(&["completions", shell]).expect_code(0);
        assert!(script.stdout.contains("cadre"), "{shell}");
    }
}

#[test]
fn doctor_reports_what_is_present() {
    let bench = Workbench::new();
    let checkout = bench.write("checkout/README.md", "").with_file_name("");
    let doctor = || {
        let mut command = bench.command("cadre", &["doctor"]);
        command.env_remove("CADRE_DATA").current_dir(&checkout);
        cadre_tests::Outcome::of(&command.output().unwrap()).expect_code(0).stdout
    };
    let output = doctor();
    for word in ["cpu", "store", "see", "fix: export CADRE_DATA"] {
        assert!(output.contains(word), "{word}\n{output}");
    }
    bench.write("shared/data/README.md", "");
    let output = doctor();
    assert!(
        output.contains("shared/data is used instead") && !output.contains("fix: export CADRE_DATA"),
        "{output}"
    );
}

#[test]
fn doctor_fails_if_something_is_broken() {
    let bench = Workbench::new();
    let mut command = bench.command("cadre", &["doctor"]);
    let outcome = cadre_tests::Outcome::of(&command.env("CADRE_PLUGINS", "nowhere").output().unwrap());
    assert!(outcome.stdout.contains("fix: "), "{}", outcome.stdout);
    outcome.expect_code(1).expect_told(&["policies"]);
}

#[test]
fn plugins_are_listed_and_checked() {
    let bench = Workbench::new();
    let list = bench.cadre(&["plugin", "list"]).expect_code(0);
    for name in ["see", "oracle", "nearest", "random", "kmeans"] {
        assert!(list.stdout.contains(name), "{name}\n{}", list.stdout);
        let file = repository().join("plugins").join(name).join(format!("{name}.wasm"));
        bench.cadre(&["plugin", "check", &file.display().to_string()]).expect_code(0);
        bench.cadre(&["plugin", "check", name]).expect_code(0);
    }
    let list = bench.cadre(&["plugin", "list", "--json"]).expect_code(0);
    for line in list.stdout.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let contract = match entry["kind"].as_str() {
            Some("methods") => "0.1.0",
            Some(_) => "0.2.0",
            // A method of a collection.
            None => continue,
        };
        assert_eq!((&entry["version"], &entry["contract"]), (&"0.1.0".into(), &contract.into()), "{line}");
    }
}

#[test]
fn a_file_that_is_not_a_component_fails_its_check() {
    let bench = Workbench::new();
    bench.write("no.wasm", "not a component");
    bench.cadre(&["plugin", "check", "no-such"]).expect_code(2).expect_told(&["no-such", "see"]);
    bench.cadre(&["plugin", "check", "no.wasm"]).expect_code(1).expect_told(&["no.wasm"]);
}

/// The output of `data show --json` for a recipe.
fn shown(bench: &Workbench, args: &[&str]) -> Vec<Value> {
    let recipe = smoke();
    let mut all = vec!["data", "show", &recipe, "--json"];
    all.extend(args);
    let outcome = bench.cadre(&all).expect_code(0);
    outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The text of the tokens with loss, and of the others.
fn by_loss(row: &Value) -> (String, String) {
    let texts = row["text"].as_array().unwrap().iter().map(|text| text.as_str().unwrap());
    let learned = row["learned"].as_array().unwrap().iter().map(|learned| learned.as_bool().unwrap());
    let (mut with, mut without) = (String::new(), String::new());
    for (text, learned) in texts.zip(learned) {
        if learned { with.push_str(text) } else { without.push_str(text) }
    }
    (with, without)
}

#[test]
fn data_show_prints_rows_of_an_expert_with_indicator_and_loss_mask() {
    let bench = Workbench::new();
    let rows = shown(&bench, &[]);
    let of = |expert: &str, origin: &str| -> Vec<&Value> {
        rows.iter().filter(|row| row["expert"] == expert && row["as"] == origin).collect()
    };
    let experts: Vec<&str> = rows.iter().map(|row| row["expert"].as_str().unwrap()).collect();
    let (first, last) = (experts[0], experts[experts.len() - 1]);
    assert_ne!(first, last);
    assert!(of(first, "rehearsed").is_empty(), "the first task has no earlier tasks");
    assert!(!of(last, "rehearsed").is_empty() && !of(first, "pseudo-negative").is_empty());
    for row in &rows {
        let (learned, given) = by_loss(row);
        if row["as"] == "own" {
            assert!(learned.starts_with("<accept>") && learned.len() > "<accept>".len(), "{row}");
            assert_eq!(row["task"], row["expert"]);
        } else {
            assert_eq!(learned, "<reject>", "{row}");
            assert_ne!(row["task"], row["expert"]);
        }
        assert!(given.starts_with("<bos>") && !given.contains("<accept>"), "{row}");
    }
    // With their responses, if the recipe keeps them; of a single task, if requested.
    let kept = shown(&bench, &["--set", "rehearsal.negatives-keep-response=true", "--task", last]);
    assert!(kept.iter().all(|row| row["expert"] == last));
    let rejected = kept.iter().find(|row| row["as"] == "rehearsed").unwrap();
    let learned = by_loss(rejected).0;
    assert!(learned.starts_with("<reject>") && learned.ends_with("<eos>"), "{learned}");
}

#[test]
fn data_show_prints_the_actual_rows_after_a_run_with_the_same_tokens() {
    let bench = Workbench::new();
    let before = shown(&bench, &["-n", "3"]);
    bench.cadre(&["run", &smoke(), "--quiet"]).expect_code(0);
    let after = shown(&bench, &["-n", "3"]);
    assert!(before.iter().all(|row| row["composed"] == false));
    assert!(after.iter().all(|row| row["composed"] == true));
    // The run's tokenizer is the one that was shown before it.
    let ids = |rows: &[Value]| -> Vec<Value> {
        rows.iter().filter(|row| row["as"] == "own").map(|row| row["ids"].clone()).collect()
    };
    assert_eq!(ids(&before), ids(&after));
}

#[test]
fn data_show_is_legible_without_colours() {
    let bench = Workbench::new();
    let shown = bench.cadre(&["data", "show", &smoke(), "-n", "1"]).expect_code(0);
    assert!(shown.stdout.contains("⟦<accept>│") && shown.stdout.contains("⟦<reject>⟧"), "{}", shown.stdout);
    assert!(!shown.stdout.contains('\x1b'), "{}", shown.stdout);
    let coloured = coloured(&bench, &["data", "show", &smoke(), "-n", "1"], "CLICOLOR_FORCE", "1");
    assert!(coloured.contains("\x1b["), "{coloured}");
    let tests = bench.cadre(&["data", "show", &smoke(), "--split", "test"]).expect_code(0);
    assert!(tests.stdout.contains("⟦<accept>│"), "{}", tests.stdout);
    bench
        .cadre(&["data", "show", &smoke(), "--task", "sorrt"])
        .expect_code(2)
        .expect_told(&["sorrt", "sort"]);
}

#[test]
fn data_show_without_indicators_prints_none() {
    let bench = Workbench::new();
    for (name, target) in
        [("sequential-tiny", "answer"), ("multi-task-tiny", "answer"), ("zero-shot-tiny", "")]
    {
        let recipe = repository().join(format!("recipes/smoke/{name}.toml")).display().to_string();
        let outcome = bench.cadre(&["data", "show", &recipe, "--json", "-n", "1"]).expect_code(0);
        for line in outcome.stdout.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            assert_eq!(row["target"].as_str().unwrap_or(""), target, "{name}: {row}");
        }
        assert!(!outcome.stdout.contains("<accept>"), "{name}");
    }
}

/// Standard output with this environment variable set.
fn coloured(bench: &Workbench, args: &[&str], variable: &str, value: &str) -> String {
    let mut command = bench.command("cadre", args);
    command.env(variable, value);
    cadre_tests::Outcome::of(&command.output().unwrap()).expect_code(0).stdout
}

#[test]
fn colours_are_used_only_where_wanted() {
    let bench = Workbench::new();
    for args in [vec!["plan", &smoke()], vec!["doctor"]] {
        assert!(!bench.cadre(&args).stdout.contains('\x1b'), "{args:?}: a pipe is not a terminal");
        assert!(coloured(&bench, &args, "CLICOLOR_FORCE", "1").contains("\x1b["), "{args:?}");
        let mut command = bench.command("cadre", &args);
        command.env("CLICOLOR_FORCE", "0").env("NO_COLOR", "1");
        let plain = cadre_tests::Outcome::of(&command.output().unwrap()).expect_code(0);
        assert!(!plain.stdout.contains('\x1b'), "{args:?}");
    }
}

#[test]
fn every_command_supports_json() {
    let bench = Workbench::new();
    let recipe = smoke();
    let see = repository().join("plugins/see/see.wasm").display().to_string();
    for args in [
        vec!["plan", &recipe],
        vec!["expand", &recipe],
        vec!["schema"],
        vec!["doctor"],
        vec!["data", "show", "synthetic"],
        vec!["plugin", "list"],
        vec!["plugin", "check", &see],
        vec!["run", &recipe],
    ] {
        let outcome = bench.cadre(&[&args[..], &["--json"]].concat()).expect_code(0);
        let values = serde_json::Deserializer::from_str(&outcome.stdout).into_iter::<Value>();
        let count = values.map(|value| assert!(value.is_ok(), "{args:?}: {value:?}")).count();
        assert!(count > 0, "{args:?}");
        assert_eq!(outcome.stderr, "", "{args:?}");
    }
}

#[test]
fn a_closed_pipe_ends_every_command_with_an_error() {
    let bench = Workbench::new();
    let recipe = smoke();
    for args in [
        vec!["schema"],
        vec!["completions", "bash"],
        vec!["expand", &recipe],
        vec!["plan", &recipe],
        vec!["doctor"],
        vec!["plugin", "list"],
        vec!["data", "show", "synthetic"],
    ] {
        let mut command = bench.command("cadre", &args);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        cadre_tests::Outcome::of(&output).expect_code(1).expect_told(&["standard output", "Broken pipe"]);
    }
}

#[test]
fn read_only_commands_create_no_folders() {
    let bench = Workbench::new();
    let recipe = smoke();
    let see = repository().join("plugins/see/see.wasm").display().to_string();
    for args in [
        vec!["plan", &recipe],
        vec!["expand", &recipe],
        vec!["doctor"],
        vec!["data", "show", &recipe],
        vec!["plugin", "list"],
        vec!["plugin", "check", &see],
        vec!["report", "see-tiny"],
        vec!["runs"],
        vec!["store", "gc"],
        vec!["ask", "see-tiny", "who are you?"],
    ] {
        bench.cadre(&args);
        let left: Vec<_> =
            std::fs::read_dir(bench.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{args:?} left {left:?}");
    }
}

#[test]
fn quiet_prints_only_results() {
    let bench = Workbench::new();
    let outcome = bench.cadre(&["run", &smoke(), "--quiet"]).expect_code(0);
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    let planned = bench.cadre(&["plan", &smoke(), "--quiet"]).expect_code(0);
    assert!(planned.stdout.contains("cached"), "{}", planned.stdout);
}

#[test]
fn cadre_plan_accepts_the_same_options() {
    let bench = Workbench::new();
    let options = ["--store", "s", "--runs", "r", "--quiet"];
    for command in ["plan", "expand"] {
        let recipe = smoke();
        let args = [&[command, recipe.as_str()][..], &options].concat();
        assert_eq!(bench.planner(&args).expect_code(0).stdout, bench.cadre(&args).expect_code(0).stdout);
        let json = [&args[..], &["--json"]].concat();
        assert_eq!(bench.planner(&json).expect_code(0).stdout, bench.cadre(&json).expect_code(0).stdout);
    }
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

    let answer: Value =
        serde_json::from_str(&bench.cadre(&["ask", &id, "sort: 2 1", "--json"]).expect_code(0).stdout)
            .unwrap();
    assert!(answer["answer"].is_string() && !answer["asked"].as_array().unwrap().is_empty(), "{answer}");
    let again: Value =
        serde_json::from_str(&bench.cadre(&["report", &id, "--json"]).expect_code(0).stdout).unwrap();
    assert_eq!(again, super::report_file::report(bench.path()));
}

#[test]
fn report_opens_the_page_in_a_browser() {
    use std::os::unix::fs::PermissionsExt;

    let bench = Workbench::new();
    let recipe = repository().join("recipes/smoke/zero-shot-tiny.toml").display().to_string();
    bench.cadre(&["run", &recipe, "--quiet"]).expect_code(0);
    let opener = bench.write("bin/xdg-open", "#!/bin/sh\necho \"$1\" > opened.new && mv opened.new opened\n");
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bench.path().join("bin").display());
    let mut command = bench.command("cadre", &["report", "zero-shot-tiny", "--open"]);
    let outcome = cadre_tests::Outcome::of(&command.env("PATH", path).output().unwrap()).expect_code(0);
    assert!(outcome.stdout.contains("zero-shot-tiny"), "{}", outcome.stdout);
    let opened = bench.path().join("opened");
    while !opened.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(std::fs::read_to_string(opened).unwrap().contains("report.html"));

    let mut command = bench.command("cadre", &["report", "zero-shot-tiny", "--open"]);
    let outcome = cadre_tests::Outcome::of(&command.env("PATH", "/nowhere").output().unwrap());
    outcome.expect_code(2).expect_told(&["xdg-open", "by hand"]);
}
