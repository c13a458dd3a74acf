//! The parts of the sweep page about settings and tasks, and the LaTeX tables.

use cadre_eval::{SweepReport, render_sweep_html, render_sweep_latex};
use serde_json::json;

#[path = "../examples/sweeps/mod.rs"]
mod sweeps;

/// The page with `/` unescaped, for searching.
#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
fn page(report: &SweepReport) -> String {
    render_sweep_html(report).unwrap().replace("&#x2f;", "/")
}

/// The figure or panel with this heading.
#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
fn part<'a>(page: &'a str, heading: &str) -> &'a str {
    let begin = page.find(&format!("<h3>{heading}</h3>")).unwrap();
    let end = ["</figure>", "</section>"].iter().filter_map(|end| page[begin..].find(end)).min().unwrap();
    &page[begin..begin + end]
}

#[test]
fn settings_are_named_on_their_axis() {
    let page = page(&sweeps::recipes().unwrap());
    let overview = part(&page, "Average score of each setting");
    for recipe in ["sequential", "see-nearest", "multi-task", "zero-shot"] {
        assert!(overview.contains(&format!("\n{recipe}\n</text>")), "{recipe}");
        assert!(overview.contains(&format!("<title>{recipe}\naverage score ")), "{recipe}");
    }
    assert!(overview.contains("The vertical line is the mean of the baseline."));
    // Rows are recipes, so a legend would repeat them.
    assert!(!overview.contains("class=\"legend\""));
    let many = self::page(&sweeps::grid(7, 6, 8, 1).unwrap());
    let overview = part(&many, "Average score of each setting");
    assert!(overview.contains("The 60 settings with the highest scores, and the baseline."));
    assert_eq!(overview.matches("class=\"spot\"").count(), 60);
}

#[test]
fn tasks_have_scores_curves_and_matrices() {
    let page = page(&sweeps::recipes().unwrap());
    let table = part(&page, "Score per task");
    for task in ["sorting", "copying", "sentiment", "arithmetic", "translation"] {
        assert!(table.contains(&format!("<th scope=\"col\">{task}</th>")), "{task}");
    }
    assert_eq!(table.matches("<tr").count(), 1 + 8);
    assert!(table.contains("class=\"best\" style=\"--s:0.9"));
    assert!(table.contains("data-csv=\"setting,task,score,deviation,replicates\nsequential,sorting,"));
    let curve = part(&page, "Average score after each task");
    // Six methods over five stages, two methods with one row.
    assert_eq!(curve.matches("class=\"spot\"").count(), 6 * 5 + 2);
    assert!(curve.contains("<title>replay\nafter 5 tasks: 7"));
    let matrices = part(&page, "Score matrices");
    assert_eq!(matrices.matches("mean of 3 runs").count(), 8 * 2, "eight settings in two orders");
    assert!(matrices.contains("1 translation · 2 arithmetic"), "the order O2");
    assert!(matrices.contains("<title>o-lora\nsorting after learning copying: 8"));
}

