//! Lines over steps or stages. It draws no legend: the page has one in text, for all plots of the same tasks.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::figures::count;
use super::{GRID, INK, MUTED, draw, series, text};
use crate::EvalError;

/// One line.
pub(in crate::render) struct Line {
    /// Colour of its task.
    pub(in crate::render) series: usize,
    pub(in crate::render) points: Vec<(f64, f64)>,
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
    /// At most this many numbers on the x axis; whole numbers only.
    pub(in crate::render) x_labels: usize,
    pub(in crate::render) y_decimals: usize,
    /// A dot at each point: for few points that were measured one by one.
    pub(in crate::render) dots: bool,
    pub(in crate::render) lines: Vec<Line>,
}

impl Curves<'_> {
    pub(in crate::render) fn draw(&self) -> Result<String, EvalError> {
        draw(self.plot, self.description, self.size, |area| {
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
                .x_labels(self.x_labels)
                .y_labels(6)
                .x_label_formatter(&|x| {
                    if x.fract() == 0.0 && *x >= 0.0 { count(*x as u64) } else { String::new() }
                })
                .y_label_formatter(&|y| format!("{y:.*}", self.y_decimals))
                .draw()?;
            for line in &self.lines {
                let colour = series(line.series);
                chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)))?;
                if self.dots || line.points.len() == 1 {
                    let dots = line.points.iter().map(|point| Circle::new(*point, 4, colour.filled()));
                    chart.draw_series(dots)?;
                }
            }
            Ok(())
        })
    }
}
