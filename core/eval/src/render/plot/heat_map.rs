//! Heat maps: tables of coloured cells with their figures inside. Rows and columns of tasks are numbered from 1, so that a row
//! and a column of the same task match; those of values are not. A map with many columns grows wider and keeps every figure.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::super::figures::shortened;
use super::{Area, GRID, HEAT, HOLE, INK, LETTER, MUTED, Mark, ON_HEAT, Plot, PlotResult, draw, text};
use crate::EvalError;
use crate::sweep::csv_line;

/// One cell.
pub(in crate::render) struct Cell {
    /// Colour strength, 0..=1.
    pub(in crate::render) strength: f64,
    /// Text inside the cell.
    pub(in crate::render) figure: String,
    /// Unrounded value for the CSV.
    pub(in crate::render) value: f64,
    pub(in crate::render) tip: String,
}

/// A heat map; `cells[row][column]`, `None` where there is no value.
pub(in crate::render) struct HeatMap<'a> {
    pub(in crate::render) plot: &'static str,
    pub(in crate::render) description: &'a str,
    pub(in crate::render) rows: Vec<String>,
    /// Whether rows are numbered.
    pub(in crate::render) numbered: bool,
    /// Name, and whether it is numbered (the backbone is not).
    pub(in crate::render) columns: Vec<(String, bool)>,
    /// Whether numbers stand for the names of rows and columns, and cells are small: for several maps side by side.
    pub(in crate::render) compact: bool,
    pub(in crate::render) row_axis: &'a str,
    pub(in crate::render) column_axis: &'a str,
    pub(in crate::render) cells: Vec<Vec<Option<Cell>>>,
}

const LEFT: i32 = 164;
const TOP: i32 = 66;
const CELLS_WIDTH: i32 = 410;
const MIN_CELL: i32 = 42;
/// Width of a compact column, px.
const COMPACT_CELL: i32 = 44;
const MARGIN: i32 = 10;
/// Least and greatest width of a column without a number, px.
const NAMED_CELL: (i32, i32) = (52, 110);

