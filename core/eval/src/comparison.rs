//! Reports beside each other, as one Markdown table. It never reorders: the first report is the one that others stand beside.

use crate::Report;

/// One row a report: name, seed, AR, BWT, FWT, forgetting, routing accuracy, queries out of distribution to the backbone.
/// Columns that no report fills are left out.
pub fn render_markdown_table(reports: &[Report]) -> String {
    let _ = reports;
    String::new()
}
