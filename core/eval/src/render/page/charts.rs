//! Which plots a report has, and their figures. A plot without anything to show is left out, never drawn empty.

use serde::Serialize;

use super::super::figures::{count, score, visible};
use super::super::plot::{Cell, Curves, HeatMap, Histogram, Line, SERIES, Ticks};
use crate::{ClaimSample, ClaimScale, EvalError, LossCurve, Report, ReportExtras};

/// The plots of the page, SVG; `None` where there is nothing to show.
#[derive(Serialize)]
pub(super) struct Charts {
    scores: Option<String>,
    /// R as a table: name of the stage's task, scores.
    score_rows: Vec<(String, Vec<String>)>,
    over_stages: Option<String>,
    confusion: Option<String>,
    /// The confusion as a table: true task, counts.
    confusion_rows: Vec<(String, Vec<String>)>,
    routing_over_stages: Option<String>,
    claims: Vec<ClaimChart>,
    /// What the number of a claim is.
    claim_scale: &'static str,
    threshold: Option<String>,
    any_stranger_claim: bool,
    losses: Option<String>,
    loss_legend: Vec<(String, usize)>,
}

#[derive(Serialize)]
struct ClaimChart {
    expert: String,
    svg: String,
    counts: String,
}

impl Charts {
    pub(super) fn of(report: &Report, extras: &ReportExtras) -> Result<Self, EvalError> {
        let names: Vec<String> = report.tasks.iter().map(|name| visible(name)).collect();
        let rows = report.score_matrix.rows().iter().enumerate();
        let evaluated = rows.clone().filter(|(_, row)| row.iter().any(Option::is_some)).count();
        let curves: Vec<&LossCurve> =
            extras.loss_curves.iter().filter(|curve| !finite(curve).is_empty()).collect();
        Ok(Self {
            scores: if evaluated > 0 { Some(scores(report, &names)?) } else { None },
            score_rows: rows
                .filter(|_| evaluated > 0)
                .map(|(stage, row)| (names[stage].clone(), row.iter().map(|value| score(*value)).collect()))
                .collect(),
            // One row alone is no course.
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
            threshold: extras.threshold.map(|threshold| format!("{threshold}")),
            any_stranger_claim: extras.claims.iter().any(|claim| claim.task.is_none()),
            losses: if curves.is_empty() { None } else { Some(losses(report, &curves)?) },
            loss_legend: curves
                .iter()
                .map(|curve| (visible(&curve.task), series_of(report, &curve.task) % SERIES))
                .collect(),
        })
    }
}

fn confusion_rows(confusion: &[Vec<u64>], names: &[String]) -> Vec<(String, Vec<String>)> {
    let line = |(name, row): (&String, &Vec<u64>)| {
        (name.clone(), row.iter().map(|queries| count(*queries)).collect())
    };
    names.iter().zip(confusion).map(line).collect()
}

fn scores(report: &Report, names: &[String]) -> Result<String, EvalError> {
    let cell = |value: &Option<f64>| {
        value.map(|value| Cell {
            strength: value / 100.0,
            figure: if value < 99.95 { score(Some(value)) } else { "100".to_owned() },
        })
    };
    let rows = report.score_matrix.rows();
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
        row_axis: "after learning",
        column_axis: "score on",
        cells: rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
    }
    .draw()
}

fn confusion(report: &Report, names: &[String]) -> Result<Option<String>, EvalError> {
    let Some(routing) = &report.routing else { return Ok(None) };
    if routing.confusion.iter().flatten().all(|queries| *queries == 0) {
        return Ok(None);
    }
    let cells = routing.confusion.iter().map(|row| {
        let all: u64 = row.iter().sum();
        let cell = |queries: &u64| {
            (*queries > 0)
                .then(|| Cell { strength: *queries as f64 / all as f64, figure: queries.to_string() })
        };
        row.iter().map(cell).collect()
    });
    HeatMap {
        plot: "the routing confusion",
        description: "Heat map of who answered the queries of each task; the last column is the backbone. The counts follow as a table.",
        rows: names.to_vec(),
        numbered: true,
        columns: names.iter().map(|name| (name.clone(), true)).chain([("backbone".to_owned(), false)]).collect(),
        row_axis: "query of",
        column_axis: "answered by",
        cells: cells.collect(),
    }
    .draw()
    .map(Some)
}

