//! `sweep.html` and `sweep.md` for sweeps of all shapes: no requests, everything escaped, links to runs, bounded size.

use std::time::Instant;

use cadre_eval::{PointOutcome, PointState, SweepReport, SweepRun, render_sweep_html, render_sweep_markdown};
use serde_json::json;

#[path = "../examples/sweeps/mod.rs"]
mod sweeps;

#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
fn page(report: &SweepReport) -> String {
    render_sweep_html(report).unwrap()
}

fn plots(page: &str) -> String {
    page.split("<svg ").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect()
}

#[test]
fn a_grid_shows_curves_maps_and_fronts() {
    let report = sweeps::thresholds().unwrap();
    let page = page(&report);
    for part in [
        "72 points · 24 settings · 3 seeds",
        "70 of 72",
        "1 failed, 1 not run",
        "id=\"keys\"",
        "id=\"maps\"",
        "threshold × score",
        "loss is not finite at step 212",
        "Average score against probes per query",
        "class=\"gain\"",
        "class=\"loss\"",
        ">paired t, n = 3</span>",
        "by Student’s t for fewer than ten pairs",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // The values of `score` are words, so it has no curves; tokens are equal, so they have no front.
    assert!(!page.contains("<h3><code>routing.router.score</code>"));
    assert!(!page.contains("Average score against training tokens"));
    assert!(page.contains("The same at every value: ") && page.contains("Training tokens 6,812,448"));
    // Settings twice, AR over tasks, 12 score matrices, 5 figures that vary over the threshold, as many maps, one front.
    assert_eq!(page.matches("<svg ").count(), 26);
    assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), 26);
}

#[test]
fn means_lead_to_their_points_and_points_to_their_runs() {
    let report = sweeps::thresholds().unwrap();
    let page = page(&report);
    let text = page.replace("&#x2f;", "/");
    for (at, setting) in report.settings.iter().enumerate() {
        assert!(text.contains(&format!("<tbody id=\"s{}\">", at + 1)), "{}", setting.name);
        assert!(text.matches(&format!("<a href=\"#s{}\">", at + 1)).count() >= 5, "{}", setting.name);
    }
    for point in &report.points {
        let link = format!("<a href=\"../{}/report.html\">", point.run);
        assert!(text.contains(&link), "{link}");
    }
}

#[test]
fn recipes_without_keys_stand_beside_each_other() {
    let report = sweeps::recipes().unwrap();
    let page = page(&report);
    assert!(page.contains("48 points · 8 settings · 8 recipes · 3 seeds · 2 orders"));
    assert!(!page.contains("id=\"keys\"") && !page.contains("id=\"maps\""));
    assert!(page.contains("class=\"loss\"") && page.contains("(paired t, n = 6)"), "six pairs each");
    // Settings twice, AR over tasks, 8 score matrices in 2 orders, front of tokens, front of probes (of two recipes that probe).
    assert_eq!(page.matches("<svg ").count(), 21);
    let text = render_sweep_markdown(&report);
    assert!(text.contains("| see | 6 |") && text.contains("| baseline |"), "{text}");
    assert!(text.contains(" \\* |"), "{text}");
}

#[test]
fn nothing_is_fetched() {
    for report in [sweeps::thresholds().unwrap(), sweeps::recipes().unwrap()] {
        let page = page(&report);
        for request in ["src=\"", "<link", "@import", "url(", "http:", "https:", "srcset", "fetch("] {
            assert!(!page.contains(request), "{request}");
        }
        assert!(page.contains("Content-Security-Policy"));
        assert!(!plots(&page).contains("\"#"), "a colour of a plot is not a variable");
        assert!(!plots(&page).contains("NaN") && !plots(&page).contains("inf"));
    }
}

#[test]
fn texts_of_a_sweep_cannot_become_markup() {
    let evil = "\"><svg onload=x>{{ 1234567 * 3 }}</svg>\u{1b}[31m";
    let mut making = sweeps::Making::new(evil, &[evil, "other"]).unwrap();
    for (at, word) in [evil, "a", "b"].into_iter().enumerate() {
        for other in 0..3 {
            making
                .setting(evil, json!({ evil: word, "other": other }), 50.0 + at as f64, 2.0, 100, 2)
                .unwrap();
        }
    }
    for point in &mut making.input.points {
        point.run = evil.to_owned();
        point.report = Some(evil.to_owned());
        point.order = Some(evil.to_owned());
    }
    making.input.points[3].outcome = PointOutcome::Failed(evil.to_owned());
    making.input.points[4].report = Some("javascript:alert(1)".to_owned());
    let baseline = making.input.points[0].setting.clone();
    let report = making.finish(&baseline).unwrap();
    let page = page(&report);
    assert!(page.contains("id=\"keys\"") && page.contains("id=\"maps\""));
    assert!(!page.contains("<svg onload") && !page.contains("3703701") && !page.contains('\u{1b}'));
    assert!(!page.contains("javascript:"));
    assert!(!render_sweep_markdown(&report).contains('\u{1b}'));
}

#[test]
fn one_point_is_a_sweep() {
    let report = sweeps::grid(1, 1, 1, 1).unwrap();
    let page = page(&report);
    assert!(page.contains("1 point · 1 setting · 1 seed") && page.contains("1 of 1"));
    // The run's scores; nothing to compare.
    assert_eq!(page.matches("<svg ").count(), 2);
    assert!(!page.contains("NaN"));
    assert!(render_sweep_markdown(&report).contains("| rank 1, learning-rate 1e-6, share 0.0 | 1 |"));
}

