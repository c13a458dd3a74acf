//! Plots of figures over keys, and of scores against costs. A plot without data is left out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::super::figures::visible;
use super::super::plot::{Curves, Line, Look, Plot, SERIES};
use super::super::units;
use super::axes::{Axis, upright, values_of};
use super::names::Names;
use super::{counted, drawn, wish};
use crate::sweep::{FRONT_COSTS, MAIN, Shown};
use crate::{EvalError, SettingSummary, Spread, SweepReport, Unit};

/// One plot with its heading.
#[derive(Serialize)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) plot: Plot,
}

/// The plots over one key.
#[derive(Serialize)]
pub(super) struct KeySection {
    key: String,
    note: String,
    charts: Vec<Chart>,
    legend: Vec<(String, usize)>,
    /// Figures that are equal at every value of the key.
    level: Option<String>,
}

/// Score against one cost.
#[derive(Serialize)]
pub(super) struct Front {
    chart: Chart,
    /// Number from 1, name, score, cost of each setting on it, cheapest first.
    members: Vec<(usize, String, String, String)>,
    cost: String,
}

const SIZE: (u32, u32) = (560, 350);
/// Most curves of a plot: one per colour.
const CURVES: usize = SERIES;
/// Most points of a curve with dots and bars.
const DOTS: usize = 60;
/// Fewest numeric values for a curve.
const MIN_VALUES: usize = 3;
/// The grey series colour, for settings behind the front.
const GREY: usize = 8;
/// Longest name that labels a point, in letters.
const LABEL: usize = 14;

/// All y values of lines and of the ends of their bars.
pub(super) fn reach(lines: &[Line]) -> Vec<f64> {
    let of = |line: &Line| -> Vec<f64> {
        let bars = line.bars.iter().copied().chain(std::iter::repeat(0.0));
        line.points.iter().zip(bars).flat_map(|((_, y), bar)| [y - bar, y + bar]).collect()
    };
    lines.iter().flat_map(of).collect()
}

/// One section for every key that has only numeric values, and at least three of them.
pub(super) fn keys(
    report: &SweepReport,
    names: &Names<'_>,
    figures: &[Shown],
) -> Result<Vec<KeySection>, EvalError> {
    let mut sections = Vec::new();
    for key in names.keys {
        let settings: Vec<&SettingSummary> =
            report.settings.iter().filter(|setting| setting.values.contains_key(key)).collect();
        let values = values_of(settings.iter().filter_map(|setting| setting.values.get(key)));
        if values.len() < MIN_VALUES || !values.iter().all(Value::is_number) {
            continue;
        }
        let section = key_section(key, names, &settings, &values, figures)?;
        if !section.charts.is_empty() || section.level.is_some() {
            sections.push(section);
        }
    }
    Ok(sections)
}

/// Settings that differ only in the key, with the name of what they share.
type Family<'a> = (String, Vec<&'a SettingSummary>);

fn key_section(
    key: &str,
    names: &Names<'_>,
    settings: &[&SettingSummary],
    values: &[Value],
    figures: &[Shown],
) -> Result<KeySection, EvalError> {
    let families = families(settings, |setting| names.rest(setting, &[key]));
    let pooled = families.len() > CURVES;
    let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    let axis = Axis::of(&numbers);
    let (mut charts, mut level) = (Vec::new(), Vec::new());
    let mut legend: Vec<(String, usize)> = Vec::new();
    for figure in drawn(figures) {
        let curves: Vec<(String, Line)> = if pooled {
            pooled_curves(&families, key, values, figure)
        } else {
            let curve = |(at, (name, members)): (usize, &Family<'_>)| {
                (name.clone(), own_curve(name, members, key, figure, at))
            };
            families.iter().enumerate().map(curve).collect()
        };
        let heights: Vec<f64> =
            curves.iter().flat_map(|(_, line)| line.points.iter().map(|of| of.1)).collect();
        let [first, rest @ ..] = &heights[..] else { continue };
        if rest.iter().all(|height| height == first) {
            level.push(format!(
                "{} {}",
                visible(&figure.label),
                units::figure(Some(*first / units::on_axis(1.0, figure.unit)), figure.unit)
            ));
            continue;
        }
        for (name, line) in &curves {
            if !name.is_empty() && !legend.iter().any(|(known, _)| known == name) {
                legend.push((name.clone(), line.series % SERIES));
            }
        }
        charts.push(chart(key, names, values, figure, &axis, curves)?);
    }
    let note = if pooled {
        format!(
            "{} of other keys: each point is the mean over those that were run at every value, its bar their deviation.",
            counted(families.len(), "combination")
        )
    } else {
        "One curve per combination of other keys; bars are the deviation over replicates.".to_owned()
    };
    Ok(KeySection {
        key: visible(key),
        note: if axis.logarithmic { format!("{note} The axis of values is logarithmic.") } else { note },
        charts,
        legend,
        level: (!level.is_empty()).then(|| level.join(" · ")),
    })
}

