//! Selects and draws the plots of a report, except those of training. A plot without data is left out.

use serde::Serialize;

use super::super::figures::{count, number, percent, score, visible};
use super::super::plot::{Cell, Curves, HeatMap, Histogram, Line, Plot, Ticks};
use crate::{ClaimSample, ClaimScale, EvalError, Report, ReportExtras, rounded};

/// The plots of the page; `None` without data.
#[derive(Serialize)]
pub(super) struct Charts {
    scores: Option<Plot>,
    /// R as a table: task learned at the stage, scores.
    score_rows: Vec<(String, Vec<String>)>,
    over_stages: Option<Plot>,
    confusion: Option<Plot>,
    /// The confusion as a table: true task, counts.
    confusion_rows: Vec<(String, Vec<String>)>,
    routing_over_stages: Option<Plot>,
    claims: Vec<ClaimChart>,
    /// Definition of a claim's value.
    claim_scale: &'static str,
    threshold: Option<String>,
    any_stranger_claim: bool,
}

#[derive(Serialize)]
struct ClaimChart {
    expert: String,
    plot: Plot,
    counts: String,
}

impl Charts {
    pub(super) fn of(report: &Report, extras: &ReportExtras) -> Result<Self, EvalError> {
        let names: Vec<String> = report.tasks.iter().map(|name| visible(name)).collect();
        let rows = report.score_matrix.rows().iter().enumerate();
        let evaluated = rows.clone().filter(|(_, row)| row.iter().any(Option::is_some)).count();
        Ok(Self {
            scores: if evaluated > 0 { Some(scores(report, &names)?) } else { None },
            score_rows: rows
                .filter(|_| evaluated > 0)
                .map(|(stage, row)| (names[stage].clone(), row.iter().map(|value| score(*value)).collect()))
                .collect(),
            // A line needs two stages.
            over_stages: if evaluated > 1 { Some(over_stages(report)?) } else { None },
            confusion: confusion(report, &names)?,
            confusion_rows: report
                .routing
                .iter()
                .flat_map(|routing| confusion_rows(&routing.confusion, &names))
                .collect(),
            routing_over_stages: routing_over_stages(report)?,
            claims: claims(extras, &names)?,
            claim_scale: match extras.claim_scale {
                ClaimScale::Renormalised => "accept / (accept + reject)",
                ClaimScale::Raw => "the probability of the accepting indicator",
            },
            threshold: extras.threshold.map(number),
            any_stranger_claim: extras.claims.iter().any(|claim| claim.task.is_none()),
        })
    }
}

fn confusion_rows(confusion: &[Vec<u64>], names: &[String]) -> Vec<(String, Vec<String>)> {
    let line = |(name, row): (&String, &Vec<u64>)| {
        (name.clone(), row.iter().map(|queries| count(*queries)).collect())
    };
    names.iter().zip(confusion).map(line).collect()
}

fn scores(report: &Report, names: &[String]) -> Result<Plot, EvalError> {
    let rows = report.score_matrix.rows();
    let cell = |stage: usize, task: usize, value: f64| Cell {
        strength: value / 100.0,
        figure: if value < 99.95 { score(Some(value)) } else { "100".to_owned() },
        value: rounded(value),
        tip: format!("{}\nafter learning {}: {value:.2}", names[task], names[stage]),
    };
    let row = |(stage, row): (usize, &Vec<Option<f64>>)| {
        row.iter().enumerate().map(|(task, value)| value.map(|value| cell(stage, task, value))).collect()
    };
    HeatMap {
        plot: "the score matrix",
        description: &format!(
            "Heat map of the score matrix R: {} stages by {} tasks, average of the last row {}. The figures follow as a table.",
            rows.len(),
            names.len(),
            score(report.average_score)
        ),
        rows: names.iter().take(rows.len()).cloned().collect(),
        numbered: true,
        columns: names.iter().map(|name| (name.clone(), true)).collect(),
        compact: false,
        row_axis: "after learning",
        column_axis: "score on",
        cells: rows.iter().enumerate().map(row).collect(),
    }
    .draw()
}

