//! Tooltips of a plot: shapes over the drawing, each with an SVG `<title>` that the page's script shows at the pointer.

use std::fmt::Write;

/// A shape with a tooltip.
pub(super) enum Mark {
    /// An invisible circle around a point: centre in px.
    Point(i32, i32),
    /// An invisible rectangle: left, top, width, height in px.
    Box(i32, i32, i32, i32),
    /// A visible line. `path` is SVG path data, `colour` a CSS variable's name, `opacity` 0..=1.
    Path { path: String, colour: String, opacity: f64 },
}

/// The marks of one plot, in drawing order.
#[derive(Default)]
pub(super) struct Marks {
    svg: String,
    /// Whether the marks lie below the drawing.
    pub(super) below: bool,
}

/// Radius of a point's pointer target, px.
const TARGET: i32 = 9;

impl Marks {
    pub(super) fn add(&mut self, mark: Mark, tip: &str) {
        let tip = minijinja::HtmlEscape(tip);
        // Writing to a String cannot fail.
        let _ = match mark {
            Mark::Point(x, y) => {
                write!(
                    self.svg,
                    "<circle class=\"spot\" cx=\"{x}\" cy=\"{y}\" r=\"{TARGET}\"><title>{tip}</title></circle>"
                )
            }
            Mark::Box(x, y, width, height) => write!(
                self.svg,
                "<rect class=\"spot\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{tip}</title></rect>"
            ),
            Mark::Path { path, colour, opacity } => write!(
                self.svg,
                "<path class=\"spot line\" d=\"{path}\" stroke=\"var(--{colour})\" stroke-opacity=\"{opacity:.2}\" \
                 stroke-width=\"2\"><title>{tip}</title></path>"
            ),
        };
    }

    /// The SVG group of all marks; empty without marks.
    pub(super) fn svg(&self) -> String {
        if self.svg.is_empty() {
            return String::new();
        }
        format!("<g class=\"spots\" fill=\"none\" pointer-events=\"all\">{}</g>", self.svg)
    }

    /// Vertical bands between `left` and `right`, one per tip, that share the height from `top` to `bottom`.
    pub(super) fn bands(&mut self, (left, right): (i32, i32), (top, bottom): (i32, i32), tips: &[String]) {
        let count = i32::try_from(tips.len()).unwrap_or(i32::MAX).max(1);
        for (at, tip) in (0..).zip(tips) {
            let edge = |at: i32| left + (right - left) * at / count;
            if !tip.is_empty() {
                self.add(Mark::Box(edge(at), top, edge(at + 1) - edge(at), bottom - top), tip);
            }
        }
    }
}
