//! The tables of the page: settings with spreads and differences, points with links to their runs, failures. Columns of figures
//! that no setting has are left out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::figures::visible;
use super::super::units;
use super::names::{Names, link, value_or_dash};
use super::wish;
use crate::sweep::{Shown, state};
use crate::{PointState, SettingSummary, SweepPoint, SweepReport, Unit};

/// Headers of the tables.
#[derive(Serialize)]
pub(super) struct Heads {
    recipes: bool,
    /// Short name and full key.
    keys: Vec<[String; 2]>,
    scores: Vec<Head>,
    costs: Vec<Head>,
    /// Of the table of points.
    points: Vec<Head>,
    orders: bool,
}

#[derive(Serialize)]
struct Head {
    label: String,
    /// Description of the figure, and whether more or less is better.
    doc: String,
}

/// A setting in both of its tables.
#[derive(Serialize)]
pub(super) struct SettingLine {
    name: String,
    recipe: String,
    values: Vec<String>,
    replicates: String,
    baseline: bool,
    front: bool,
    scores: Vec<FigureCell>,
    costs: Vec<FigureCell>,
}

#[derive(Serialize)]
struct FigureCell {
    text: String,
    /// Sort key, where the text does not sort.
    sort: Option<String>,
    change: Option<Change>,
}

#[derive(Serialize)]
struct Change {
    text: String,
    mark: &'static str,
    /// Method of the interval, and the number of pairs.
    basis: String,
}

/// The points of a setting.
#[derive(Serialize)]
pub(super) struct Group {
    name: String,
    points: Vec<PointLine>,
}

#[derive(Serialize)]
struct PointLine {
    run: String,
    link: Option<String>,
    seed: String,
    order: String,
    state: &'static str,
    figures: Vec<String>,
}

/// A point that failed.
#[derive(Serialize)]
pub(super) struct Failure {
    name: String,
    run: String,
    link: Option<String>,
    problem: String,
}

impl Heads {
    pub(super) fn of(report: &SweepReport, names: &Names<'_>, figures: &[Shown]) -> Self {
        let head = |figure: &Shown| Head {
            label: visible(&figure.label),
            doc: format!("{} In the mean, {}.", visible(&figure.doc), wish(figure.better)),
        };
        Self {
            // The column would repeat the names where every setting is a recipe.
            recipes: names.recipes && report.settings.iter().any(|setting| setting.name != setting.recipe),
            keys: names.keys.iter().map(|key| [names.short(key), visible(key)]).collect(),
            scores: figures.iter().filter(|figure| !figure.cost).map(head).collect(),
            costs: figures.iter().filter(|figure| figure.cost).map(head).collect(),
            points: of_points(figures).map(head).collect(),
            orders: report.points.iter().any(|point| point.order.is_some()),
        }
    }
}

pub(super) fn settings(report: &SweepReport, names: &Names<'_>, figures: &[Shown]) -> Vec<SettingLine> {
    let line = |setting: &SettingSummary| {
        let cells = |cost: bool| {
            figures.iter().filter(|figure| figure.cost == cost).map(|figure| cell(setting, figure)).collect()
        };
        let all = setting.replicates + setting.failed + setting.left;
        SettingLine {
            name: visible(&setting.name),
            recipe: visible(&setting.recipe),
            values: names.keys.iter().map(|key| value_or_dash(&setting.values, key)).collect(),
            replicates: if setting.replicates == all {
                all.to_string()
            } else {
                format!("{} of {all}", setting.replicates)
            },
            baseline: Some(&setting.name) == report.baseline.as_ref(),
            front: !setting.on_front.is_empty(),
            scores: cells(false),
            costs: cells(true),
        }
    };
    report.settings.iter().map(line).collect()
}

fn cell(setting: &SettingSummary, figure: &Shown) -> FigureCell {
    let figures = if figure.time { &setting.times } else { &setting.figures };
    let Some(spread) = figures.get(&figure.name) else {
        return FigureCell { text: units::figure(None, figure.unit), sort: None, change: None };
    };
    let change = setting.differences.get(&figure.name).filter(|_| !figure.cost || figure.drawn);
    FigureCell {
        text: units::spread(spread, figure.unit),
        sort: matches!(figure.unit, Unit::Bytes | Unit::Seconds).then(|| spread.mean.to_string()),
        change: change.map(|change| Change {
            text: units::change(change, figure.unit),
            mark: units::mark(change, figure.better, figure.unit),
            basis: units::basis(change),
        }),
    }
}

/// Columns of the table of points: drawn figures, and times.
fn of_points(figures: &[Shown]) -> impl Iterator<Item = &Shown> {
    figures.iter().filter(|figure| figure.drawn || figure.time)
}

pub(super) fn groups(report: &SweepReport, figures: &[Shown]) -> Vec<Group> {
    let mut members: BTreeMap<&str, Vec<PointLine>> = BTreeMap::new();
    for point in &report.points {
        let figure = |figure: &Shown| {
            let values = if figure.time { &point.times } else { &point.scores };
            units::figure(values.get(&figure.name).copied().flatten(), figure.unit)
        };
        members.entry(&point.setting).or_default().push(PointLine {
            run: visible(&point.run),
            link: link_of(point),
            seed: point.seed.to_string(),
            order: point.order.as_deref().map_or_else(|| "–".to_owned(), visible),
            state: state(point.state),
            figures: of_points(figures).map(figure).collect(),
        });
    }
    let group = |setting: &SettingSummary| Group {
        name: visible(&setting.name),
        points: members.remove(setting.name.as_str()).unwrap_or_default(),
    };
    report.settings.iter().map(group).collect()
}

pub(super) fn failures(report: &SweepReport) -> Vec<Failure> {
    let failed = report.points.iter().filter(|point| point.state == PointState::Failed);
    let failure = |point: &SweepPoint| Failure {
        name: visible(&point.name),
        run: visible(&point.run),
        link: link_of(point),
        problem: point.problem.as_deref().map_or_else(|| "–".to_owned(), visible),
    };
    failed.map(failure).collect()
}

fn link_of(point: &SweepPoint) -> Option<String> {
    point.report.as_deref().and_then(link)
}
