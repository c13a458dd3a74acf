//! Tests of settings, pairs, fronts, order and files; mismatches are rejected by name.

use serde_json::{Map, Value, json};

use super::{
    Difference, FIGURES, IntervalMethod, PointOutcome, PointState, SweepInput, SweepReport, SweepRun,
    SweepStages, TIMES,
};
use crate::{EvalError, Report, ScoreMatrix};

const VERSION_1: &str = include_str!("../../fixtures/sweep_v1.json");

fn values(pairs: Value) -> Map<String, Value> {
    pairs.as_object().unwrap().clone()
}

fn report(score: f64, tokens: u64) -> Box<Report> {
    let mut report = Report::from_json(include_str!("../../fixtures/report_v1.json")).unwrap();
    report.average_score = Some(score);
    report.cost.training_tokens = tokens;
    Box::new(report)
}

fn run(setting: &str, threshold: Value, seed: u64, order: Option<&str>, outcome: PointOutcome) -> SweepRun {
    SweepRun {
        name: format!("{setting} seed {seed} {}", order.unwrap_or("-")),
        setting: setting.to_owned(),
        recipe: "see".to_owned(),
        values: values(json!({ "threshold": threshold })),
        seed,
        order: order.map(str::to_owned),
        run: format!("run-{setting}-{seed}"),
        report: None,
        outcome,
    }
}

fn done(setting: &str, threshold: f64, seed: u64, order: Option<&str>, score: f64) -> SweepRun {
    run(setting, json!(threshold), seed, order, PointOutcome::Done(report(score, 1000)))
}

fn input(points: Vec<SweepRun>) -> SweepInput {
    SweepInput {
        name: "thresholds".to_owned(),
        key: "abc".to_owned(),
        baseline: Some("a".to_owned()),
        keys: vec!["threshold".to_owned()],
        stages: SweepStages { distinct: 10, without_sharing: 40 },
        points,
    }
}

#[test]
fn pairs_are_those_of_equal_seed_and_order() {
    let report = SweepReport::of(input(vec![
        done("a", 0.1, 1, Some("O1"), 50.0),
        done("a", 0.1, 1, Some("O2"), 60.0),
        done("a", 0.1, 2, Some("O1"), 70.0),
        run("a", json!(0.1), 2, Some("O2"), PointOutcome::Failed("killed".to_owned())),
        done("b", 0.2, 1, Some("O1"), 53.0), // + 3
        done("b", 0.2, 1, Some("O2"), 61.0), // + 1
        run("b", json!(0.2), 2, Some("O1"), PointOutcome::Left),
        done("b", 0.2, 2, Some("O2"), 99.0), // its pair failed
        done("b", 0.2, 3, Some("O1"), 99.0), // it has no pair
        done("c", 0.3, 1, Some("O1"), 48.0), // − 2, one pair
        done("d", 0.4, 1, None, 90.0),       // no order is not O1
    ]))
    .unwrap();
    let [a, b, c, d] = &report.settings[..] else { panic!("four settings") };
    assert_eq!((a.replicates, a.failed, a.left), (3, 1, 0));
    assert_eq!((b.replicates, b.failed, b.left), (4, 0, 1));
    assert_eq!(a.figures["average-score"].mean, 60.0);
    assert_eq!(a.figures["average-score"].deviation, Some(10.0));
    assert!(a.differences.is_empty(), "the baseline differs from nothing");
    // Two pairs: 2 ± 12.7062 · 1.
    let found = b.differences["average-score"];
    assert_eq!((found.mean, found.pairs, found.method), (2.0, 2, Some(IntervalMethod::PairedT)));
    assert!((found.low.unwrap() + 10.706204736174694).abs() < 1e-9);
    assert!((found.high.unwrap() - 14.706204736174694).abs() < 1e-9);
    let expected = Difference { mean: -2.0, low: None, high: None, method: None, pairs: 1 };
    assert_eq!(c.differences["average-score"], expected);
    assert!(d.differences.is_empty());
    // The fixture has no such figure.
    assert!(!b.differences.contains_key("forward-transfer") && !b.figures.contains_key("forward-transfer"));
    assert_eq!(report.points[0].scores["forward-transfer"], None);
}