#[test]
fn parallel_coordinates_have_a_line_per_setting() {
    let page = page(&sweeps::thresholds().unwrap());
    let plot = part(&page, "Settings in parallel coordinates");
    assert_eq!(plot.matches("class=\"spot line\"").count(), 24);
    assert!(plot.contains("<title>threshold 0.5, score margin\nthreshold 0.5\nscore margin\nAR "));
    // Numbers, not the text of tooltips.
    let csv = plot.split("data-csv=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(csv.starts_with("setting,threshold,score,AR,BWT,Forgetting,&quot;Routing, %&quot;,"), "{csv}");
    let line = csv.lines().find(|line| line.contains("0.5,margin,89.")).unwrap();
    assert!(!line.contains(" %") && !line.contains('−'));
    // One setting, or settings that differ in nothing but a figure, have no axes.
    assert!(!self::page(&sweeps::grid(1, 1, 1, 2).unwrap()).contains("parallel coordinates"));
}

#[test]
fn every_plot_can_be_saved() {
    for report in [sweeps::thresholds().unwrap(), sweeps::recipes().unwrap()] {
        let page = page(&report);
        let plots = page.split("<div class=\"plot ").skip(1);
        assert!(plots.clone().all(|plot| plot.contains("data-csv=\"")));
        assert_eq!(plots.count(), page.matches("<svg ").count());
        assert!(page.contains("XMLSerializer") && page.contains("createObjectURL"));
        assert!(page.contains("Scroll sideways for more"));
    }
}

#[test]
fn latex_tables_compare_settings_and_tasks() {
    let report = sweeps::recipes().unwrap();
    let text = render_sweep_latex(&report);
    assert_eq!(text.matches("\\begin{tabular}").count(), 2);
    for rule in ["\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}"] {
        assert_eq!(text.matches(rule).count(), 2, "{rule}");
    }
    assert!(text.contains("\nSetting & $n$ & AR $\\uparrow$ & BWT $\\uparrow$ & Forgetting $\\downarrow$"));
    assert!(text.contains("\nSetting & sorting $\\uparrow$ & copying $\\uparrow$"));
    let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert!(line("oracle & 6 & $\\mathbf{92.01} \\pm 1.20^{*}$").ends_with(" \\\\"));
    assert!(line("see & 6 & $88.91 \\pm 1.00$").contains("$6{,}812{,}448$"));
    assert!(line("zero-shot & 6").contains("$\\mathbf{0}$"), "the cheapest");
    // As many cells in every row of a table.
    let cells: Vec<usize> =
        text.lines().filter(|line| line.ends_with(" \\\\")).map(|line| line.matches(" & ").count()).collect();
    assert_eq!(cells, [vec![8; 9], vec![5; 9]].concat());
    let page = page(&report);
    assert!(page.contains("data-file=\"sweep.tex\"") && page.contains("\\toprule"));
    let nothing = SweepReport { points: Vec::new(), settings: Vec::new(), baseline: None, ..report };
    assert!(render_sweep_latex(&nothing).ends_with("% No run has a score.\n"));
}

#[test]
fn hostile_names_stay_text() {
    let evil = "\"><svg onload=x></title></pre>\\input{x}_%\u{1b}";
    let mut making = sweeps::Making::new(evil, &[evil]).unwrap();
    for (at, word) in [evil, "a"].into_iter().enumerate() {
        making.setting(evil, json!({ evil: word }), 50.0 + at as f64, 2.0, 100, 2).unwrap();
    }
    for point in &mut making.input.points {
        if let cadre_eval::PointOutcome::Done(report) = &mut point.outcome {
            report.tasks[0] = evil.to_owned();
        }
    }
    let baseline = making.input.points[0].setting.clone();
    let report = making.finish(&baseline).unwrap();
    let page = render_sweep_html(&report).unwrap();
    assert!(page.contains("Score matrices") && page.contains("parallel coordinates"));
    assert!(!page.contains("<svg onload") && !page.contains("></title><") && !page.contains('\u{1b}'));
    let text = render_sweep_latex(&report);
    let code = text.lines().filter(|line| !line.starts_with('%'));
    assert!(code.clone().count() > 10 && code.clone().all(|line| !line.contains("\\input{")));
    assert!(text.contains("\\textbackslash{}input\\{x\\}\\_\\%"), "{text}");
}

#[test]
fn scores_print_without_floating_point_noise() {
    let mut making = sweeps::Making::new("noise", &["k"]).unwrap();
    making.setting("see", json!({ "k": 0.1 + 0.2 }), 50.0, 2.0, 100, 2).unwrap();
    making.setting("see", json!({ "k": 1 }), 50.0, 2.0, 100, 2).unwrap();
    for point in &mut making.input.points {
        if let cadre_eval::PointOutcome::Done(report) = &mut point.outcome {
            report.average_score = Some(99.999_999_5);
        }
    }
    let baseline = making.input.points[0].setting.clone();
    let report = making.finish(&baseline).unwrap();
    let page = page(&report);
    assert!(page.contains("100.00 ± 0.00") && !page.contains("99.999"));
    assert!(page.contains("<td>0.3</td>") && render_sweep_latex(&report).contains("$100.00 \\pm 0.00$"));
    assert!(!report.to_csv().contains("99.999"));
}