/// Axes of plots over stages, numbered from 1.
fn stage_axis(stages: usize) -> (f64, f64) {
    let margin = if stages == 1 { 0.5 } else { 0.03 * stages as f64 };
    (1.0 - margin, stages as f64 + margin)
}

fn over_stages(report: &Report) -> Result<String, EvalError> {
    let matrix = &report.score_matrix;
    let line = |task: usize| Line {
        series: task,
        points: (0..matrix.stages())
            .filter_map(|stage| Some(((stage + 1) as f64, matrix.get(stage, task)?)))
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
        x_ticks: Ticks::Whole(matrix.stages() + 1),
        y_step: 1.0,
        dots: true,
        lines: (0..matrix.tasks()).map(line).collect(),
    }
    .draw()
}

fn routing_over_stages(report: &Report) -> Result<Option<String>, EvalError> {
    let Some(routing) = &report.routing else { return Ok(None) };
    let shares = routing.by_stage.iter().enumerate();
    let points: Vec<(f64, f64)> = shares
        .filter_map(|(stage, share)| Some(((stage + 1) as f64, share.filter(|s| s.is_finite())? * 100.0)))
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
        let svg =
            Histogram { description: &description, own, others, strangers, threshold: extras.threshold }
                .draw()?;
        charts.push(ClaimChart { expert: name.clone(), svg, counts });
    }
    Ok(charts)
}

/// A page has room for this many points of a curve.
const CURVE_POINTS: usize = 240;

fn losses(report: &Report, curves: &[&LossCurve]) -> Result<String, EvalError> {
    let lines: Vec<Line> = curves
        .iter()
        .map(|curve| Line {
            series: series_of(report, &curve.task),
            points: thinned(&finite(curve)),
            ..Line::default()
        })
        .collect();
    let points = || lines.iter().flat_map(|line| &line.points);
    let last = points().map(|(step, _)| *step).fold(1.0, f64::max);
    let highest = points().map(|(_, loss)| *loss).fold(0.0, f64::max);
    Curves {
        plot: "training loss",
        description: "Line plot: training loss of each expert over its steps. Last losses stand in the table of tasks.",
        size: (1080, 380),
        x_axis: "training step",
        y_axis: "loss, nats a token",
        x: (0.0, last * 1.02),
        y: (0.0, if highest > 0.0 { highest * 1.05 } else { 1.0 }),
        x_ticks: Ticks::Whole(10),
        y_step: if highest < 0.6 { 0.01 } else { 0.1 },
        dots: false,
        lines,
    }
    .draw()
}

/// Colour of a curve: that of its task, of the first where it is of the whole stream.
fn series_of(report: &Report, task: &str) -> usize {
    report.tasks.iter().position(|name| name == task).unwrap_or(0)
}

fn finite(curve: &LossCurve) -> Vec<(f64, f64)> {
    let points = curve.points.iter().filter(|(_, loss)| loss.is_finite());
    points.map(|(step, loss)| (*step as f64, *loss)).collect()
}

/// Means of neighbours where there are too many points; a short curve stays as it is.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(CURVE_POINTS).max(1);
    let mean = |chunk: &[(f64, f64)]| {
        let (steps, losses) = chunk.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (steps / chunk.len() as f64, losses / chunk.len() as f64)
    };
    points.chunks(size).map(mean).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn long_curves_are_thinned_to_means() {
        let long: Vec<(f64, f64)> = (0..1000).map(|step| (f64::from(step), 2.0)).collect();
        let thin = super::thinned(&long);
        assert_eq!(thin.len(), 200);
        assert_eq!(thin[0], (2.0, 2.0));
        assert_eq!(super::thinned(&long[..3]), long[..3]);
        assert!(super::thinned(&[]).is_empty());
    }
}