fn chart(
    key: &str,
    names: &Names<'_>,
    values: &[Value],
    figure: &Shown,
    axis: &Axis,
    curves: Vec<(String, Line)>,
) -> Result<Chart, EvalError> {
    let lines: Vec<Line> = curves.into_iter().map(|(_, line)| line).collect();
    let (y, y_step) = upright(&reach(&lines));
    let label = visible(&figure.label);
    let short = names.short(key);
    let plot = Curves {
        plot: "a key of a sweep",
        description: &format!("Line plot: {label} over {short}. The table of settings has the figures."),
        size: SIZE,
        x_axis: &short,
        y_axis: &if figure.unit == Unit::Share { format!("{label}, %") } else { label.clone() },
        x: axis.range,
        y,
        x_log: axis.logarithmic,
        y_log: false,
        x_ticks: axis.at(values),
        y_step,
        dots: values.len() <= DOTS,
        lines,
    }
    .draw()?;
    Ok(Chart { title: label, note: format!("{} ({})", visible(&figure.doc), wish(figure.better)), plot })
}

/// Groups settings by name, in the order of their first members.
pub(super) fn families<'a>(
    settings: &[&'a SettingSummary],
    name: impl Fn(&SettingSummary) -> String,
) -> Vec<Family<'a>> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut families: Vec<Family<'a>> = Vec::new();
    for setting in settings {
        let name = name(setting);
        let at = *places.entry(name.clone()).or_insert(families.len());
        if at == families.len() {
            families.push((name, Vec::new()));
        }
        families[at].1.push(setting);
    }
    families
}

/// The curve of settings that differ only in the key.
fn own_curve(name: &str, members: &[&SettingSummary], key: &str, figure: &Shown, series: usize) -> Line {
    let mut points: Vec<(f64, &Spread)> = members
        .iter()
        .filter_map(|setting| Some((setting.values.get(key)?.as_f64()?, setting.figures.get(&figure.name)?)))
        .collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let height = |value: f64| units::on_axis(value, figure.unit);
    Line {
        name: name.to_owned(),
        series,
        bars: if points.len() <= DOTS {
            points.iter().map(|(_, spread)| height(spread.deviation.unwrap_or(0.0))).collect()
        } else {
            Vec::new()
        },
        points: points.iter().map(|(value, spread)| (*value, height(spread.mean))).collect(),
        ..Line::default()
    }
}