#[test]
fn fronts_go_by_means_of_settings() {
    let point = |setting: &str, seed, score, tokens| {
        run(setting, json!(setting), seed, None, PointOutcome::Done(report(score, tokens)))
    };
    let report = SweepReport::of(input(vec![
        point("a", 1, 80.0, 1000),
        point("a", 2, 90.0, 1000), // a: 85 for 1000
        point("b", 1, 85.0, 1000), // a tie
        point("c", 1, 84.0, 1000), // a and b beat it
        point("d", 1, 86.0, 1001), // better and more expensive
        run("e", json!("e"), 1, None, PointOutcome::Left),
    ]))
    .unwrap();
    let on = |cost: &str| -> Vec<&str> {
        let settings = report.settings.iter().filter(|setting| setting.on_front.iter().any(|of| of == cost));
        settings.map(|setting| setting.name.as_str()).collect()
    };
    assert_eq!(on("training-tokens"), ["a", "b", "d"]);
    // All have the same number of probes, so only the best score is on the front.
    assert_eq!(on("probes-per-query"), ["d"]);
}

#[test]
fn figures_are_those_of_the_report() {
    let report = SweepReport::of(input(vec![done("a", 0.1, 1, None, 92.875)])).unwrap();
    let point = &report.points[0];
    let expected = [
        ("average-score", 92.875),
        ("backward-transfer", -1.5),
        ("forgetting", 1.5),
        ("routing-accuracy", 0.95),
        ("out-of-distribution", 0.9),
        ("probes-per-query", 1.5),
        ("probes-asked", 80.0),
        ("training-tokens", 1000.0),
        ("training-examples", 260.0),
        ("parameters", 8192.0),
        ("bytes", 33024.0),
        ("average-score.exact-match", 92.875),
        ("score.sorting", 88.5),
        ("score.tagging", 97.25),
    ];
    for (name, value) in expected {
        assert_eq!(point.scores[name], Some(value), "{name}");
    }
    assert_eq!(point.scores["final-loss"], None, "one expert of the fixture has none");
    assert_eq!(point.scores.len(), FIGURES.len() + 1 + 2, "one metric, two tasks");
    assert_eq!(point.times["wall-seconds"], Some(12.5));
    let names: std::collections::BTreeSet<_> = FIGURES.iter().chain(TIMES).map(|entry| entry.name).collect();
    assert_eq!(names.len(), FIGURES.len() + TIMES.len(), "a name twice");
}

#[test]
fn scores_are_averaged_over_replicates_of_one_order() {
    let of = |seed: u64, order: &str, names: [&str; 2], rows: [[Option<f64>; 2]; 2]| {
        let mut report = report(90.0, 1000);
        report.tasks = names.map(str::to_owned).to_vec();
        report.score_matrix = ScoreMatrix::from_rows(rows.map(|row| row.to_vec()).to_vec()).unwrap();
        run("a", json!(0.1), seed, Some(order), PointOutcome::Done(report))
    };
    let report = SweepReport::of(input(vec![
        of(1, "O1", ["x", "y"], [[Some(90.0), None], [Some(80.0), Some(99.999_999_5)]]),
        of(2, "O1", ["x", "y"], [[Some(92.0), Some(1.0)], [Some(81.0), Some(100.0)]]),
        of(1, "O2", ["y", "x"], [[Some(70.0), Some(2.0)], [Some(60.0), Some(85.0)]]),
    ]))
    .unwrap();
    let setting = &report.settings[0];
    let [first, second] = &setting.streams[..] else { panic!("two orders") };
    assert_eq!((first.tasks.join(" "), first.replicates), ("x y".to_owned(), 2));
    let rows = [[Some(91.0), None], [Some(80.5), Some(100.0)]];
    assert_eq!(first.score_matrix.rows(), rows.map(|row| row.to_vec()), "null where a replicate has none");
    assert_eq!((second.tasks.join(" "), second.replicates), ("y x".to_owned(), 1));
    // By task, whatever its place in the stream.
    assert_eq!(setting.figures["score.x"].mean, 82.0);
    assert_eq!(report.points[0].scores["score.y"], Some(100.0), "rounded to six decimals");
    let after: Vec<f64> = setting.average_scores.iter().map(|of| of.unwrap().mean).collect();
    assert_eq!(after[0], 84.0);
    assert!((after[1] - (90.0 + 90.5 + 72.5) / 3.0).abs() < 1e-6);
    // Older files without these fields are read.
    let old = SweepReport::from_json(VERSION_1).unwrap();
    assert!(old.settings[0].streams.is_empty() && old.settings[0].average_scores.is_empty());
}

