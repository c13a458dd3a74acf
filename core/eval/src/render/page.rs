//! `report.html`: the data of its template.

mod charts;
mod predictions;
mod training;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use super::figures::{bytes, count, decimals, duration, percent, score, signed, visible};
use super::markdown::{known_count, routed_right};
use super::plot::SERIES;
use crate::{EvalError, Finding, MEASURES, Report, ReportExtras, Severity, advice_once};

/// Renders a run as one self-contained page that opens offline. Style, script and plots are inline; the content security policy
/// forbids all requests.
///
/// # Errors
/// If a part of the report does not match the number of tasks, or a plot cannot be drawn.
pub fn render_html(report: &Report, extras: &ReportExtras) -> Result<String, EvalError> {
    report.check()?;
    let page = Page::of(report, extras)?;
    fill("report.html", include_str!("page/report.html"), &page)
}

/// Renders a template that extends `frame.html`.
pub(super) fn fill(
    name: &'static str,
    template: &'static str,
    page: &impl Serialize,
) -> Result<String, EvalError> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // Escape everywhere, whatever the file extension of a template.
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_template("frame.html", include_str!("page/frame.html"))?;
    templates.add_template("plots.html", include_str!("page/plots.html"))?;
    templates.add_template(name, template)?;
    Ok(templates.get_template(name)?.render(Serde(page))?)
}

/// Style shared by all pages.
pub(super) const STYLE: &str = include_str!("page/report.css");

/// Script shared by all pages: tooltips, save and copy buttons, scroll hints.
pub(super) const SCRIPT: &str = include_str!("page/frame.js");