#[test]
fn a_sweep_that_failed_altogether_says_so() {
    let mut making = sweeps::Making::new("bad", &["k"]).unwrap();
    for value in 1..=4 {
        making.setting("see", json!({ "k": value }), 50.0, 2.0, 100, 3).unwrap();
    }
    for point in &mut making.input.points {
        point.outcome = PointOutcome::Failed(format!("no such file: {}", point.seed));
    }
    let report = making.finish("k 1").unwrap();
    let page = page(&report);
    assert!(page.contains("0 of 12") && page.contains("12 failed") && page.contains("No run has a score"));
    assert!(!page.contains("<svg ") && !page.contains("id=\"costs\""));
    let text = render_sweep_markdown(&report);
    assert!(
        text.contains("- failed: k 1, seed 1: no such file: 1") && text.contains("- and 2 more"),
        "{text}"
    );
    let nothing = SweepReport { points: Vec::new(), settings: Vec::new(), baseline: None, ..report };
    assert!(render_sweep_html(&nothing).is_ok());
}

#[test]
fn a_sweep_explains_its_figures_and_why_there_are_no_differences() {
    let report = sweeps::recipes().unwrap();
    assert_eq!(report.no_differences(), None);
    let text = render_sweep_markdown(&report);
    assert!(
        text.contains("a ± b: mean and sample standard deviation (divisor n − 1) of the n finished runs"),
        "{text}"
    );
    assert!(text.contains("Scores per task at the end of the stream:\n\n| setting | sorting | "), "{text}");
    // Without a baseline.
    let mut alone = SweepReport { baseline: None, ..report.clone() };
    alone.settings.iter_mut().for_each(|setting| setting.differences.clear());
    let reason = "No differences between settings are shown: the sweep has no baseline (";
    assert!(render_sweep_markdown(&alone).contains(reason));
    assert!(page(&alone).contains(reason));
    // The baseline has no finished run.
    let failed = SweepReport { baseline: report.baseline, ..alone.clone() };
    let reason = failed.no_differences().unwrap();
    assert!(reason.ends_with("a finished run of the baseline see"), "{reason}");
    alone.settings.truncate(1);
    assert_eq!(alone.no_differences(), None);
}

#[test]
fn recipes_with_different_keys_share_a_page() {
    let mut making =
        sweeps::Making::new("mixed", &["routing.threshold", "rehearsal.threshold", "rule"]).unwrap();
    for step in 1..=4 {
        let height = 70.0 + f64::from(step);
        making
            .setting("see", json!({ "routing.threshold": step, "rule": [1, step] }), height, 2.0, 100, 2)
            .unwrap();
        making
            .setting("replay", json!({ "rehearsal.threshold": 10_i32.pow(step as u32) }), height, 1.0, 100, 2)
            .unwrap();
    }
    let report = making.finish("threshold 1, rule [1,1]").unwrap();
    let page = page(&report);
    // Two keys end in the same word, so both are named in full.
    assert!(page.contains(">routing.threshold</th>") && page.contains(">rehearsal.threshold</th>"));
    assert!(page.contains("The axis of values is logarithmic."));
    assert!(page.contains("<td>[1,2]</td>") && page.contains("<td>–</td>"));
}

#[test]
fn a_thousand_points_stay_small_and_quick() {
    // Replicated, single, and all values different.
    let mut random = sweeps::Making::new("random", &["a", "b"]).unwrap();
    for at in 0..1000 {
        let values = json!({ "a": f64::from(at) * 0.37, "b": 1.0 / f64::from(at + 1) });
        random.setting("see", values, 50.0 + f64::from(at % 40), 2.0, 1000 + at as u64, 1).unwrap();
    }
    let baseline = random.input.points[0].setting.clone();
    let sweeps = [
        sweeps::grid(7, 6, 8, 3).unwrap(),
        sweeps::grid(10, 10, 10, 1).unwrap(),
        random.finish(&baseline).unwrap(),
    ];
    for report in sweeps {
        assert!(report.points.len() >= 1000);
        // The best of three, because of other load on the machine.
        let timed = (0..3).map(|_| {
            let begin = Instant::now();
            let bytes = page(&report).len();
            (begin.elapsed(), bytes)
        });
        let (time, bytes) = timed.min().unwrap();
        assert!(bytes < 5_000_000, "{bytes} bytes");
        assert!(time.as_secs_f64() < 2.0, "{time:?}");
        assert!(render_sweep_markdown(&report).lines().count() < 110);
    }
}

#[test]
fn a_key_of_many_combinations_has_one_mean_curve() {
    let page = page(&sweeps::grid(4, 4, 4, 1).unwrap());
    assert!(page.contains("16 combinations of other keys"));
    assert!(page.contains("see, mean over 16 combinations"));
}

#[test]
fn what_was_not_run_is_shown_as_such() {
    let mut making = sweeps::Making::new("short", &[]).unwrap();
    making.setting("see", json!({}), 80.0, 2.0, 100, 2).unwrap();
    making.input.points[1] =
        SweepRun { outcome: PointOutcome::Left, report: None, ..making.input.points[1].clone() };
    let report = making.finish("see").unwrap();
    assert_eq!(report.points[1].state, PointState::Left);
    let page = page(&report);
    assert!(page.contains("<td class=\"left left\">left</td>") && page.contains("<td>1 of 2</td>"));
}

#[test]
fn one_sweep_gives_one_page() {
    let make = || page(&sweeps::thresholds().unwrap());
    assert_eq!(make(), make());
}