#[test]
fn scores_in_files_have_no_floating_point_noise() {
    let scores = [99.999_999_5, 33.333_333_333_333_336];
    let points = scores.iter().zip(1..).map(|(score, seed)| done("a", 0.1, seed, None, *score)).collect();
    let report = SweepReport::of(input(points)).unwrap();
    let (csv, json) = (report.to_csv(), report.to_json().unwrap());
    assert!(csv.contains(",done,,100,") && csv.contains(",done,,33.333333,"), "{csv}");
    assert!(!json.contains("99.9999") && !json.contains("33.3333333"), "{json}");
}

#[test]
fn a_run_without_experts_has_no_parameters_rather_than_none_of_them() {
    let mut zero_shot = report(5.0, 0);
    zero_shot.experts.clear();
    let point = run("a", json!(1), 1, None, PointOutcome::Done(zero_shot));
    let report = SweepReport::of(input(vec![point])).unwrap();
    assert_eq!(report.points[0].scores["parameters"], None);
    assert_eq!(report.points[0].scores["training-tokens"], Some(0.0));
}

#[test]
fn one_sweep_gives_one_text_but_for_times() {
    let make = |seconds: f64| {
        let mut slow = report(70.0, 1000);
        slow.cost.wall_seconds = seconds;
        slow.cost.tokens_per_second = Some(1000.0 / seconds);
        let points = vec![
            done("a", 0.1, 1, None, 50.0),
            done("a", 0.1, 2, None, 55.0),
            done("b", 0.2, 2, None, 56.5),
            run("b", json!(0.2), 1, None, PointOutcome::Done(slow)),
        ];
        SweepReport::of(input(points)).unwrap()
    };
    assert_eq!(make(3.0).to_json().unwrap(), make(3.0).to_json().unwrap());
    assert_ne!(make(3.0).to_json().unwrap(), make(4.0).to_json().unwrap());
    assert_eq!(make(3.0).without_times().to_json().unwrap(), make(4.0).without_times().to_json().unwrap());
}

