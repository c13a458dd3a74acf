//! The main workflow: recipe, plan, stages, report; a second run finds everything done.

use cadre_tests::{Workbench, repository};

use super::report_file::{report, run_folder, without_times};

fn smoke(name: &str) -> String {
    repository().join("recipes/smoke").join(name).display().to_string()
}

#[test]
fn a_recipe_runs_to_its_report_and_the_second_run_finds_everything_done() {
    let bench = Workbench::new();
    let recipe = smoke("see-tiny.toml");
    bench.cadre(&["run", &recipe]).expect_code(0);
    let first = report(bench.path());
    assert_eq!(first["format-version"], 2);
    let tasks = first["tasks"].as_array().unwrap().len();
    assert!(tasks >= 2, "{first}");
    let matrix = first["score-matrix"].as_array().unwrap();
    assert_eq!(matrix.len(), tasks);
    for (row, scores) in matrix.iter().enumerate() {
        for (column, score) in scores.as_array().unwrap().iter().enumerate() {
            assert!(score.is_number() || column > row, "R[{row}][{column}] = {score}");
        }
    }
    assert_eq!(first["experts"].as_array().unwrap().len(), tasks);
    assert_eq!(first["cost"]["stages"]["cached"], 0);
    assert!(first["cost"]["probes"]["computed"].as_u64() <= first["cost"]["probes"]["asked"].as_u64());
    let folder = run_folder(bench.path());
    for file in ["recipe.toml", "plan.json", "events.jsonl", "report.md", "report.html"] {
        assert!(folder.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    assert!(folder.join("predictions").read_dir().unwrap().next().is_some());

    let events = std::fs::read_to_string(folder.join("events.jsonl")).unwrap();
    for line in events.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }

    let again = bench.cadre(&["run", &recipe]).expect_code(0);
    assert!(again.stderr.contains("are done already"), "{}", again.stderr);
    assert_eq!(report(bench.path()), first, "a second run changes nothing, not even times");
}

#[test]
fn bfloat16_runs_on_the_cpu_and_gradient_checkpointing_remakes_nothing() {
    let bench = Workbench::new();
    let recipe = smoke("see-tiny.toml");
    let half = ["run", &recipe, "--set", "device.precision=bf16"];
    bench.cadre(&half).expect_code(0);
    let first = report(bench.path());
    assert_eq!(first["provenance"]["precision"], "bf16", "{first}");
    let again = bench.cadre(&[&half[..], &["--set", "device.gradient-checkpointing=true"]].concat());
    let stderr = again.expect_code(0).stderr;
    assert!(stderr.contains("are done already"), "{stderr}");
}

#[test]
fn gradient_checkpointing_ends_in_the_same_report() {
    let recipe = smoke("see-tiny.toml");
    let run = |more: &[&str]| {
        let bench = Workbench::new();
        bench.cadre(&[&["run", &recipe, "--quiet"], more].concat()).expect_code(0);
        without_times(report(bench.path()))
    };
    assert_eq!(run(&[]), run(&["--set", "device.gradient-checkpointing=true"]));
}

#[test]
fn the_html_report_makes_no_network_requests() {
    let bench = Workbench::new();
    bench.cadre(&["run", &smoke("see-tiny.toml"), "--quiet"]).expect_code(0);
    let page = std::fs::read_to_string(run_folder(bench.path()).join("report.html")).unwrap();
    for call in ["src=\"http", "href=\"http", "@import", "url(http", "fetch("] {
        assert!(!page.contains(call), "{call}");
    }
    assert!(page.matches("<svg").count() >= 4, "plots");
}

#[test]
fn two_concurrent_stages_give_the_same_report_as_one() {
    let recipe = smoke("see-tiny.toml");
    let one = Workbench::new();
    one.cadre(&["run", &recipe]).expect_code(0);
    let two = Workbench::new();
    two.cadre(&["run", &recipe, "--jobs", "2"]).expect_code(0);
    assert_eq!(without_times(report(one.path())), without_times(report(two.path())));
}

#[test]
fn methods_share_common_stages() {
    let bench = Workbench::new();
    bench.cadre(&["run", &smoke("see-tiny.toml")]).expect_code(0);
    let planned = bench
        .cadre(&["plan", &smoke("see-tiny.toml"), "--set", "routing.router.threshold=0.9"])
        .expect_code(0);
    let to_train =
        planned.stdout.lines().filter(|line| line.contains("train/") && line.contains("to do")).count();
    assert_eq!(to_train, 0, "a different threshold trains nothing\n{}", planned.stdout);
}
