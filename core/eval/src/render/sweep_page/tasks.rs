//! Scores per task: a table at the end of the stream, AR after each task, and the mean R of settings side by side.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::figures::{score, visible};
use super::super::plot::{Cell, Curves, HeatMap, Line, Plot, SERIES, Ticks};
use super::super::units;
use super::axes::upright;
use super::chosen;
use super::curves::reach;
use crate::sweep::{OF_TASK, csv_line};
use crate::{EvalError, SettingSummary, StreamScores, SweepReport, Unit};

/// The section on tasks.
#[derive(Serialize)]
pub(super) struct Tasks {
    names: Vec<String>,
    rows: Vec<TaskRow>,
    csv: String,
    /// Whether the table leaves settings out.
    cut: bool,
    curve: Option<Curve>,
    streams: Vec<Stream>,
    /// Whether maps leave settings out.
    maps_cut: bool,
}

/// A setting in the table of tasks.
#[derive(Serialize)]
struct TaskRow {
    /// Number in the table of settings, from 1.
    number: usize,
    name: String,
    baseline: bool,
    cells: Vec<TaskCell>,
}

#[derive(Serialize)]
struct TaskCell {
    text: String,
    /// Strength of the background, 0..=1; `None` without a score.
    strength: Option<String>,
    /// Whether no setting of the table has a higher mean on the task.
    best: bool,
}

/// AR after each task.
#[derive(Serialize)]
struct Curve {
    plot: Plot,
    legend: Vec<(String, usize)>,
    cut: bool,
}

/// The maps of one order of tasks.
#[derive(Serialize)]
struct Stream {
    /// The tasks, numbered in the order learned.
    tasks: Vec<String>,
    maps: Vec<Map>,
}

#[derive(Serialize)]
struct Map {
    name: String,
    note: String,
    plot: Plot,
}

/// Most settings of the table.
const ROWS: usize = 60;
/// Most maps per order of tasks, most orders, and most tasks of a map.
const MAPS: usize = 12;
const STREAMS: usize = 6;
const MAP_TASKS: usize = 24;

/// Names of the tasks of all runs, in the order in which they are first learned.
pub(in crate::render) fn task_names(report: &SweepReport) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let streams = report.settings.iter().flat_map(|setting| &setting.streams);
    streams.flat_map(|of| &of.tasks).map(String::as_str).filter(|task| seen.insert(*task)).collect()
}

impl Tasks {
    /// `None` where no run has two tasks.
    pub(super) fn of(report: &SweepReport) -> Result<Option<Self>, EvalError> {
        let tasks = task_names(report);
        if tasks.len() < 2 {
            return Ok(None);
        }
        let settings = chosen(report, ROWS);
        let streams = streams(report)?;
        Ok(Some(Self {
            rows: rows(report, &settings, &tasks),
            csv: csv(&settings, &tasks),
            cut: settings.len() < report.settings.len(),
            curve: curve(report)?,
            maps_cut: streams.iter().any(|stream| stream.maps.len() == MAPS) && report.settings.len() > MAPS,
            streams,
            names: tasks.iter().map(|task| visible(task)).collect(),
        }))
    }
}