impl HeatMap<'_> {
    pub(in crate::render) fn draw(&self) -> Result<Plot, EvalError> {
        let columns = i32::try_from(self.columns.len().max(1)).unwrap_or(i32::MAX);
        let rows = i32::try_from(self.rows.len()).unwrap_or(i32::MAX);
        let least = if self.any_number() {
            MIN_CELL
        } else {
            let longest = self.columns.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
            ((longest as f64 * LETTER) as i32 + 8).clamp(NAMED_CELL.0, NAMED_CELL.1)
        };
        let width = if self.compact { COMPACT_CELL } else { (CELLS_WIDTH / columns).max(least) };
        let height = (width * 3 / 5).clamp(if self.compact { 26 } else { 32 }, 54);
        let (left, top) = self.corner();
        let size = (left + columns * width + MARGIN, top + rows * height + MARGIN);
        let pixels = (size.0.unsigned_abs(), size.1.unsigned_abs());
        let svg = draw(self.plot, self.description, pixels, |area, marks| {
            self.draw_heads(area, width, height)?;
            for (row, cells) in (0..).zip(&self.cells) {
                for (column, cell) in (0..).zip(cells) {
                    let corner = (left + column * width, top + row * height);
                    draw_cell(area, corner, (width, height), cell.as_ref())?;
                    if let Some(cell) = cell {
                        marks.add(Mark::Box(corner.0 + 1, corner.1 + 1, width - 2, height - 2), &cell.tip);
                    }
                }
            }
            Ok(())
        })?;
        Ok(Plot { svg, csv: self.csv() })
    }

    /// One record per cell with a value.
    fn csv(&self) -> String {
        let mut csv = String::new();
        csv_line(&mut csv, [self.row_axis, self.column_axis, "value"].map(str::to_owned).into_iter());
        for (row, cells) in self.rows.iter().zip(&self.cells) {
            for ((column, _), cell) in self.columns.iter().zip(cells) {
                if let Some(cell) = cell {
                    csv_line(&mut csv, [row.clone(), column.clone(), cell.value.to_string()].into_iter());
                }
            }
        }
        csv
    }

    /// Left and top edge of the cells.
    fn corner(&self) -> (i32, i32) {
        if self.compact { (28, 44) } else { (LEFT, TOP) }
    }

    fn any_number(&self) -> bool {
        self.columns.iter().any(|(_, numbered)| *numbered)
    }

    fn draw_heads(&self, area: &Area<'_>, width: i32, height: i32) -> PlotResult {
        let (left, top) = self.corner();
        if self.compact {
            let (rows, columns) = (self.row_axis, self.column_axis);
            area.draw_text(&format!("{rows} ↓, {columns} →"), &text(12, MUTED, HPos::Left), (MARGIN, 12))?;
            for at in (0..).take(self.columns.len()) {
                let x = left + at * width + width / 2;
                area.draw_text(&(at + 1).to_string(), &text(12, MUTED, HPos::Center), (x, 34))?;
            }
            for at in (0..).take(self.rows.len()) {
                let y = top + at * height + height / 2;
                area.draw_text(&(at + 1).to_string(), &text(12, MUTED, HPos::Right), (left - 7, y))?;
            }
            return Ok(());
        }
        let middle = left + width * (0..).zip(&self.columns).count() as i32 / 2;
        area.draw_text(self.column_axis, &text(13, MUTED, HPos::Center), (middle, 12))?;
        area.draw_text(self.row_axis, &text(13, MUTED, HPos::Left), (MARGIN, 12))?;
        let room = (f64::from(width - 6) / LETTER) as usize;
        let fits = self.columns.iter().all(|(name, _)| name.chars().count() <= room);
        for (at, (name, numbered)) in (0..).zip(&self.columns) {
            let x = left + at * width + width / 2;
            let number = if *numbered { (at + 1).to_string() } else { String::new() };
            if !self.any_number() {
                area.draw_text(&shortened(name, room), &text(13, INK, HPos::Center), (x, 50))?;
            } else if fits {
                area.draw_text(&number, &text(13, MUTED, HPos::Center), (x, 34))?;
                area.draw_text(name, &text(13, INK, HPos::Center), (x, 52))?;
            } else {
                // A name without a number may be wider than its column; it then moves above its neighbour's number.
                let low = *numbered || name.chars().count() <= room;
                let (head, y) = (if *numbered { &number } else { name }, if low { 50 } else { 33 });
                area.draw_text(head, &text(13, INK, HPos::Center), (x, y))?;
            }
        }
        for (at, name) in (0..).zip(&self.rows) {
            let y = top + at * height + height / 2;
            if !self.numbered {
                area.draw_text(&shortened(name, 20), &text(13, INK, HPos::Left), (MARGIN, y))?;
                continue;
            }
            area.draw_text(&(at + 1).to_string(), &text(13, MUTED, HPos::Right), (MARGIN + 16, y))?;
            area.draw_text(&shortened(name, 16), &text(13, INK, HPos::Left), (MARGIN + 25, y))?;
        }
        Ok(())
    }
}

fn draw_cell(area: &Area<'_>, at: (i32, i32), size: (i32, i32), cell: Option<&Cell>) -> PlotResult {
    let corners = [(at.0 + 1, at.1 + 1), (at.0 + size.0 - 1, at.1 + size.1 - 1)];
    let middle = (at.0 + size.0 / 2, at.1 + size.1 / 2);
    let Some(cell) = cell else {
        area.draw(&Rectangle::new(corners, HOLE.filled()))?;
        return area.draw_text("·", &text(14, GRID, HPos::Center), middle);
    };
    let strength = 0.05 + 0.95 * cell.strength.clamp(0.0, 1.0);
    area.draw(&Rectangle::new(corners, HEAT.mix(strength).filled()))?;
    // On a strongly coloured cell, dark text has too little contrast.
    let colour = if strength > 0.52 { ON_HEAT } else { INK };
    area.draw_text(&cell.figure, &text(if size.0 < 56 { 13 } else { 14 }, colour, HPos::Center), middle)
}