/// Curves for more families than a plot has colours: one per recipe. Each point is the mean over the families of that recipe
/// that have the figure at every value; other families would make means incomparable.
fn pooled_curves(
    families: &[Family<'_>],
    key: &str,
    values: &[Value],
    figure: &Shown,
) -> Vec<(String, Line)> {
    let mut recipes: Vec<(&str, Vec<Vec<f64>>)> = Vec::new();
    for (_, members) in families {
        let of = |value: &Value| {
            let setting = members.iter().find(|setting| setting.values.get(key) == Some(value))?;
            Some(units::on_axis(setting.figures.get(&figure.name)?.mean, figure.unit))
        };
        let (Some(row), Some(first)) = (values.iter().map(of).collect::<Option<Vec<f64>>>(), members.first())
        else {
            continue;
        };
        match recipes.iter_mut().find(|(recipe, _)| *recipe == first.recipe) {
            Some((_, rows)) => rows.push(row),
            None => recipes.push((&first.recipe, vec![row])),
        }
    }
    let curve = |(series, (recipe, rows)): (usize, &(&str, Vec<Vec<f64>>))| {
        let name = format!("{}, mean over {}", visible(recipe), counted(rows.len(), "combination"));
        let mut line = Line { name: name.clone(), series, ..Line::default() };
        for (at, value) in values.iter().enumerate() {
            let column: Vec<f64> = rows.iter().map(|row| row[at]).collect();
            let (Some(spread), Some(value)) = (Spread::of(&column), value.as_f64()) else { continue };
            line.points.push((value, spread.mean));
            line.bars.push(spread.deviation.unwrap_or(0.0));
        }
        (name, line)
    };
    recipes.iter().take(CURVES).enumerate().map(curve).collect()
}

/// Average score against each cost that varies.
pub(super) fn fronts(report: &SweepReport, figures: &[Shown]) -> Result<Vec<Front>, EvalError> {
    let mut fronts = Vec::new();
    for cost in figures.iter().filter(|figure| FRONT_COSTS.contains(&figure.name.as_str())) {
        let mean = |setting: &SettingSummary, name: &str| setting.figures.get(name).map(|of| of.mean);
        let all: Vec<(usize, &SettingSummary, f64, f64)> = report
            .settings
            .iter()
            .enumerate()
            .filter_map(|(at, of)| Some((at + 1, of, mean(of, &cost.name)?, mean(of, MAIN)?)))
            .collect();
        if all.iter().all(|of| of.2 == all[0].2) {
            continue;
        }
        let axis = Axis::of(&all.iter().map(|of| of.2).collect::<Vec<_>>());
        let (mut on, off): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, setting, ..)| setting.on_front.contains(&cost.name));
        on.sort_by(|one, other| one.2.total_cmp(&other.2).then(one.0.cmp(&other.0)));
        let points = |of: &[(usize, &SettingSummary, f64, f64)]| -> Vec<(f64, f64)> {
            of.iter().map(|(_, _, cost, score)| (*cost, *score)).collect()
        };
        let tip = |(_, setting, value, score): &(usize, &SettingSummary, f64, f64)| {
            let value = units::figure(Some(*value), cost.unit);
            let (name, score) = (visible(&setting.name), units::figure(Some(*score), Unit::Score));
            format!("{name}\n{} {value}\naverage score {score}", visible(&cost.label))
        };
        let tips = |of: &[(usize, &SettingSummary, f64, f64)]| of.iter().map(tip).collect();
        // Long names overlap; their numbers in the table do not.
        let short = on.iter().all(|(_, setting, ..)| setting.name.chars().count() <= LABEL);
        let label = |(number, setting, ..): &(usize, &SettingSummary, f64, f64)| {
            if short { visible(&setting.name) } else { number.to_string() }
        };
        let lines = vec![
            Line {
                name: "not on the front".to_owned(),
                series: GREY,
                points: points(&off),
                tips: tips(&off),
                look: Look::Dots,
                ..Line::default()
            },
            Line {
                name: "on the front".to_owned(),
                series: 0,
                points: points(&on),
                labels: on.iter().map(label).collect(),
                tips: tips(&on),
                look: Look::Steps,
                ..Line::default()
            },
        ];
        let label = visible(&cost.label);
        let (y, y_step) = upright(&reach(&lines));
        let plot = Curves {
            plot: "a front",
            description: &format!("Average score against {label} of every setting; the Pareto front is joined. The table below lists its settings."),
            size: SIZE,
            x_axis: &if axis.logarithmic { format!("{label}, logarithmic") } else { label.clone() },
            y_axis: "average score",
            x: axis.range,
            y,
            x_log: axis.logarithmic,
            y_log: false,
            x_ticks: axis.round(),
            y_step,
            dots: true,
            lines,
        }
        .draw()?;
        let member = |(number, setting, cost_mean, score): &(usize, &SettingSummary, f64, f64)| {
            let figure = units::figure(Some(*cost_mean), cost.unit);
            (*number, visible(&setting.name), units::figure(Some(*score), Unit::Score), figure)
        };
        fronts.push(Front {
            chart: Chart {
                title: format!("Average score against {}", lower(&label)),
                note: format!(
                    "Joined: settings that no other setting beats in both.{}",
                    if short { "" } else { " Numbers are those of the table of settings." }
                ),
                plot,
            },
            members: on.iter().map(member).collect(),
            cost: label,
        });
    }
    Ok(fronts)
}

/// The text with its first letter in lower case.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