fn rows(report: &SweepReport, settings: &[&SettingSummary], tasks: &[&str]) -> Vec<TaskRow> {
    let mean =
        |setting: &SettingSummary, task: &str| Some(setting.figures.get(&format!("{OF_TASK}{task}"))?.mean);
    let best: Vec<f64> = tasks
        .iter()
        .map(|task| {
            settings.iter().filter_map(|setting| mean(setting, task)).fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    let numbers: std::collections::BTreeMap<&str, usize> =
        report.settings.iter().enumerate().map(|(at, setting)| (setting.name.as_str(), at + 1)).collect();
    let cell = |setting: &SettingSummary, (at, task): (usize, &&str)| {
        let spread = setting.figures.get(&format!("{OF_TASK}{task}"));
        let text = spread.map_or_else(|| "–".to_owned(), |spread| units::spread(spread, Unit::Score));
        let mean = spread.map(|spread| spread.mean);
        TaskCell {
            text,
            strength: mean.map(|mean| format!("{:.2}", (mean / 100.0).clamp(0.0, 1.0))),
            // As printed: a difference beyond the second decimal is not shown.
            best: settings.len() > 1 && mean.is_some_and(|mean| (mean - best[at]).abs() < 0.005),
        }
    };
    let row = |setting: &&SettingSummary| TaskRow {
        number: numbers.get(setting.name.as_str()).copied().unwrap_or(0),
        name: visible(&setting.name),
        baseline: Some(&setting.name) == report.baseline.as_ref(),
        cells: tasks.iter().enumerate().map(|task| cell(setting, task)).collect(),
    };
    settings.iter().map(row).collect()
}

/// One record per setting and task.
fn csv(settings: &[&SettingSummary], tasks: &[&str]) -> String {
    let mut csv = String::new();
    csv_line(
        &mut csv,
        ["setting", "task", "score", "deviation", "replicates"].map(str::to_owned).into_iter(),
    );
    for setting in settings {
        for task in tasks {
            let Some(spread) = setting.figures.get(&format!("{OF_TASK}{task}")) else { continue };
            let deviation = spread.deviation.map_or_else(String::new, |deviation| deviation.to_string());
            let fields = [visible(&setting.name), visible(task), spread.mean.to_string(), deviation];
            csv_line(&mut csv, fields.into_iter().chain([spread.count.to_string()]));
        }
    }
    csv
}

/// AR after each task, one line per setting; `None` where no setting was evaluated at two stages.
fn curve(report: &SweepReport) -> Result<Option<Curve>, EvalError> {
    let staged = |setting: &&SettingSummary| setting.average_scores.iter().flatten().count() > 1;
    let settings = chosen(report, SERIES);
    if !settings.iter().any(staged) {
        return Ok(None);
    }
    let line = |(series, setting): (usize, &&SettingSummary)| {
        let spreads =
            || setting.average_scores.iter().enumerate().filter_map(|(at, of)| Some((at, of.as_ref()?)));
        Line {
            name: visible(&setting.name),
            series,
            points: spreads().map(|(at, spread)| ((at + 1) as f64, spread.mean)).collect(),
            bars: spreads().map(|(_, spread)| spread.deviation.unwrap_or(0.0)).collect(),
            tips: spreads()
                .map(|(at, spread)| {
                    let name = visible(&setting.name);
                    let score = units::spread(spread, Unit::Score);
                    format!("{name}\nafter {} tasks: {score}", at + 1)
                })
                .collect(),
            ..Line::default()
        }
    };
    let lines: Vec<Line> =
        settings.iter().enumerate().map(line).filter(|line| !line.points.is_empty()).collect();
    let stages = settings.iter().map(|setting| setting.average_scores.len()).max().unwrap_or(1);
    let (y, y_step) = upright(&reach(&lines));
    let legend = lines.iter().map(|line| (line.name.clone(), line.series % SERIES)).collect();
    let margin = 0.03 * stages as f64;
    let plot = Curves {
        plot: "the average score after each task",
        description: "Line plot: average score after each task, one line per setting.",
        size: (1080, 380),
        x_axis: "tasks learned",
        y_axis: "average score",
        x: (1.0 - margin, stages as f64 + margin),
        y,
        x_log: false,
        y_log: false,
        x_ticks: Ticks::Whole(stages + 1),
        y_step,
        dots: true,
        lines,
    }
    .draw()?;
    Ok(Some(Curve { plot, legend, cut: settings.len() < report.settings.len() }))
}

/// The maps, grouped by the order of tasks.
fn streams(report: &SweepReport) -> Result<Vec<Stream>, EvalError> {
    let settings = chosen(report, MAPS);
    let mut orders: Vec<&[String]> = Vec::new();
    for stream in settings.iter().flat_map(|setting| &setting.streams) {
        let fits = (2..=MAP_TASKS).contains(&stream.tasks.len()) && orders.len() < STREAMS;
        if fits && !orders.contains(&stream.tasks.as_slice()) {
            orders.push(&stream.tasks);
        }
    }
    let mut streams = Vec::new();
    for order in orders {
        let mut maps = Vec::new();
        for setting in &settings {
            let stream = setting.streams.iter().find(|stream| stream.tasks == order);
            let scored = |of: &&StreamScores| of.score_matrix.rows().iter().flatten().any(Option::is_some);
            if let Some(stream) = stream.filter(scored) {
                maps.push(map(setting, stream)?);
            }
        }
        let number = |(at, task): (usize, &String)| format!("{} {}", at + 1, visible(task));
        streams.push(Stream { tasks: order.iter().enumerate().map(number).collect(), maps });
    }
    Ok(streams)
}

fn map(setting: &SettingSummary, stream: &StreamScores) -> Result<Map, EvalError> {
    let name = visible(&setting.name);
    let tasks: Vec<String> = stream.tasks.iter().map(|task| visible(task)).collect();
    let rows = stream.score_matrix.rows();
    let cell = |stage: usize, task: usize, value: f64| Cell {
        strength: value / 100.0,
        figure: if value < 99.95 { score(Some(value)) } else { "100".to_owned() },
        value,
        tip: format!("{name}\n{} after learning {}: {value:.2}", tasks[task], tasks[stage]),
    };
    let row = |(stage, row): (usize, &Vec<Option<f64>>)| {
        row.iter().enumerate().map(|(task, value)| value.map(|value| cell(stage, task, value))).collect()
    };
    let plot = HeatMap {
        plot: "the mean score matrix",
        description: &format!("Heat map of the mean score matrix of {name}."),
        rows: tasks.iter().take(rows.len()).cloned().collect(),
        numbered: true,
        columns: tasks.iter().map(|task| (task.clone(), true)).collect(),
        compact: true,
        row_axis: "after learning",
        column_axis: "score on",
        cells: rows.iter().enumerate().map(row).collect(),
    }
    .draw()?;
    let average = score(stream.score_matrix.average_score());
    let runs = super::counted(stream.replicates as usize, "run");
    Ok(Map { name, note: format!("AR {average}, mean of {runs}"), plot })
}