#[derive(Serialize)]
struct Page {
    style: &'static str,
    script: String,
    name: String,
    summary: Option<String>,
    reference: Option<String>,
    key: String,
    seed: u64,
    format_version: u32,
    findings: Vec<FindingLine>,
    /// Whether any finding is a warning or a failure.
    any_harm: bool,
    tasks: Vec<TaskLine>,
    any_expert: bool,
    any_routing: bool,
    experts_of_the_stream: Vec<ExpertLine>,
    cards: Vec<Card>,
    metrics: Vec<MetricLine>,
    measures: Vec<[String; 4]>,
    interval: Option<String>,
    charts: charts::Charts,
    training: training::Training,
    any_training: bool,
    cost: Vec<(&'static str, String)>,
    made: Vec<(&'static str, String)>,
    plugins: Vec<[String; 3]>,
    data: Vec<[String; 2]>,
    recipe: Option<String>,
    predictions: predictions::Predictions,
    any_prediction: bool,
}

/// A main figure at the top of the page.
#[derive(Serialize)]
struct Card {
    label: &'static str,
    figure: String,
    note: String,
}

/// A finding.
#[derive(Serialize)]
struct FindingLine {
    severity: &'static str,
    text: String,
    /// What to try: each a list of texts, of which every second one is a recipe key.
    advice: Vec<Vec<String>>,
}

/// A row of the table of tasks.
#[derive(Serialize)]
struct TaskLine {
    name: String,
    series: usize,
    metric: String,
    first: String,
    last: String,
    change: String,
    worse: bool,
    routed: String,
    expert: Option<ExpertLine>,
}

#[derive(Serialize, Clone)]
struct ExpertLine {
    name: String,
    parameters: String,
    bytes: String,
    examples: String,
    negatives: String,
    steps: String,
    /// Kept step and held-out loss, with a validation split.
    validation: Option<String>,
    loss: String,
}

#[derive(Serialize)]
struct MetricLine {
    name: String,
    figures: [String; 4],
}

impl Page {
    fn of(report: &Report, extras: &ReportExtras) -> Result<Self, EvalError> {
        let tasks: Vec<TaskLine> =
            (0..report.tasks.len()).map(|task| task_line(report, extras, task)).collect();
        let strangers = report.experts.iter().filter(|expert| !report.tasks.contains(&expert.task));
        let metrics = report.per_metric.iter().map(|(name, scores)| MetricLine {
            name: visible(name),
            figures: [
                score(scores.score_matrix.average_score()),
                signed(scores.score_matrix.backward_transfer()),
                score(scores.score_matrix.forward_transfer()),
                score(scores.score_matrix.forgetting()),
            ],
        });
        let made = &report.provenance;
        let training = training::Training::of(report, extras)?;
        let predictions = predictions::Predictions::of(report, &extras.predictions);
        Ok(Self {
            style: STYLE,
            script: format!("{SCRIPT}{}", include_str!("page/report.js")),
            name: visible(&report.name),
            summary: extras.summary.as_deref().map(visible),
            reference: extras.reference.as_deref().map(visible),
            key: visible(&report.key),
            seed: report.seed,
            format_version: report.format_version,
            findings: finding_lines(&report.findings),
            any_harm: report.findings.iter().any(|finding| finding.severity < Severity::Note),
            any_expert: tasks.iter().any(|task| task.expert.is_some()),
            any_routing: report.routing.is_some(),
            experts_of_the_stream: strangers.map(expert_line).collect(),
            cards: cards(report),
            metrics: metrics.collect(),
            measures: measures(report),
            interval: interval(report),
            charts: charts::Charts::of(report, extras)?,
            any_training: training.any(),
            training,
            cost: cost(report),
            made: vec![
                ("Cadre", visible(&made.cadre)),
                ("burn", visible(&made.burn)),
                ("Backend", visible(&made.backend)),
                ("Precision", visible(&made.precision)),
                ("Seed", report.seed.to_string()),
                ("Run key", visible(&report.key)),
            ],
            plugins: made
                .plugins
                .iter()
                .map(|p| [&p.name, &p.version, &p.digest].map(|text| visible(text)))
                .collect(),
            data: made.data.iter().map(|data| [&data.path, &data.digest].map(|text| visible(text))).collect(),
            recipe: extras.recipe.as_deref().map(visible),
            any_prediction: predictions.any(),
            predictions,
            tasks,
        })
    }
}

fn cards(report: &Report) -> Vec<Card> {
    let card = |label, figure, note: &str| Card { label, figure, note: note.to_owned() };
    let interval = report.average_score.and(report.average_score_interval);
    let interval = interval
        .map(|of| format!("; 95 % over test examples {} to {}", score(Some(of.low)), score(Some(of.high))));
    let mut cards = vec![
        card(
            "Average score",
            score(report.average_score),
            &format!("AR: mean of the last row of R{}", interval.unwrap_or_default()),
        ),
        card("Backward transfer", signed(report.backward_transfer), "BWT: change by later tasks"),
        card("Forward transfer", score(report.forward_transfer), "FWT: score just before a task is learned"),
        card("Forgetting", score(report.forgetting), "best ever minus last"),
    ];
    if let Some(routing) = &report.routing {
        cards.push(card(
            "Routing accuracy",
            percent(routing.accuracy),
            "queries answered by the expert of their task",
        ));
        cards.push(card(
            "Probes per query",
            decimals(routing.probes_per_query, 2),
            "computed or looked up before the answer",
        ));
    }
    if let Some(strangers) = &report.out_of_distribution {
        cards.push(card("To the backbone", percent(strangers.to_backbone), "of queries out of distribution"));
    }
    cards.push(card("Wall time", duration(report.cost.wall_seconds), "all stages; cached ones as first run"));
    cards
}

fn finding_lines(findings: &[Finding]) -> Vec<FindingLine> {
    let parts = |advice: &str| advice.split('`').map(visible).collect();
    let line = |(finding, advice): (&Finding, Vec<&str>)| FindingLine {
        severity: finding.severity.name(),
        text: visible(&finding.text),
        advice: advice.into_iter().map(parts).collect(),
    };
    findings.iter().zip(advice_once(findings)).map(line).collect()
}

/// Label, value, formula and source of every measure.
fn measures(report: &Report) -> Vec<[String; 4]> {
    let line = |measure: &crate::MeasureEntry| {
        let value = (measure.of)(report);
        let value = if measure.signed { signed(value) } else { score(value) };
        [measure.label.to_owned(), value, measure.formula.to_owned(), measure.source.to_owned()]
    };
    MEASURES.iter().map(line).collect()
}

/// Describes the interval of AR.
fn interval(report: &Report) -> Option<String> {
    report.average_score_interval.map(|of| {
        format!(
            "AR {} [{}, {}]: 95 % interval over test examples, by the bootstrap of {} scored queries, stratified by task. It \
             covers other examples of the same tasks, not other training seeds.",
            score(report.average_score),
            score(Some(of.low)),
            score(Some(of.high)),
            count(of.queries)
        )
    })
}

fn cost(report: &Report) -> Vec<(&'static str, String)> {
    let cost = &report.cost;
    let rate =
        cost.tokens_per_second.map_or_else(|| "–".to_owned(), |rate| count(rate.round().max(0.0) as u64));
    let trained: u64 = report.experts.iter().map(|expert| expert.parameters).sum();
    let stored: u64 = report.experts.iter().map(|expert| expert.bytes).sum();
    let mut lines = vec![
        ("Wall time", duration(cost.wall_seconds)),
        ("Training tokens", count(cost.training_tokens)),
        ("Training tokens per second", rate),
        ("Stages run", count(cost.stages.run)),
        ("Stages from the store", count(cost.stages.cached)),
        ("Probes asked", count(cost.probes.asked)),
        ("Probes computed", count(cost.probes.computed)),
        ("Trained parameters of all experts", count(trained)),
        ("Bytes of all experts", bytes(stored)),
    ];
    if let Some(strangers) = &report.out_of_distribution {
        lines.push(("Queries out of distribution", count(strangers.queries)));
    }
    lines
}

fn expert_line(expert: &crate::ExpertReport) -> ExpertLine {
    ExpertLine {
        name: visible(&expert.task),
        parameters: count(expert.parameters),
        bytes: bytes(expert.bytes),
        examples: count(expert.training_examples),
        negatives: known_count(expert.negatives.as_ref().map(crate::Negatives::total)),
        steps: known_count(expert.steps),
        validation: expert.validation_line(),
        loss: decimals(expert.final_loss, 3),
    }
}

fn task_line(report: &Report, extras: &ReportExtras, task: usize) -> TaskLine {
    let matrix = &report.score_matrix;
    let first = matrix.get(task, task);
    let last = matrix.stages().checked_sub(1).and_then(|stage| matrix.get(stage, task));
    let change = first.zip(last).map(|(first, last)| last - first);
    let name = report.tasks[task].as_str();
    TaskLine {
        name: visible(name),
        series: task % SERIES,
        metric: extras.task_metrics.get(task).map_or_else(|| "–".to_owned(), |metric| visible(metric)),
        first: score(first),
        last: score(last),
        change: signed(change),
        worse: change.is_some_and(|change| change <= -5.0),
        routed: percent(routed_right(report, task)),
        expert: report.experts.iter().find(|expert| expert.task == name).map(expert_line),
    }
}
