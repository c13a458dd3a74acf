//! Line plots over steps, stages, or values of a key, with deviation bars. The legend is not part of the plot: the page shows
//! one, as text, for all plots of the same tasks or settings.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::figures::{count, number, of_axis};
use super::{Area, GRID, INK, LETTER, MUTED, Mark, Marks, Plot, PlotResult, draw, series, text};
use crate::EvalError;
use crate::sweep::csv_line;

/// One line.
#[derive(Default)]
pub(in crate::render) struct Line {
    /// Name in tooltips and in the CSV.
    pub(in crate::render) name: String,
    /// Colour index.
    pub(in crate::render) series: usize,
    /// Values, not their logarithms.
    pub(in crate::render) points: Vec<(f64, f64)>,
    /// Half length of each point's deviation bar; empty for no bars.
    pub(in crate::render) bars: Vec<f64>,
    /// Label above each point; empty for no labels.
    pub(in crate::render) labels: Vec<String>,
    /// Tooltip of each point; where empty, it is made from the name and the values.
    pub(in crate::render) tips: Vec<String>,
    pub(in crate::render) look: Look,
}

/// How the points of a line are joined.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Look {
    /// Straight segments.
    #[default]
    Joined,
    /// Straight segments in a pale colour, without tooltips and left out of the CSV: the raw values behind a smoothed line.
    Pale,
    /// No segments.
    Dots,
    /// Horizontal to the next point, then vertical.
    Steps,
}

/// Numbers under the x axis.
pub(in crate::render) enum Ticks {
    /// At most this many whole numbers.
    Whole(usize),
    /// At these positions (logarithms on a logarithmic axis); those that would overlap are left out.
    At(Vec<(f64, String)>),
}

/// Lines with common axes.
pub(in crate::render) struct Curves<'a> {
    pub(in crate::render) plot: &'static str,
    pub(in crate::render) description: &'a str,
    /// Width and height, px.
    pub(in crate::render) size: (u32, u32),
    pub(in crate::render) x_axis: &'a str,
    pub(in crate::render) y_axis: &'a str,
    /// Ranges; of the decimal logarithm on a logarithmic axis.
    pub(in crate::render) x: (f64, f64),
    pub(in crate::render) y: (f64, f64),
    pub(in crate::render) x_log: bool,
    /// Points whose y is not positive are left out of a logarithmic plot.
    pub(in crate::render) y_log: bool,
    pub(in crate::render) x_ticks: Ticks,
    /// Approximate distance between the numbers of a linear y axis.
    pub(in crate::render) y_step: f64,
    /// Whether each point has a dot: for few points that were measured one by one.
    pub(in crate::render) dots: bool,
    pub(in crate::render) lines: Vec<Line>,
}

/// Columns of tooltips over lines without dots.
const BANDS: usize = 48;

