//! `report.html` and `report.md` for runs of all shapes: no requests, everything escaped, missing parts left out.

use cadre_eval::{Report, ReportExtras, ScoreMatrix, render_html, render_markdown};

#[path = "../examples/sample/mod.rs"]
mod sample;

#[expect(clippy::unwrap_used, reason = "a failure here is a failed test")]
fn page(sample: sample::Sample) -> String {
    let (report, extras) = sample.make().unwrap();
    render_html(&report, &extras).unwrap()
}

#[test]
fn a_routed_run_shows_every_part() {
    let page = page(sample::SEE);
    for part in [
        "Score matrix R",
        "Each task over the stages",
        "Routing confusion",
        "Claims",
        "threshold 0.5",
        "Training loss",
        "Learning rate",
        "Gradient norm",
        "Validation loss",
        "<h2>Predictions</h2>",
        "The recipe, expanded",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // R, its lines, confusion, routing over stages, five claim histograms, six variants of the losses, learning rate, norm,
    // validation loss.
    assert_eq!(page.matches("<svg ").count(), 18);
    assert_eq!(page.matches("<svg ").count(), page.matches("</svg>").count());
    assert_eq!(page.matches("role=\"img\" aria-label=\"").count(), 18);
}

#[test]
fn a_collapse_is_reported_before_any_figure() {
    let page = page(sample::COLLAPSED);
    let (finding, card) = (page.find("Routing has collapsed").unwrap(), page.find("Average score").unwrap());
    assert!(finding < card);
    assert!(page.contains("Try <code>indicator.kind = &quot;existing-token&quot;</code> with two words"));
    assert!(page.contains("<li class=\"failure\">") && page.contains("<li class=\"warning\">"));
    let (report, extras) = sample::COLLAPSED.make().unwrap();
    let text = render_markdown(&report, &extras);
    assert!(text.starts_with(
        "# see\n\n- **failure**: Routing has collapsed: the expert of “translation” answered 400"
    ));
    assert!(text.contains("\n  - try `indicator.kind = \"existing-token\"` with two words"));
    assert!(!self::page(sample::SEE).contains("id=\"findings\""));
}

#[test]
fn a_validation_split_shows_its_kept_step_and_loss() {
    let (mut report, extras) = sample::SEE.make().unwrap();
    let first = report.experts[0].validation.as_mut().unwrap();
    first.stopped_early = Some(true);
    assert_eq!(
        report.experts[0].validation_line().unwrap(),
        "step 300 of 400 kept, held-out loss 0.052; training stopped early, after step 400"
    );
    assert_eq!(report.experts[1].validation_line().unwrap(), "step 300 of 400 kept, held-out loss 0.060");
    let line =
        format!("- {}: step 300 of 400 kept, held-out loss 0.052; training stopped early", report.tasks[0]);
    assert!(render_markdown(&report, &extras).contains(&line));
    assert!(render_html(&report, &extras).unwrap().contains("step 300 of 400 kept, held-out loss 0.060"));
    assert!(report.to_json().unwrap().contains("\"kept-step\": 300"));
    report.experts.iter_mut().for_each(|expert| expert.validation = None);
    let text = render_markdown(&report, &extras) + &render_html(&report, &extras).unwrap();
    assert!(!text.contains("held-out loss"));
}

#[test]
fn every_report_states_its_formulas_and_both_definitions() {
    let (report, extras) = sample::SEE.make().unwrap();
    let (page, text) = (render_html(&report, &extras).unwrap(), render_markdown(&report, &extras));
    for measure in cadre_eval::MEASURES {
        assert!(page.contains(measure.label), "{}", measure.label);
        assert!(text.contains(&format!("| {} | ", measure.label)), "{}", measure.label);
    }
    let page = page.replace("&#x2f;", "/");
    assert!(page.contains("(1/(T−1)) Σ_{i&lt;T} (R[T][i] − R[i][i])"));
    assert!(text.contains("min(R\\[T]\\[i] − R\\[i]\\[i], 0)"), "{text}");
    for part in ["Lopez-Paz and Ranzato 2017", "TreeLoRA", "SSR (arXiv 2403.01244)", "Chaudhry et al. 2018"] {
        assert!(page.contains(part) && text.contains(part), "{part}");
    }
    for part in ["over test examples", "not "] {
        assert!(page.contains(part) && text.contains(part), "{part}");
    }
}

#[test]
fn a_line_is_drawn_only_where_the_threshold_is_known() {
    let (report, mut extras) = sample::SEE.make().unwrap();
    extras.threshold = None;
    extras.claim_scale = cadre_eval::ClaimScale::Raw;
    let page = render_html(&report, &extras).unwrap();
    assert!(!page.contains("swatch line") && !page.contains("</span>threshold"));
    assert!(!plots(&page).contains("var(--threshold)"));
    assert!(page.contains("the probability of the accepting indicator"));
    assert!(plots(&self::page(sample::SEE)).contains("var(--threshold)"));
}

fn plots(page: &str) -> String {
    page.split("<svg ").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect()
}

#[test]
fn nothing_is_fetched() {
    for sample in [sample::SEE, sample::COLLAPSED, sample::SEQUENTIAL, sample::ONE, sample::TEN] {
        let page = page(sample);
        for request in ["src=\"", "<link", "@import", "url(", "http:", "https:", "srcset", "fetch("] {
            assert!(!page.contains(request), "{request}");
        }
        assert!(page.contains("Content-Security-Policy"));
    }
}

#[test]
fn texts_of_a_run_cannot_become_markup() {
    let page = page(sample::SEE);
    assert!(!page.contains("<script>alert") && !page.contains("<img"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;&#x2f;script&gt;"));
    let (mut report, mut extras) = sample::ONE.make().unwrap();
    let evil = "\"><svg onload=x>{{ 1234567 * 3 }}</svg>\u{1b}[31m";
    report.name = evil.to_owned();
    report.tasks = vec![evil.to_owned()];
    report.experts[0].task = evil.to_owned();
    report.key = evil.to_owned();
    report.provenance.backend = evil.to_owned();
    report.provenance.data[0].path = evil.to_owned();
    extras.summary = Some(evil.to_owned());
    report.findings = sample::COLLAPSED.make().unwrap().0.findings;
    report.findings[0].text = evil.to_owned();
    report.findings[0].advice = vec![evil.to_owned()];
    extras.recipe = Some(evil.to_owned());
    extras.loss_curves[0].task = evil.to_owned();
    let page = render_html(&report, &extras).unwrap();
    assert!(!page.contains("<svg onload") && !page.contains("3703701") && !page.contains('\u{1b}'));
    assert!(page.contains("␛[31m"));
    assert!(!render_markdown(&report, &extras).contains('\u{1b}'));
}

#[test]
fn colours_follow_the_scheme_of_the_reader() {
    let page = page(sample::TEN);
    assert!(page.contains("prefers-color-scheme: dark"));
    let plots: String = page.split("<svg ").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect();
    assert!(!plots.contains("\"#"), "a colour of a plot is not a variable");
    for name in plots.split("var(--").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(page.matches(&format!("--{name}: ")).count() >= 2, "--{name} in light and dark");
    }
}

#[test]
fn a_run_without_routing_has_no_routing_part() {
    let page = page(sample::SEQUENTIAL);
    assert!(
        !page.contains("id=\"routing\"")
            && !page.contains("Routing accuracy")
            && !page.contains("name=\"routed\"")
    );
    assert!(page.contains("Adapter “stream”"));
    assert!(page.contains("class=\"worse\""));
}

#[test]
fn one_task_has_no_course_over_stages() {
    let page = page(sample::ONE);
    assert!(page.contains("Score matrix R") && !page.contains("Each task over the stages"));
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn empty_runs_are_shown_for_what_they_are() {
    let (mut report, _) = sample::SEE.make().unwrap();
    report.score_matrix = ScoreMatrix::new(5);
    report.average_score = None;
    report.experts.clear();
    let routing = report.routing.as_mut().unwrap();
    routing.confusion = vec![vec![0; 6]; 5];
    routing.by_stage = vec![None; 5];
    routing.accuracy = None;
    let page = render_html(&report, &ReportExtras::default()).unwrap();
    assert!(!page.contains("<svg ") && page.contains("No query of the stream was routed."));
    let nothing = Report {
        tasks: Vec::new(),
        score_matrix: ScoreMatrix::default(),
        routing: None,
        per_metric: Default::default(),
        ..report
    };
    assert!(render_html(&nothing, &ReportExtras::default()).is_ok());
    assert!(render_markdown(&nothing, &ReportExtras::default()).contains("**AR –**"));
}

#[test]
fn nonsense_numbers_draw_nothing_wild() {
    let (report, mut extras) = sample::ONE.make().unwrap();
    extras.loss_curves[0].points = vec![(1, f64::NAN), (2, f64::INFINITY), (3, 1.0)];
    extras.claims[0].score = f64::NAN;
    extras.threshold = Some(7.0);
    let page = render_html(&report, &extras).unwrap();
    let plots: String = page.split("<svg ").skip(1).filter_map(|rest| rest.split("</svg>").next()).collect();
    assert!(!plots.contains("NaN") && !plots.contains("inf"));
}

#[test]
fn one_run_gives_one_page() {
    assert_eq!(page(sample::SEE), page(sample::SEE));
}

#[test]
fn the_short_form_holds_the_figures() {
    let (report, extras) = sample::SEE.make().unwrap();
    let text = render_markdown(&report, &extras);
    assert!(text.starts_with("# see\n"));
    assert!(text.contains("| after \\ on | sorting | copying |") && text.contains("| 5 translation |"));
    assert!(text.contains("routing 9") && text.contains("31,455 tokens/s"));
    assert!(text.lines().count() < 45);
}
