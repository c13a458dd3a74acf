//! All settings at a glance: average scores by name, and parallel coordinates over keys and figures.

use serde::Serialize;
use serde_json::Value;

use super::super::figures::{number, of_axis, visible};
use super::super::plot::{
    DotRow, DotRows, ParallelAxis, ParallelLine, ParallelPlace, ParallelPlot, Plot, SERIES,
};
use super::super::units;
use super::axes::{Axis, values_of};
use super::names::{Names, value_text};
use super::{chosen, drawn};
use crate::measures::without_noise;
use crate::sweep::{MAIN, Shown};
use crate::{EvalError, SettingSummary, Spread, SweepReport, Unit};

/// Average scores side by side.
#[derive(Serialize)]
pub(super) struct Overview {
    plot: Plot,
    note: String,
    /// Name and colour of recipes.
    legend: Vec<(String, usize)>,
}

/// Parallel coordinates.
#[derive(Serialize)]
pub(super) struct Parallel {
    plot: Plot,
    note: String,
    legend: Vec<(String, usize)>,
}

/// Most rows of the overview.
const ROWS: usize = 60;
/// Most lines and axes of the parallel coordinates.
const LINES: usize = 1_000;
const AXES: usize = 9;
/// Most labels of an axis.
const LABELS: usize = 12;

/// Recipes in the order of their first settings, the index of each being its colour.
fn recipes(report: &SweepReport) -> Vec<&str> {
    let mut recipes: Vec<&str> = Vec::new();
    for setting in &report.settings {
        if !recipes.contains(&setting.recipe.as_str()) {
            recipes.push(&setting.recipe);
        }
    }
    recipes
}

/// `None` for fewer than two settings with a score.
pub(super) fn overview(report: &SweepReport, names: &Names<'_>) -> Result<Option<Overview>, EvalError> {
    let recipes = recipes(report);
    let settings = chosen(report, ROWS);
    let scored: Vec<(&SettingSummary, &Spread)> =
        settings.iter().filter_map(|setting| Some((*setting, setting.figures.get(MAIN)?))).collect();
    if scored.len() < 2 {
        return Ok(None);
    }
    let ends = scored.iter().flat_map(|(_, spread)| {
        let deviation = spread.deviation.unwrap_or(0.0);
        [spread.mean - deviation, spread.mean + deviation]
    });
    let axis = Axis::linear(&ends.map(|end| end.clamp(0.0, 100.0)).collect::<Vec<_>>());
    let baseline = scored.iter().find(|(setting, _)| Some(&setting.name) == report.baseline.as_ref());
    let row = |(setting, spread): &(&SettingSummary, &Spread)| DotRow {
        name: visible(&setting.name),
        series: recipes.iter().position(|recipe| *recipe == setting.recipe).unwrap_or(0),
        mean: spread.mean,
        deviation: spread.deviation,
        figure: units::spread(spread, Unit::Score),
    };
    let plot = DotRows {
        plot: "settings",
        description: "Dot plot: mean average score of each setting with its deviation. The table of settings has the figures.",
        axis: "average score",
        range: axis.range,
        ticks: axis.round_ticks(),
        baseline: baseline.map(|(_, spread)| spread.mean),
        rows: scored.iter().map(row).collect(),
    }
    .draw()?;
    let mut note = "Mean and deviation over replicates.".to_owned();
    if baseline.is_some() {
        note.push_str(" The vertical line is the mean of the baseline.");
    }
    if settings.len() < report.settings.len() {
        note.push_str(&format!(" The {ROWS} settings with the highest scores, and the baseline."));
    }
    // Where each setting is a recipe, the rows are the legend.
    let legend = names.recipes && recipes.len() < report.settings.len();
    Ok(Some(Overview { plot, note, legend: if legend { legend_of(&recipes) } else { Vec::new() } }))
}

fn legend_of(recipes: &[&str]) -> Vec<(String, usize)> {
    recipes.iter().enumerate().map(|(at, name)| (visible(name), at % SERIES)).collect()
}