fn confusion(report: &Report, names: &[String]) -> Result<Option<Plot>, EvalError> {
    let Some(routing) = &report.routing else { return Ok(None) };
    if routing.confusion.iter().flatten().all(|queries| *queries == 0) {
        return Ok(None);
    }
    let cells = routing.confusion.iter().zip(names).map(|(row, task)| {
        let all: u64 = row.iter().sum();
        let cell = |(column, queries): (usize, &u64)| {
            let share = *queries as f64 / all.max(1) as f64;
            let expert = names
                .get(column)
                .map_or_else(|| "the backbone".to_owned(), |name| format!("the expert of {name}"));
            (*queries > 0).then(|| Cell {
                strength: share,
                figure: count(*queries),
                value: *queries as f64,
                tip: format!(
                    "query of {task}\nanswered by {expert}: {} of {} ({})",
                    count(*queries),
                    count(all),
                    percent(Some(share))
                ),
            })
        };
        row.iter().enumerate().map(cell).collect()
    });
    HeatMap {
        plot: "the routing confusion",
        description: "Heat map of which expert answered the queries of each task; the last column is the backbone. The counts follow as a table.",
        rows: names.to_vec(),
        numbered: true,
        columns: names.iter().map(|name| (name.clone(), true)).chain([("backbone".to_owned(), false)]).collect(),
        compact: false,
        row_axis: "query of",
        column_axis: "answered by",
        cells: cells.collect(),
    }
    .draw()
    .map(Some)
}

/// Range of the x axis over stages, which are numbered from 1.
fn stage_axis(stages: usize) -> (f64, f64) {
    let margin = if stages == 1 { 0.5 } else { 0.03 * stages as f64 };
    (1.0 - margin, stages as f64 + margin)
}

fn over_stages(report: &Report) -> Result<Plot, EvalError> {
    let matrix = &report.score_matrix;
    let line = |task: usize| Line {
        name: visible(&report.tasks[task]),
        series: task,
        points: (0..matrix.stages())
            .filter_map(|stage| Some(((stage + 1) as f64, rounded(matrix.get(stage, task)?))))
            .collect(),
        ..Line::default()
    };
    Curves {
        plot: "scores over stages",
        description: "Line plot: the score of each task after each stage. The figures are those of the score matrix.",
        size: (560, 350),
        x_axis: "stage",
        y_axis: "score",
        x: stage_axis(matrix.stages()),
        y: (0.0, 104.0),
        x_log: false,
        y_log: false,
        x_ticks: Ticks::Whole(matrix.stages() + 1),
        y_step: 1.0,
        dots: true,
        lines: (0..matrix.tasks()).map(line).collect(),
    }
    .draw()
}

fn routing_over_stages(report: &Report) -> Result<Option<Plot>, EvalError> {
    let Some(routing) = &report.routing else { return Ok(None) };
    let shares = routing.by_stage.iter().enumerate();
    let points: Vec<(f64, f64)> = shares
        .filter_map(|(stage, share)| {
            Some(((stage + 1) as f64, rounded(share.filter(|s| s.is_finite())? * 100.0)))
        })
        .collect();
    if points.len() < 2 {
        return Ok(None);
    }
    Curves {
        plot: "routing over stages",
        description: "Line plot: share of queries of learned tasks that reached their own expert, after each stage.",
        size: (560, 350),
        x_axis: "stage",
        y_axis: "routed right, %",
        x: stage_axis(routing.by_stage.len()),
        y: (0.0, 104.0),
        x_log: false,
        y_log: false,
        x_ticks: Ticks::Whole(routing.by_stage.len() + 1),
        y_step: 1.0,
        dots: true,
        lines: vec![Line { series: 0, points, ..Line::default() }],
    }
    .draw()
    .map(Some)
}

fn claims(extras: &ReportExtras, names: &[String]) -> Result<Vec<ClaimChart>, EvalError> {
    let mut charts = Vec::new();
    for (expert, name) in names.iter().enumerate() {
        let of = |wanted: fn(&ClaimSample) -> bool| -> Vec<f64> {
            let claims = extras.claims.iter().filter(|claim| claim.expert == expert && wanted(claim));
            claims.map(|claim| claim.score).filter(|score| score.is_finite()).collect()
        };
        let own = of(|claim| claim.task == Some(claim.expert));
        let others = of(|claim| claim.task.is_some_and(|task| task != claim.expert));
        let strangers = of(|claim| claim.task.is_none());
        if own.is_empty() && others.is_empty() && strangers.is_empty() {
            continue;
        }
        let counts = format!(
            "{} own, {} of other tasks, {} out of distribution",
            count(own.len() as u64),
            count(others.len() as u64),
            count(strangers.len() as u64)
        );
        let description = format!("Histogram of the claims of the expert of {name}: {counts}.");
        let plot =
            Histogram { description: &description, own, others, strangers, threshold: extras.threshold }
                .draw()?;
        charts.push(ClaimChart { expert: name.clone(), plot, counts });
    }
    Ok(charts)
}
