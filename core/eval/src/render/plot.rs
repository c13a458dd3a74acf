//! The plots of the page: SVG by `plotters`, its colours turned into the page's CSS variables so that they follow the reader's
//! light or dark scheme. It draws what it is given and reads no report.

mod curves;
mod heat_map;
mod histogram;

pub(super) use curves::{Curves, Line, Look, Ticks};
pub(super) use heat_map::{Cell, HeatMap};
pub(super) use histogram::Histogram;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::EvalError;

/// Lines and bars have this many colours (`--series-0` …), then they begin again.
pub(super) const SERIES: usize = 10;

/// Mean width of a letter at 13 px, a little on the safe side.
const LETTER: f64 = 6.8;

// Colours that mean a CSS variable; the SVG never shows them.
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
    // Below SERIES, so it fits.
    RGBColor(2, 0, (index % SERIES) as u8)
}

/// Draws a plot of `size` (width, height in px at full size) and names it for readers who cannot see it.
fn draw(
    plot: &'static str,
    description: &str,
    size: (u32, u32),
    body: impl FnOnce(&Area<'_>) -> PlotResult,
) -> Result<String, EvalError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        body(&area)
            .and_then(|()| area.present())
            .map_err(|error| EvalError::Plot { plot, cause: error.to_string() })?;
    }
    for (colour, name) in NAMED {
        svg = svg.replace(&hex(colour), &format!("\"var(--{name})\""));
    }
    for index in 0..SERIES {
        svg = svg.replace(&hex(series(index)), &format!("\"var(--series-{index})\""));
    }
    let label = minijinja::HtmlEscape(description).to_string();
    // The head carries a size in px; the page sizes plots by the card they stand in, but never so small that text is lost.
    let begin = svg.find('>').map_or(0, |end| end + 1);
    let (width, height) = size;
    let least = width * 4 / 5;
    Ok(format!(
        "<svg viewBox=\"0 0 {width} {height}\" style=\"min-width:{least}px;max-width:{width}px\" role=\"img\" \
         aria-label=\"{label}\">{}",
        &svg[begin..]
    ))
}

/// As the SVG backend writes it.
fn hex(colour: RGBColor) -> String {
    format!("\"#{:02X}{:02X}{:02X}\"", colour.0, colour.1, colour.2)
}

/// Text of `size` px.
fn text(size: u32, colour: RGBColor, horizontal: HPos) -> TextStyle<'static> {
    // The SVG backend takes the size for that of a line and writes letters 1.24 times smaller.
    ("sans-serif", f64::from(size) * 1.24).into_font().color(&colour).pos(Pos::new(horizontal, VPos::Center))
}
