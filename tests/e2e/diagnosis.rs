//! A failed training is diagnosed in the report and in the summary; claims are shown on the scale that the router
//! compares.

use cadre_tests::{Workbench, repository};
use serde_json::Value;

use super::report_file::{report, run_folder};

fn smoke(name: &str) -> String {
    repository().join("recipes/smoke").join(name).display().to_string()
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn a_training_that_is_too_short_is_reported_everywhere() {
    let bench = Workbench::new();
    // Twenty-four examples in batches of eight, two epochs: a few steps, most of them warm-up.
    let outcome =
        bench.cadre(&["run", &smoke("see-tiny.toml"), "--set", "expert.training.warmup=4"]).expect_code(0);
    let report = report(bench.path());
    assert_eq!(report["format-version"], 2);
    let codes = codes(&report);
    assert!(codes.contains(&"training-short") && codes.contains(&"few-negatives"), "{codes:?}");
    for (expert, of_tasks) in report["experts"].as_array().unwrap().iter().zip(0..) {
        assert_eq!(expert["negatives"]["from-outside"], 8);
        assert_eq!(expert["negatives"]["of-tasks"].as_object().unwrap().len(), of_tasks);
        let steps = expert["steps"].as_u64().unwrap();
        assert!((6..30).contains(&steps), "{steps}");
    }
    let text = report["findings"][0]["text"].as_str().unwrap();
    assert!(outcome.stdout.contains(text), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("    try "), "{}", outcome.stdout);
    let folder = run_folder(bench.path());
    let markdown = std::fs::read_to_string(folder.join("report.md")).unwrap();
    assert!(markdown.lines().nth(2).unwrap().starts_with("- **"), "{markdown}");
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.find("What went wrong").unwrap() < page.find("Average score").unwrap());
    // Eighteen queries are too few for an interval, and the measures are those of their second definitions.
    assert_eq!(report["average-score-interval"], Value::Null);
    assert!(report["backward-transfer-clipped"].as_f64().unwrap() <= 0.0);
    assert_eq!(report["baseline-scores"].as_array().unwrap().len(), 3);
}

#[test]
fn average_scores_of_enough_queries_have_an_interval() {
    let bench = Workbench::new();
    let more = ["--set", "stream.limits.test=20", "--set", "evaluation.metrics=[\"rouge-l\"]"];
    let command: Vec<&str> = vec!["run", "--quiet"];
    let recipe = smoke("zero-shot-tiny.toml");
    let command: Vec<&str> = command.into_iter().chain([recipe.as_str()]).chain(more).collect();
    bench.cadre(&command).expect_code(0);
    let report = report(bench.path());
    let interval = &report["average-score-interval"];
    let score = report["average-score"].as_f64().unwrap();
    if score > 0.0 {
        assert_eq!((&interval["over"], &interval["queries"]), (&"test-examples".into(), &60.into()));
        let (low, high) = (interval["low"].as_f64().unwrap(), interval["high"].as_f64().unwrap());
        assert!(low <= score && score <= high && low < high, "{interval} of {score}");
    } else {
        assert_eq!(*interval, Value::Null, "all queries score alike");
    }
}

#[test]
fn the_threshold_is_shown_on_the_scale_the_router_compares() {
    let bench = Workbench::new();
    for (score, line, scale) in [
        ("renormalised", true, "accept / (accept + reject)"),
        ("raw", true, "the probability of the accepting indicator"),
        ("greedy", false, "accept / (accept + reject)"),
    ] {
        let outcome = bench
            .cadre(&[
                "run",
                &smoke("see-tiny.toml"),
                "--json",
                "--set",
                &format!("routing.router.score={score}"),
            ])
            .expect_code(0);
        let ended: Value = serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap();
        assert!(!ended["findings"].as_array().unwrap().is_empty(), "{ended}");
        let page = std::path::Path::new(ended["report"].as_str().unwrap()).with_file_name("report.html");
        let page = std::fs::read_to_string(bench.path().join(page)).unwrap();
        assert!(page.replace("&#x2f;", "/").contains(scale), "{score}");
        assert_eq!(page.contains("stroke=\"var(--threshold)\""), line, "{score}");
        assert_eq!(page.contains("</span>threshold 0.5"), line, "{score}");
    }
}