#[test]
fn an_old_sample_is_read_and_written_as_it_was() {
    let report = SweepReport::from_json(VERSION_1).unwrap();
    assert_eq!(report.points[1].state, PointState::Failed);
    assert_eq!(report.points[0].scores["average-score"], Some(90.5));
    assert_eq!(report.settings[0].figures["training-tokens"].mean, 1000.0);
    assert_eq!(report.stages, SweepStages { distinct: 11, without_sharing: 16 });
    assert_eq!(SweepReport::from_json(&report.to_json().unwrap()).unwrap(), report);
    let longer = VERSION_1.replacen('{', r#"{ "later-addition": [1],"#, 1);
    assert_eq!(SweepReport::from_json(&longer).unwrap(), report);
    // Version 1 had one method and did not name it.
    let difference =
        r#""differences": { "average-score": { "mean": 1.0, "low": 0.5, "high": 2.0, "pairs": 3 } }"#;
    let paired = VERSION_1.replacen(r#""differences": {}"#, difference, 1);
    let report = SweepReport::from_json(&paired).unwrap();
    let found = report.settings[0].differences["average-score"];
    assert_eq!(found.method, Some(IntervalMethod::PercentileBootstrap));
}

#[test]
fn csv_says_how_a_setting_differs_and_on_what_that_stands() {
    let report = SweepReport::of(input(vec![
        done("a", 0.1, 1, None, 50.0),
        done("a", 0.1, 2, None, 60.0),
        done("b", 0.2, 1, None, 51.0),
        done("b", 0.2, 2, None, 63.0),
    ]))
    .unwrap();
    let csv = report.to_csv();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[1].ends_with(",,,,,"), "the baseline: {}", lines[1]);
    assert!(lines[3].contains(",2,-10.7062047") && lines[3].ends_with(",paired t,2"), "{}", lines[3]);
}

#[test]
fn a_newer_version_is_refused_whatever_its_shape() {
    let error = SweepReport::from_json(r#"{"format-version": 3}"#).unwrap_err();
    assert!(matches!(error, EvalError::NewerFormat { found: 3, known: 2 }));
    for text in ["", "[]", "{}", r#"{"format-version": 1}"#] {
        assert!(matches!(SweepReport::from_json(text), Err(EvalError::Malformed(_))), "{text}");
    }
    for (whole, part) in
        [("\"see, threshold 0.5, seed 1\"", "\"see, threshold 0.9, seed 1\""), ("0.5 }", "0.6 }")]
    {
        assert!(SweepReport::from_json(&VERSION_1.replacen(whole, part, 1)).is_err(), "{part}");
    }
}

#[test]
fn points_that_do_not_fit_are_refused_by_name() {
    let problem = |points: Vec<SweepRun>| SweepReport::of(input(points)).unwrap_err().to_string();
    let good = || done("a", 0.1, 1, None, 1.0);
    let mut other = done("b", 0.1, 1, None, 1.0);
    other.name = good().name;
    assert!(problem(vec![good(), other]).contains("`a seed 1 -`: its name is taken"));
    let mut other = done("a", 0.1, 1, None, 1.0);
    other.name = "twin".to_owned();
    assert!(problem(vec![good(), other]).contains("`twin`: another point of its setting has the same seed"));
    assert!(problem(vec![good(), done("a", 0.2, 2, None, 1.0)]).contains("`a seed 2 -`: recipe or values"));
    let mut other = good();
    other.values = values(json!({ "rank": 2 }));
    assert!(problem(vec![other]).contains("a key that the sweep does not vary"));
    assert!(problem(vec![done("b", 0.1, 1, None, 1.0)]).contains("baseline `a` is not one of its settings"));
    let nothing = SweepInput { baseline: None, ..input(Vec::new()) };
    assert!(SweepReport::of(nothing).is_ok());
}

#[test]
fn values_stand_in_the_order_of_the_keys() {
    let mut point = done("a", 0.1, 1, None, 1.0);
    point.values = values(json!({ "rank": 2, "threshold": 0.1 }));
    let mut sweep = input(vec![point]);
    sweep.keys.push("rank".to_owned());
    let report = SweepReport::of(sweep).unwrap();
    assert_eq!(report.points[0].values.keys().collect::<Vec<_>>(), ["threshold", "rank"]);
}

#[test]
fn csv_has_a_line_a_point_and_quotes_what_it_must() {
    let mut first =
        run("a, \"quoted\"", json!("x\ny"), 1, Some("O1"), PointOutcome::Failed("oh, no".to_owned()));
    first.report = Some("../r/report.html".to_owned());
    let second = run("b", json!([1, 2]), 2, None, PointOutcome::Done(report(92.5, 1000)));
    let mut sweep = input(vec![first, second]);
    sweep.baseline = None;
    sweep.keys.push("rank".to_owned());
    let csv = SweepReport::of(sweep).unwrap().to_csv();
    let (head, rest) = csv.split_once('\n').unwrap();
    assert!(head.starts_with(
        "point,setting,recipe,threshold,rank,seed,order,run,report,state,problem,average-score,"
    ));
    assert!(head.ends_with(
        ",tokens-per-second,wall-seconds,setting-difference,setting-difference-low,setting-difference-high,\
         setting-difference-method,setting-difference-pairs"
    ));
    assert!(rest.starts_with(
        "\"a, \"\"quoted\"\" seed 1 O1\",\"a, \"\"quoted\"\"\",see,\"x\ny\",,1,O1,\"run-a, \"\"quoted\"\"-1\",\
         ../r/report.html,failed,\"oh, no\",,"
    ));
    assert!(rest.contains("\nb seed 2 -,b,see,\"[1,2]\",,2,,run-b-2,,done,,92.5,"));
    assert!(csv.ends_with(",20000,12.5,,,,,\n"));
    // The first record contains a line break.
    assert_eq!(csv.matches('\n').count(), 4);
}