impl Curves<'_> {
    pub(in crate::render) fn draw(&self) -> Result<Plot, EvalError> {
        let svg = draw(self.plot, self.description, self.size, |area, marks| {
            let whole = matches!(self.x_ticks, Ticks::Whole(_));
            let y_range = Upright { range: self.y, logarithmic: self.y_log };
            let mut chart = ChartBuilder::on(area)
                .margin(12)
                .margin_right(20)
                .x_label_area_size(52)
                .y_label_area_size(64)
                .build_cartesian_2d(self.x.0..self.x.1, y_range)?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .bold_line_style(GRID)
                .light_line_style(TRANSPARENT)
                .axis_style(GRID)
                .label_style(text(13, MUTED, HPos::Left))
                .axis_desc_style(text(13, INK, HPos::Center))
                .x_desc(self.x_axis)
                .y_desc(self.y_axis)
                .x_labels(match self.x_ticks {
                    Ticks::Whole(most) => most,
                    Ticks::At(_) => 2,
                })
                .y_labels(6)
                .x_label_formatter(&|x| {
                    if whole && x.fract() == 0.0 && *x >= 0.0 { count(*x as u64) } else { String::new() }
                })
                .y_label_formatter(&|y| self.y_label(*y))
                .set_tick_mark_size(LabelAreaPosition::Bottom, if whole { 5 } else { 0 })
                .draw()?;
            if let Ticks::At(ticks) = &self.x_ticks {
                let places = ticks.iter().map(|(x, label)| (chart.backend_coord(&(*x, self.y.0)), label));
                draw_ticks(area, places)?;
            }
            for line in &self.lines {
                let colour = series(line.series);
                let places = line.points.iter().map(|point| self.place(*point));
                let shown: Vec<(f64, f64)> = places.clone().flatten().collect();
                let dots = self.dots || line.look != Look::Joined || shown.len() == 1;
                let dots = dots && line.look != Look::Pale;
                let style = match line.look {
                    Look::Pale => colour.mix(0.28).stroke_width(1),
                    _ => colour.stroke_width(2),
                };
                let joined = match line.look {
                    Look::Joined | Look::Pale => shown.clone(),
                    Look::Dots => Vec::new(),
                    Look::Steps => steps(&shown),
                };
                chart.draw_series(LineSeries::new(joined, style))?;
                for (point, bar) in line.points.iter().zip(&line.bars) {
                    let end = |sign: f64| self.place((point.0, point.1 + sign * bar));
                    if let Some(ends) = end(-1.0).zip(end(1.0)) {
                        let bar = PathElement::new([ends.0, ends.1], colour.mix(0.55).stroke_width(2));
                        chart.draw_series([bar])?;
                    }
                }
                if dots {
                    let dots = shown.iter().map(|point| Circle::new(*point, 4, colour.filled()));
                    chart.draw_series(dots)?;
                }
                let labels =
                    places.clone().zip(&line.labels).filter_map(|(place, label)| Some((place?, label)));
                draw_labels(area, labels.map(|(place, label)| (chart.backend_coord(&place), label)))?;
                if dots {
                    for (at, place) in places.enumerate() {
                        let Some((x, y)) = place.map(|place| chart.backend_coord(&place)) else { continue };
                        marks.add(Mark::Point(x, y), &self.tip(line, at));
                    }
                }
            }
            if !self.dots {
                let corner = chart.backend_coord(&(self.x.0, self.y.0));
                let opposite = chart.backend_coord(&(self.x.1, self.y.1));
                self.mark_bands(marks, (corner.0, opposite.0), (opposite.1, corner.1));
            }
            Ok(())
        })?;
        Ok(Plot { svg, csv: self.csv() })
    }

    /// A point in the coordinates of the axes; `None` where a logarithm does not exist.
    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let on = |value: f64, logarithmic: bool| match logarithmic {
            true if value > 0.0 => Some(value.log10()),
            true => None,
            false => Some(value),
        };
        Some((on(x, self.x_log)?, on(y, self.y_log)?))
    }

    fn y_label(&self, y: f64) -> String {
        if self.y_log {
            let value = 10_f64.powf(y);
            return if value < 1e-3 { format!("{value:.0e}") } else { of_axis(value, value, value) };
        }
        if self.y.0.abs().max(self.y.1.abs()) < 1e-2 {
            // Short enough not to reach the description of the axis.
            let rounded: f64 = format!("{y:.2e}").parse().unwrap_or(y);
            return if y.abs() < self.y_step * 1e-6 { "0".to_owned() } else { format!("{rounded:e}") };
        }
        of_axis(y, self.y.0.abs().max(self.y.1.abs()), self.y_step)
    }

    fn tip(&self, line: &Line, at: usize) -> String {
        if let Some(tip) = line.tips.get(at) {
            return tip.clone();
        }
        let (x, y) = line.points[at];
        let name = if line.name.is_empty() { String::new() } else { format!("{}\n", line.name) };
        let bar = line.bars.get(at).filter(|bar| **bar > 0.0);
        let bar = bar.map_or_else(String::new, |bar| format!(" ± {}", number(*bar)));
        format!("{name}{} {}\n{} {}{bar}", self.x_axis, number(x), self.y_axis, number(y))
    }

    /// Over long lines: vertical bands, each with the mean of every line inside it.
    fn mark_bands(&self, marks: &mut Marks, across: (i32, i32), upright: (i32, i32)) {
        let lines = || self.lines.iter().filter(|line| line.look == Look::Joined);
        let most = lines().map(|line| line.points.len()).max().unwrap_or(0);
        let bands = BANDS.min(most);
        let width = (self.x.1 - self.x.0) / bands.max(1) as f64;
        let tip = |band: usize| {
            let low = self.x.0 + width * band as f64;
            let inside: Vec<(&Line, f64, f64)> = lines()
                .filter_map(|line| {
                    let points = line.points.iter().filter(|point| {
                        self.place(**point).is_some_and(|(x, _)| x >= low && x < low + width)
                    });
                    let (x, y, n) =
                        points.fold((0.0, 0.0, 0.0), |sum, (x, y)| (sum.0 + x, sum.1 + y, sum.2 + 1.0));
                    (n > 0.0).then(|| (line, x / n, y / n))
                })
                .collect();
            let Some((_, x, _)) = inside.first() else { return String::new() };
            let x = if matches!(self.x_ticks, Ticks::Whole(_)) { x.round() } else { *x };
            let mut tip = format!("{} {}", self.x_axis, number(x));
            for (line, _, y) in inside {
                let name = if line.name.is_empty() { self.y_axis } else { &line.name };
                tip.push_str(&format!("\n{name}: {}", number(y)));
            }
            tip
        };
        marks.bands(across, upright, &(0..bands).map(tip).collect::<Vec<_>>());
    }

    /// One record per point: series, x, y and, where any line has bars, the deviation.
    fn csv(&self) -> String {
        let bars = self.lines.iter().any(|line| !line.bars.is_empty());
        let mut csv = String::new();
        let heads = ["series", self.x_axis, self.y_axis].into_iter().chain(bars.then_some("deviation"));
        csv_line(&mut csv, heads.map(str::to_owned));
        for line in self.lines.iter().filter(|line| line.look != Look::Pale) {
            for (at, (x, y)) in line.points.iter().enumerate() {
                let bar = line.bars.get(at).map_or_else(String::new, f64::to_string);
                let fields = [line.name.clone(), x.to_string(), y.to_string()];
                csv_line(&mut csv, fields.into_iter().chain(bars.then_some(bar)));
            }
        }
        csv
    }
}