/// `None` where there are fewer than two settings or axes, or no key or recipe varies.
pub(super) fn parallel(
    report: &SweepReport,
    names: &Names<'_>,
    figures: &[Shown],
) -> Result<Option<Parallel>, EvalError> {
    let settings = chosen(report, LINES);
    let mut axes: Vec<AxisWithPlaces> = Vec::new();
    if names.recipes {
        let of = |setting: &&SettingSummary| Some(Value::from(setting.recipe.as_str()));
        axes.extend(value_axis("recipe".to_owned(), &settings.iter().map(of).collect::<Vec<_>>()));
    }
    for key in names.keys {
        let of = |setting: &&SettingSummary| setting.values.get(key).cloned();
        axes.extend(value_axis(names.short(key), &settings.iter().map(of).collect::<Vec<_>>()));
    }
    let varied = axes.len();
    axes.extend(drawn(figures).filter_map(|figure| figure_axis(figure, &settings)));
    axes.truncate(AXES.max(varied + 1));
    if settings.len() < 2 || varied == 0 || axes.len() < 2 {
        return Ok(None);
    }
    let recipes = recipes(report);
    let scores = || settings.iter().filter_map(|setting| Some(setting.figures.get(MAIN)?.mean));
    let (least, most) = (scores().fold(f64::INFINITY, f64::min), scores().fold(f64::NEG_INFINITY, f64::max));
    // Among many lines, only the best are strong.
    let (faint, power) = if settings.len() > 60 { (0.04, 6) } else { (0.15, 1) };
    let line = |at: &usize| {
        let (at, setting) = (*at, settings[*at]);
        let score =
            setting.figures.get(MAIN).map(|of| (of.mean - least) / (most - least).max(f64::MIN_POSITIVE));
        ParallelLine {
            name: visible(&setting.name),
            places: axes.iter().map(|(_, places)| places[at].clone()).collect(),
            colour: if names.recipes {
                let place = recipes.iter().position(|recipe| *recipe == setting.recipe).unwrap_or(0);
                format!("series-{}", place % SERIES)
            } else {
                "heat".to_owned()
            },
            opacity: faint + (0.95 - faint) * score.unwrap_or(0.0).clamp(0.0, 1.0).powi(power),
        }
    };
    // The best last, above the others.
    let mut order: Vec<usize> = (0..settings.len()).collect();
    let score = |at: &usize| settings[*at].figures.get(MAIN).map_or(f64::NEG_INFINITY, |of| of.mean);
    order.sort_by(|one, other| score(one).total_cmp(&score(other)));
    let lines = order.iter().map(line).collect();
    let plot = ParallelPlot {
        description: "Parallel coordinates: one line per setting over the varied keys and its mean figures. The table of settings has the figures.",
        lines,
        axes: axes.into_iter().map(|(axis, _)| axis).collect(),
    }
    .draw()?;
    let cut = if settings.len() < report.settings.len() {
        format!(" The {LINES} settings with the highest scores, and the baseline.")
    } else {
        String::new()
    };
    let note = format!(
        "One line per setting through the values of its keys and its mean figures; the stronger the colour, the higher the \
         average score. Point at a line, or tap it, to see its values.{cut}"
    );
    let legend = if names.recipes { legend_of(&recipes) } else { Vec::new() };
    Ok(Some(Parallel { plot, note, legend }))
}

/// An axis, and the place and text of each setting on it.
type AxisWithPlaces = (ParallelAxis, Vec<Option<ParallelPlace>>);

/// The axis of a key or of recipes; `None` where fewer than two values exist. Values are evenly spaced in their order.
fn value_axis(name: String, of_settings: &[Option<Value>]) -> Option<AxisWithPlaces> {
    let values = values_of(of_settings.iter().flatten());
    if values.len() < 2 {
        return None;
    }
    let place = |at: usize| at as f64 / (values.len() - 1) as f64;
    let every = values.len().div_ceil(LABELS);
    let labelled = values.iter().enumerate().filter(|(at, _)| at % every == 0 || at + 1 == values.len());
    let ticks = labelled.map(|(at, value)| (place(at), value_text(value))).collect();
    let places: std::collections::BTreeMap<String, usize> =
        values.iter().enumerate().map(|(at, value)| (value.to_string(), at)).collect();
    let at = |value: &Option<Value>| {
        let value = value.as_ref()?;
        let text = value_text(value);
        let height = place(*places.get(&value.to_string())?);
        Some(ParallelPlace { height, value: text.clone(), text })
    };
    Some((ParallelAxis { name, ticks }, of_settings.iter().map(at).collect()))
}

/// The axis of a figure; `None` where all settings have the same mean.
fn figure_axis(figure: &Shown, settings: &[&SettingSummary]) -> Option<AxisWithPlaces> {
    let mean = |setting: &&SettingSummary| Some(setting.figures.get(&figure.name)?.mean);
    let means: Vec<f64> = settings.iter().filter_map(mean).collect();
    let (least, most) = means
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), mean| (least.min(*mean), most.max(*mean)));
    if least.partial_cmp(&most) != Some(std::cmp::Ordering::Less) {
        return None;
    }
    let place = |value: f64| (value - least) / (most - least);
    let label = |value: f64| match figure.unit {
        Unit::Count | Unit::Bytes | Unit::Rate if most >= 1e4 => of_axis(value, most, (most - least) / 10.0),
        Unit::Share => number(crate::rounded(value * 1e4).round() / 100.0),
        _ => number((value * 100.0).round() / 100.0),
    };
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share, label(least + (most - least) * share)));
    let unit = if figure.unit == Unit::Share { ", %" } else { "" };
    let places = settings.iter().map(|setting| {
        mean(setting).map(|value| ParallelPlace {
            height: place(value),
            text: units::figure(Some(value), figure.unit),
            value: without_noise(units::on_axis(value, figure.unit)).to_string(),
        })
    });
    Some((
        ParallelAxis { name: format!("{}{unit}", visible(&figure.label)), ticks: ticks.to_vec() },
        places.collect(),
    ))
}
