//! Plots as SVG, drawn by `plotters`. Colours are CSS variables of the page, so plots follow the light or dark scheme.

mod curves;
mod dot_rows;
mod heat_map;
mod histogram;
mod marks;
mod parallel;

pub(super) use curves::{Curves, Line, Look, Ticks};
pub(super) use dot_rows::{DotRow, DotRows};
pub(super) use heat_map::{Cell, HeatMap};
pub(super) use histogram::Histogram;
use marks::{Mark, Marks};
pub(super) use parallel::{ParallelAxis, ParallelLine, ParallelPlace, ParallelPlot};

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use crate::EvalError;

/// A drawn plot and its numbers.
#[derive(Serialize)]
pub(super) struct Plot {
    pub(super) svg: String,
    /// The numbers as CSV, unrounded, for the page's save button.
    pub(super) csv: String,
}

/// Number of line colours (`--series-0` …); further series reuse them.
pub(super) const SERIES: usize = 10;

/// Mean letter width at 13 px, rounded up.
const LETTER: f64 = 6.8;

/// The SVG backend takes a font size as a line height and writes it smaller by this factor.
const LINE: f64 = 1.24;

// Placeholder colours, each replaced by a CSS variable in the final SVG.
const INK: RGBColor = RGBColor(1, 0, 0);
const MUTED: RGBColor = RGBColor(1, 0, 1);
const GRID: RGBColor = RGBColor(1, 0, 2);
const HEAT: RGBColor = RGBColor(1, 0, 3);
const ON_HEAT: RGBColor = RGBColor(1, 0, 4);
const HOLE: RGBColor = RGBColor(1, 0, 5);
const THRESHOLD: RGBColor = RGBColor(1, 0, 6);
const OWN: RGBColor = RGBColor(1, 0, 7);
const OTHERS: RGBColor = RGBColor(1, 0, 8);
const STRANGERS: RGBColor = RGBColor(1, 0, 9);
const NAMED: [(RGBColor, &str); 10] = [
    (INK, "ink"),
    (MUTED, "muted"),
    (GRID, "grid"),
    (HEAT, "heat"),
    (ON_HEAT, "on-heat"),
    (HOLE, "hole"),
    (THRESHOLD, "threshold"),
    (OWN, "own"),
    (OTHERS, "others"),
    (STRANGERS, "strangers"),
];

type PlotResult = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn series(index: usize) -> RGBColor {
    // The remainder is below SERIES, so it fits.
    RGBColor(2, 0, (index % SERIES) as u8)
}

/// Draws a plot of `size` (width and height in px at full size). `description` becomes its `aria-label`; `body` draws and
/// collects the marks that have tooltips.
fn draw(
    plot: &'static str,
    description: &str,
    size: (u32, u32),
    body: impl FnOnce(&Area<'_>, &mut Marks) -> PlotResult,
) -> Result<String, EvalError> {
    let mut svg = String::new();
    let mut marks = Marks::default();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        body(&area, &mut marks)
            .and_then(|()| area.present())
            .map_err(|error| EvalError::Plot { plot, cause: error.to_string() })?;
    }
    for (colour, name) in NAMED {
        svg = svg.replace(&hex(colour), &format!("\"var(--{name})\""));
    }
    for index in 0..SERIES {
        svg = svg.replace(&hex(series(index)), &format!("\"var(--series-{index})\""));
    }
    for size in 12..=14_u8 {
        // The quotient of `text` has rounding errors.
        let written = f64::from(size) * LINE / LINE;
        svg = svg.replace(&format!("font-size=\"{written}\""), &format!("font-size=\"{size}\""));
    }
    let label = minijinja::HtmlEscape(description).to_string();
    // The page sizes a plot by its container, but never below 80 % of full size, where text becomes unreadable.
    let begin = svg.find('>').map_or(0, |end| end + 1);
    let end = svg.rfind("</svg>").unwrap_or(svg.len()).max(begin);
    let (width, height) = size;
    let least = width * 4 / 5;
    let (drawing, marks, below) = (&svg[begin..end], marks.svg(), marks.below);
    let (first, second) = if below { (marks.as_str(), drawing) } else { (drawing, marks.as_str()) };
    Ok(format!(
        "<svg viewBox=\"0 0 {width} {height}\" style=\"min-width:{least}px;max-width:{width}px\" role=\"img\" \
         aria-label=\"{label}\">{first}{second}</svg>"
    ))
}

/// The colour as the SVG backend writes it.
fn hex(colour: RGBColor) -> String {
    format!("\"#{:02X}{:02X}{:02X}\"", colour.0, colour.1, colour.2)
}

/// Text of `size` px.
fn text(size: u8, colour: RGBColor, horizontal: HPos) -> TextStyle<'static> {
    ("sans-serif", f64::from(size) * LINE).into_font().color(&colour).pos(Pos::new(horizontal, VPos::Center))
}