/// The y axis: linear, or the decimal logarithm with numbers at 1, 2 and 5 times powers of ten.
struct Upright {
    range: (f64, f64),
    logarithmic: bool,
}

impl Ranged for Upright {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if !self.logarithmic {
            return RangedCoordf64::from(self.range()).key_points(hint);
        }
        let (low, high) = self.range;
        let times: &[f64] = if high - low > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let decades = low.floor() as i32..=high.ceil() as i32;
        let points =
            decades.flat_map(|decade| times.iter().map(move |times| times.log10() + f64::from(decade)));
        points.filter(|point| (low..=high).contains(point)).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.0..self.range.1
    }
}

/// Tick marks and numbers under the axis, from the left; a number that would touch the one before it is left out.
fn draw_ticks<'a>(area: &Area<'_>, places: impl Iterator<Item = ((i32, i32), &'a String)>) -> PlotResult {
    let mut free_from = i32::MIN;
    for ((x, y), label) in places {
        let half = (label.chars().count() as f64 * LETTER / 2.0) as i32 + 3;
        if x - half < free_from {
            continue;
        }
        free_from = x + half;
        area.draw(&PathElement::new([(x, y), (x, y + 5)], GRID))?;
        area.draw_text(label, &text(13, MUTED, HPos::Center), (x, y + 16))?;
    }
    Ok(())
}

/// Labels above points; one that would touch an earlier one is left out.
fn draw_labels<'a>(area: &Area<'_>, places: impl Iterator<Item = ((i32, i32), &'a String)>) -> PlotResult {
    const HEIGHT: i32 = 13;
    let mut taken: Vec<(i32, i32, i32)> = Vec::new();
    for ((x, y), label) in places {
        let half = (label.chars().count() as f64 * LETTER / 2.0) as i32 + 1;
        let touches = |(at, height, wide): &(i32, i32, i32)| {
            (x - at).abs() < half + wide && (y - height).abs() < HEIGHT
        };
        if taken.iter().any(touches) {
            continue;
        }
        taken.push((x, y, half));
        // Near an edge the label moves inside.
        let x = x.clamp(half, (area.dim_in_pixel().0 as i32 - half).max(half));
        area.draw_text(label, &text(13, INK, HPos::Center), (x, y - HEIGHT))?;
    }
    Ok(())
}

/// Horizontal from each point to below the next, then vertical.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let corners = points.windows(2).flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]);
    corners.chain(points.last().copied()).collect()
}
