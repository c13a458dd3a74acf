//! Renders reports as JSON, Markdown, LaTeX and HTML.

mod figures;
mod json;
mod markdown;
mod page;
mod plot;
mod sweep_latex;
mod sweep_markdown;
mod sweep_page;
mod units;

pub use figures::bytes;
pub use markdown::render_markdown;
pub use page::render_html;
pub use sweep_latex::render_sweep_latex;
pub use sweep_markdown::render_sweep_markdown;
pub use sweep_page::render_sweep_html;

pub(crate) use figures::{decimals, percent, score, signed};
pub(crate) use json::json;
pub(crate) use markdown::cell;
