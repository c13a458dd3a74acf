//! Heat maps over pairs of keys. Pairs that do not fit are counted in a note.

use serde::Serialize;
use serde_json::Value;

use super::super::figures::visible;
use super::super::plot::{Cell, HeatMap};
use super::super::units;
use super::axes::values_of;
use super::curves::{Chart, families};
use super::names::{Names, value_text};
use super::{drawn, wish};
use crate::measures::without_noise;
use crate::sweep::Shown;
use crate::{EvalError, SettingSummary, SweepReport};

/// The maps of the page.
#[derive(Serialize)]
pub(super) struct Maps {
    pairs: Vec<Pair>,
    /// Number of pairs left out, with the reason.
    left_out: Option<String>,
}

/// The maps of one pair of keys.
#[derive(Serialize)]
struct Pair {
    name: String,
    note: String,
    charts: Vec<Chart>,
}

/// Most values of a key in a map.
const MAX_VALUES: usize = 24;
/// Most pairs on a page.
const MAX_PAIRS: usize = 12;
/// Most cells over all maps.
const MAX_CELLS: usize = 6_000;

impl Maps {
    pub(super) fn of(report: &SweepReport, names: &Names<'_>, figures: &[Shown]) -> Result<Self, EvalError> {
        let (mut pairs, mut too_long, mut too_many, mut cells) = (Vec::new(), 0, 0, 0);
        for (at, first) in names.keys.iter().enumerate() {
            for second in &names.keys[at + 1..] {
                let both: Vec<&SettingSummary> = report
                    .settings
                    .iter()
                    .filter(|of| of.values.contains_key(first) && of.values.contains_key(second))
                    .collect();
                for (recipe, settings) in families(&both, |setting| setting.recipe.clone()) {
                    let axes = [first, second]
                        .map(|key| values_of(settings.iter().filter_map(|setting| setting.values.get(key))));
                    if axes.iter().any(|values| values.len() < 2) {
                        continue;
                    }
                    if axes.iter().any(|values| values.len() > MAX_VALUES) {
                        too_long += 1;
                        continue;
                    }
                    let size = axes[0].len() * axes[1].len() * drawn(figures).count();
                    if pairs.len() == MAX_PAIRS || cells + size > MAX_CELLS {
                        too_many += 1;
                        continue;
                    }
                    cells += size;
                    let recipe = names.recipes.then_some(recipe.as_str());
                    pairs.extend(pair([first, second], &axes, recipe, names, &settings, figures)?);
                }
            }
        }
        let mut left_out = Vec::new();
        if too_long > 0 {
            left_out.push(format!("{too_long} with more than {MAX_VALUES} values of a key"));
        }
        if too_many > 0 {
            left_out.push(format!("{too_many} beyond the size limit of this page"));
        }
        let left_out = (!left_out.is_empty()).then(|| {
            format!("Pairs of keys without a map: {}. sweep.csv has their figures.", left_out.join(", "))
        });
        Ok(Self { pairs, left_out })
    }
}

/// The maps of every figure that varies over two keys; `None` if no figure does.
fn pair(
    keys: [&String; 2],
    axes: &[Vec<Value>; 2],
    recipe: Option<&str>,
    names: &Names<'_>,
    settings: &[&SettingSummary],
    figures: &[Shown],
) -> Result<Option<Pair>, EvalError> {
    let mut charts = Vec::new();
    let [rows, columns] = axes;
    let place = |values: &[Value], value: Option<&Value>| values.iter().position(|of| Some(of) == value);
    let places: Vec<(usize, usize, &SettingSummary)> = settings
        .iter()
        .filter_map(|of| {
            Some((place(rows, of.values.get(keys[0]))?, place(columns, of.values.get(keys[1]))?, *of))
        })
        .collect();
    for figure in drawn(figures) {
        let mut sums = vec![vec![(0.0, 0_u32); columns.len()]; rows.len()];
        for (row, column, setting) in &places {
            if let Some(spread) = setting.figures.get(&figure.name) {
                let (sum, count) = &mut sums[*row][*column];
                *sum += spread.mean;
                *count += 1;
            }
        }
        let mean = |(sum, count): &(f64, u32)| (*count > 0).then(|| sum / f64::from(*count));
        let means: Vec<Vec<Option<f64>>> = sums.iter().map(|row| row.iter().map(mean).collect()).collect();
        let known = || means.iter().flatten().flatten().copied();
        let (least, most) =
            (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
        if least.partial_cmp(&most) != Some(std::cmp::Ordering::Less) {
            continue;
        }
        let label = visible(&figure.label);
        let axis_names = keys.map(|key| names.short(key));
        let cell = |row: usize, column: usize, value: f64| Cell {
            strength: (value - least) / (most - least),
            figure: units::brief(value, figure.unit),
            value: without_noise(value),
            tip: format!(
                "{} {}, {} {}\n{label} {}",
                axis_names[0],
                value_text(&rows[row]),
                axis_names[1],
                value_text(&columns[column]),
                units::figure(Some(value), figure.unit)
            ),
        };
        let cells = means.iter().enumerate().map(|(row, means)| {
            means
                .iter()
                .enumerate()
                .map(|(column, value)| value.map(|value| cell(row, column, value)))
                .collect()
        });
        let plot = HeatMap {
            plot: "a pair of keys",
            description: &format!(
                "Heat map of {label} over {} and {}. The figures stand in the table of settings.",
                axis_names[0], axis_names[1]
            ),
            rows: rows.iter().map(value_text).collect(),
            numbered: false,
            columns: columns.iter().map(|value| (value_text(value), false)).collect(),
            compact: false,
            row_axis: &axis_names[0],
            column_axis: &axis_names[1],
            cells: cells.collect(),
        }
        .draw()?;
        let percent = if figure.unit == crate::Unit::Share { ", %" } else { "" };
        charts.push(Chart { title: format!("{label}{percent}"), note: wish(figure.better).to_owned(), plot });
    }
    if charts.is_empty() {
        return Ok(None);
    }
    let name = format!("{} × {}", names.short(keys[0]), names.short(keys[1]));
    let others = settings.len() > rows.len() * columns.len()
        || settings.iter().any(|setting| setting.values.len() > 2);
    Ok(Some(Pair {
        name: recipe.map_or_else(|| name.clone(), |recipe| format!("{name}, {}", visible(recipe))),
        note: if others {
            "Each cell is the mean over all settings with its two values; the colour scale spans the least to the greatest value of the map.".to_owned()
        } else {
            "Each cell is the mean of one setting; the colour scale spans the least to the greatest value of the map."
                .to_owned()
        },
        charts,
    }))
}
