//! Tooltips, save buttons, switches and paging of the report page.

use cadre_eval::{Report, ReportExtras, render_html};

#[path = "../examples/sample/mod.rs"]
mod sample;

#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
fn page(sample: sample::Sample) -> String {
    let (report, extras) = sample.make().unwrap();
    render_html(&report, &extras).unwrap().replace("&#x2f;", "/")
}

#[test]
fn points_bars_and_cells_have_tooltips() {
    let page = page(sample::SEE);
    // Of the score matrix, its columns as lines, the confusion, the claims and the losses.
    assert!(page.contains("<title>copying\nafter learning sorting: "));
    assert!(page.contains("<title>translation\nstage 5\nscore "));
    assert!(
        page.contains(
            "<title>query of sorting\nanswered by the expert of sorting: 99 of 100 (99.0 %)</title>"
        )
    );
    assert!(page.contains("<title>claim 0.95 to 1.00\nown task: "));
    assert!(page.contains("<title>training step 5\nsorting: "));
}

#[test]
fn the_confusion_has_true_tasks_as_rows_and_experts_as_columns() {
    let (mut report, extras) = sample::SEE.make().unwrap();
    let routing = report.routing.as_mut().unwrap();
    routing.confusion = vec![vec![0; 6]; 5];
    routing.confusion[1] = vec![250, 0, 0, 0, 0, 750];
    let page = render_html(&report, &extras).unwrap();
    assert!(page.contains(
        "<h3>Routing confusion</h3><p>Rows: true task of the query. Columns: the expert that answered."
    ));
    assert!(page.contains("query of copying\nanswered by the expert of sorting: 250 of 1,000 (25.0 %)"));
    assert!(page.contains("query of copying\nanswered by the backbone: 750 of 1,000 (75.0 %)"));
    assert!(page.contains("query of,answered by,value\ncopying,sorting,250\ncopying,backbone,750\n\""));
    // The share is the shade: 0.05 + 0.95 · 0.25 and 0.05 + 0.95 · 0.75.
    for opacity in ["opacity=\"0.2875\"", "opacity=\"0.7625"] {
        assert!(page.contains(opacity), "{opacity}");
    }
}

#[test]
fn losses_have_axes_and_smoothings() {
    let page = page(sample::SEE);
    for axis in ["linear", "log"] {
        for half_life in ["0", "4", "20"] {
            assert!(
                page.contains(&format!("data-axis=\"{axis}\" data-smoothing=\"{half_life}\"")),
                "{axis} {half_life}"
            );
        }
    }
    assert_eq!(page.matches("data-axis=\"linear\" data-smoothing=\"0\">").count(), 1, "shown first");
    assert!(page.contains("<option value=\"20\">half-life 20 steps</option>"));
    assert!(page.contains(
        "data-csv=\"task,step,loss,loss smoothed with half-life 4,loss smoothed with half-life 20\nsorting,"
    ));
    // Small numbers of an axis are short.
    assert!(page.contains("\n3e-4\n</text>") && !page.contains("\n0.0003\n"));
    // A loss of 0 has no logarithm; a run of a few steps has one half-life.
    let (report, mut extras) = sample::ONE.make().unwrap();
    extras.loss_curves[0].points = vec![(1, 0.0), (2, 0.0)];
    extras.training_curves.clear();
    let page = render_html(&report, &extras).unwrap();
    assert!(page.contains("data-axis=\"linear\"") && !page.contains("data-axis=\"log\""));
    assert_eq!(page.matches("half-life 1 step</option>").count(), 1);
    assert!(!page.contains("<h3>Learning rate</h3>") && !page.contains("<h3>Gradient norm</h3>"));
}

#[test]
fn predictions_are_paged_and_the_worst_come_first() {
    let (report, extras) = sample::SEE.make().unwrap();
    let page = page(sample::SEE);
    let rows: Vec<&str> = page.split("<tr data-task=").skip(1).collect();
    assert_eq!(rows.len(), extras.predictions.len());
    assert!(rows.len() > 50);
    let hidden =
        rows.iter().filter(|row| row.split('>').next().is_some_and(|tag| tag.ends_with(" hidden"))).count();
    assert_eq!(hidden, rows.len() - 25);
    let grade = |row: &&&str| {
        ["none", "part", "full", "unscored"]
            .iter()
            .position(|grade| row.contains(&format!("data-grade=\"{grade}\"")))
    };
    assert!(rows.iter().map(|row| grade(&row).unwrap()).is_sorted());
    assert!(rows[0].contains("data-routed=\"wrong\""));
    assert!(page.contains("first 25 of 72 predictions"), "without a script");
    // The system prompt is shown once, and folded.
    assert_eq!(page.matches("You are a helpful assistant.").count(), 1);
    assert!(
        page.contains("<details class=\"preamble\" id=\"p1\">") && page.matches("href=\"#p1\"").count() > 9
    );
    let few = ReportExtras { predictions: extras.predictions[..3].to_vec(), ..extras };
    let page = render_html(&report, &few).unwrap();
    assert!(!page.contains("<noscript>"));
}

#[test]
fn every_plot_can_be_saved() {
    for sample in [sample::SEE, sample::COLLAPSED, sample::SEQUENTIAL, sample::TEN] {
        let page = page(sample);
        // The six variants of the losses share their numbers.
        assert_eq!(page.matches("data-csv=\"").count(), page.matches("<svg ").count() - 5);
    }
    let page = page(sample::SEE);
    assert!(page.contains("data-csv=\"after learning,score on,value\nsorting,sorting,"));
    assert!(page.contains("data-csv=\"from,to,own task,other tasks,out of distribution\n0,0.05,"));
}

#[test]
fn hostile_names_stay_text_in_tooltips_and_numbers() {
    let evil = "</title><script>alert(1)</script>\",=1+1\u{1b}";
    let (mut report, mut extras) = sample::SEE.make().unwrap();
    for name in report.tasks.iter_mut().take(1) {
        *name = evil.to_owned();
    }
    extras.training_curves[0].task = evil.to_owned();
    extras.predictions[1].prompt = format!("<|im_start|>system\n{evil}<|im_end|>\n{evil}");
    let page = render_html(&report, &extras).unwrap();
    assert!(!page.contains("<script>alert") && !page.contains("</title><script") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;&#x2f;title&gt;&lt;script&gt;alert"));
}

#[test]
fn scores_print_without_floating_point_noise() {
    let (mut report, mut extras) = sample::SEE.make().unwrap();
    report.average_score = Some(99.999_999_5);
    report.score_matrix.set(4, 0, Some(99.999_999_5)).unwrap();
    extras.threshold = Some(f64::from(0.3_f32));
    let page = render_html(&report, &extras).unwrap();
    assert!(page.contains("<div class=\"figure\">100.0</div>") && !page.contains("99.999999"));
    assert!(page.contains("after learning translation: 100.00</title>"));
    assert!(page.contains("threshold 0.3<"));
}

#[test]
fn files_from_before_these_parts_are_read() {
    for json in [include_str!("../fixtures/report_v1.json"), include_str!("../fixtures/report_v2.json")] {
        let report = Report::from_json(json).unwrap();
        assert!(render_html(&report, &ReportExtras::default()).unwrap().contains("Score matrix R"));
    }
    let extras: ReportExtras =
        serde_json::from_str(r#"{ "loss-curves": [{ "task": "a", "points": [[1, 0.5]] }] }"#).unwrap();
    assert!(extras.training_curves.is_empty() && extras.loss_curves.len() == 1);
}
