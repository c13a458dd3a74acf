//! One row per setting: its name, its mean as a dot with a deviation bar, and the figure as text.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::figures::shortened;
use super::{GRID, INK, LETTER, MUTED, Mark, Plot, draw, series, text};
use crate::EvalError;
use crate::sweep::csv_line;

/// One row.
pub(in crate::render) struct DotRow {
    pub(in crate::render) name: String,
    /// Colour index.
    pub(in crate::render) series: usize,
    pub(in crate::render) mean: f64,
    pub(in crate::render) deviation: Option<f64>,
    /// Mean and deviation as text.
    pub(in crate::render) figure: String,
}

/// Rows over a common axis.
pub(in crate::render) struct DotRows<'a> {
    pub(in crate::render) plot: &'static str,
    pub(in crate::render) description: &'a str,
    pub(in crate::render) axis: &'a str,
    pub(in crate::render) range: (f64, f64),
    pub(in crate::render) ticks: Vec<(f64, String)>,
    /// Where a vertical line marks the baseline.
    pub(in crate::render) baseline: Option<f64>,
    pub(in crate::render) rows: Vec<DotRow>,
}

const WIDTH: i32 = 800;
const ROW: i32 = 26;
const TOP: i32 = 10;
const BOTTOM: i32 = 46;
const MARGIN: i32 = 12;
/// Longest name, in letters, that is written in full.
const NAME: usize = 44;

impl DotRows<'_> {
    pub(in crate::render) fn draw(&self) -> Result<Plot, EvalError> {
        let longest = |of: fn(&DotRow) -> &String| {
            let letters = self.rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
            (letters.min(NAME) as f64 * LETTER) as i32
        };
        let left = MARGIN + longest(|row| &row.name) + 18;
        let right = WIDTH - MARGIN - longest(|row| &row.figure) - 14;
        let rows = i32::try_from(self.rows.len()).unwrap_or(i32::MAX);
        let (height, floor) = (TOP + rows * ROW + BOTTOM, TOP + rows * ROW + 6);
        let x = |value: f64| {
            let share = (value - self.range.0) / (self.range.1 - self.range.0).max(f64::MIN_POSITIVE);
            left + (f64::from(right - left) * share.clamp(0.0, 1.0)).round() as i32
        };
        let size = (WIDTH.unsigned_abs(), height.unsigned_abs());
        let svg = draw(self.plot, self.description, size, |area, marks| {
            for (place, label) in &self.ticks {
                area.draw(&PathElement::new([(x(*place), TOP), (x(*place), floor)], GRID))?;
                area.draw_text(label, &text(13, MUTED, HPos::Center), (x(*place), floor + 12))?;
            }
            area.draw_text(self.axis, &text(13, INK, HPos::Center), ((left + right) / 2, floor + 30))?;
            if let Some(baseline) = self.baseline {
                let line = [(x(baseline), TOP), (x(baseline), floor)];
                area.draw(&PathElement::new(line, MUTED.stroke_width(1)))?;
            }
            for (at, row) in (0..).zip(&self.rows) {
                let y = TOP + at * ROW + ROW / 2;
                let colour = series(row.series);
                area.draw_text(&shortened(&row.name, NAME), &text(13, INK, HPos::Right), (left - 14, y))?;
                if let Some(deviation) = row.deviation.filter(|deviation| *deviation > 0.0) {
                    let bar = [(x(row.mean - deviation), y), (x(row.mean + deviation), y)];
                    area.draw(&PathElement::new(bar, colour.mix(0.55).stroke_width(3)))?;
                }
                area.draw(&Circle::new((x(row.mean), y), 5, colour.filled()))?;
                area.draw_text(&row.figure, &text(13, MUTED, HPos::Right), (WIDTH - MARGIN, y))?;
                let tip = format!("{}\n{} {}", row.name, self.axis, row.figure);
                marks.add(Mark::Box(0, y - ROW / 2, WIDTH, ROW), &tip);
            }
            Ok(())
        })?;
        let mut csv = String::new();
        csv_line(&mut csv, ["setting", self.axis, "deviation"].map(str::to_owned).into_iter());
        for row in &self.rows {
            let deviation = row.deviation.map_or_else(String::new, |deviation| deviation.to_string());
            csv_line(&mut csv, [row.name.clone(), row.mean.to_string(), deviation].into_iter());
        }
        Ok(Plot { svg, csv })
    }
}
