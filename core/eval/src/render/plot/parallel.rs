//! Parallel coordinates: one vertical axis per key or figure, one line per setting.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::figures::shortened;
use super::{GRID, INK, MUTED, Mark, Plot, draw, text};
use crate::EvalError;
use crate::sweep::csv_line;

/// One axis.
pub(in crate::render) struct ParallelAxis {
    pub(in crate::render) name: String,
    /// Height from 0 (bottom) to 1 (top), and label.
    pub(in crate::render) ticks: Vec<(f64, String)>,
}

/// A setting's value on one axis.
#[derive(Clone)]
pub(in crate::render) struct ParallelPlace {
    /// 0 (bottom) to 1 (top).
    pub(in crate::render) height: f64,
    /// Value in tooltips.
    pub(in crate::render) text: String,
    /// Unrounded value for the CSV.
    pub(in crate::render) value: String,
}

/// One setting.
pub(in crate::render) struct ParallelLine {
    pub(in crate::render) name: String,
    /// One per axis; `None` interrupts the line.
    pub(in crate::render) places: Vec<Option<ParallelPlace>>,
    /// CSS variable of the colour.
    pub(in crate::render) colour: String,
    /// 0..=1.
    pub(in crate::render) opacity: f64,
}

/// Axes and lines.
pub(in crate::render) struct ParallelPlot<'a> {
    pub(in crate::render) description: &'a str,
    pub(in crate::render) axes: Vec<ParallelAxis>,
    pub(in crate::render) lines: Vec<ParallelLine>,
}

const WIDTH: i32 = 1080;
const HEIGHT: i32 = 360;
const TOP: i32 = 46;
const BOTTOM: i32 = 18;
const SIDE: i32 = 104;

impl ParallelPlot<'_> {
    pub(in crate::render) fn draw(&self) -> Result<Plot, EvalError> {
        let gaps = i32::try_from(self.axes.len()).unwrap_or(i32::MAX).saturating_sub(1).max(1);
        let x = |axis: i32| SIDE + (WIDTH - 2 * SIDE) * axis / gaps;
        let y = |place: f64| {
            HEIGHT - BOTTOM - (f64::from(HEIGHT - TOP - BOTTOM) * place.clamp(0.0, 1.0)).round() as i32
        };
        let room = ((WIDTH - 2 * SIDE) / gaps / 7).clamp(6, 24).unsigned_abs() as usize;
        let size = (WIDTH.unsigned_abs(), HEIGHT.unsigned_abs());
        let svg = draw("the settings", self.description, size, |area, marks| {
            marks.below = true;
            for line in &self.lines {
                let mut path = String::new();
                let mut pen = 'M';
                for (at, place) in (0..).zip(&line.places) {
                    let Some(place) = place else {
                        pen = 'M';
                        continue;
                    };
                    path.push_str(&format!("{pen}{} {}", x(at), y(place.height)));
                    pen = 'L';
                }
                let values = self.axes.iter().zip(&line.places);
                let values = values
                    .filter_map(|(axis, place)| Some(format!("{} {}", axis.name, place.as_ref()?.text)));
                let tip = std::iter::once(line.name.clone()).chain(values).collect::<Vec<_>>().join("\n");
                marks.add(Mark::Path { path, colour: line.colour.clone(), opacity: line.opacity }, &tip);
            }
            for (at, axis) in (0..).zip(&self.axes) {
                area.draw(&PathElement::new([(x(at), TOP), (x(at), HEIGHT - BOTTOM)], GRID.stroke_width(2)))?;
                let name = shortened(&axis.name, room);
                area.draw_text(&name, &text(13, INK, HPos::Center), (x(at), 16))?;
                let mut free_below = i32::MAX;
                for (place, label) in &axis.ticks {
                    if y(*place) + 8 > free_below {
                        continue;
                    }
                    free_below = y(*place) - 8;
                    let last = at > 0 && at == gaps;
                    let (side, shift) = if last { (HPos::Left, 8) } else { (HPos::Right, -8) };
                    let label = shortened(label, room.min(14));
                    area.draw_text(&label, &text(12, MUTED, side), (x(at) + shift, y(*place)))?;
                }
            }
            Ok(())
        })?;
        let mut csv = String::new();
        let heads = std::iter::once("setting").chain(self.axes.iter().map(|axis| axis.name.as_str()));
        csv_line(&mut csv, heads.map(str::to_owned));
        for line in &self.lines {
            let values = line
                .places
                .iter()
                .map(|place| place.as_ref().map_or_else(String::new, |of| of.value.clone()));
            csv_line(&mut csv, std::iter::once(line.name.clone()).chain(values));
        }
        Ok(Plot { svg, csv })
    }
}
