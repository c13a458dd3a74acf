//! Lines over steps, stages or values of a key, with bars of deviation. It draws no legend: the page has one in text, for all
//! plots of the same tasks or settings.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::figures::{count, of_axis};
use super::{Area, GRID, INK, LETTER, MUTED, PlotResult, draw, series, text};
use crate::EvalError;

/// One line.
#[derive(Default)]
pub(in crate::render) struct Line {
    /// Colour of its task.
    pub(in crate::render) series: usize,
    pub(in crate::render) points: Vec<(f64, f64)>,
    /// How far a bar reaches up and down from each point; empty for no bars.
    pub(in crate::render) bars: Vec<f64>,
    /// What stands above each point; empty for nothing.
    pub(in crate::render) labels: Vec<String>,
    pub(in crate::render) look: Look,
}

/// How the points of a line are joined.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Look {
    /// Straight from one to the next.
    #[default]
    Joined,
    /// Each alone.
    Dots,
    /// Level to the next, then up or down.
    Steps,
}

/// The numbers under the x axis.
pub(in crate::render) enum Ticks {
    /// At most this many, whole numbers only.
    Whole(usize),
    /// At these places; one that has no room is left out.
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
    pub(in crate::render) x: (f64, f64),
    pub(in crate::render) y: (f64, f64),
    pub(in crate::render) x_ticks: Ticks,
    /// What numbers of the y axis are apart, about.
    pub(in crate::render) y_step: f64,
    /// A dot at each point: for few points that were measured one by one.
    pub(in crate::render) dots: bool,
    pub(in crate::render) lines: Vec<Line>,
}

impl Curves<'_> {
    pub(in crate::render) fn draw(&self) -> Result<String, EvalError> {
        draw(self.plot, self.description, self.size, |area| {
            let whole = matches!(self.x_ticks, Ticks::Whole(_));
            let mut chart = ChartBuilder::on(area)
                .margin(12)
                .margin_right(20)
                .x_label_area_size(52)
                .y_label_area_size(64)
                .build_cartesian_2d(self.x.0..self.x.1, self.y.0..self.y.1)?;
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
                .y_label_formatter(&|y| of_axis(*y, self.y.0.abs().max(self.y.1.abs()), self.y_step))
                .set_tick_mark_size(LabelAreaPosition::Bottom, if whole { 5 } else { 0 })
                .draw()?;
            if let Ticks::At(ticks) = &self.x_ticks {
                let places = ticks.iter().map(|(x, label)| (chart.backend_coord(&(*x, self.y.0)), label));
                draw_ticks(area, places)?;
            }
            for line in &self.lines {
                let colour = series(line.series);
                let joined = match line.look {
                    Look::Joined => line.points.clone(),
                    Look::Dots => Vec::new(),
                    Look::Steps => steps(&line.points),
                };
                chart.draw_series(LineSeries::new(joined, colour.stroke_width(2)))?;
                for ((x, y), bar) in line.points.iter().zip(&line.bars) {
                    let ends = [(*x, y - bar), (*x, y + bar)];
                    chart.draw_series([PathElement::new(ends, colour.mix(0.55).stroke_width(2))])?;
                }
                if self.dots || line.look != Look::Joined || line.points.len() == 1 {
                    let dots = line.points.iter().map(|point| Circle::new(*point, 4, colour.filled()));
                    chart.draw_series(dots)?;
                }
                let labels = line.points.iter().zip(&line.labels);
                draw_labels(area, labels.map(|(point, label)| (chart.backend_coord(point), label)))?;
            }
            Ok(())
        })
    }
}

/// Marks and numbers under the axis, from the left; one that would touch its neighbour is left out.
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

/// Words above points; one that would touch one before it is left out.
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
        area.draw_text(label, &text(13, INK, HPos::Center), (x, y - HEIGHT))?;
    }
    Ok(())
}

/// Level from each point to below the next.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let corners = points.windows(2).flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]);
    corners.chain(points.last().copied()).collect()
}
