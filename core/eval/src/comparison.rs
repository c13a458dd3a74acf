//! The comparison of reports as a Markdown table, in the given order.

use crate::Report;
use crate::render::{cell, percent, score, signed};

type Column = (&'static str, fn(&Report) -> Option<String>);

const COLUMNS: &[Column] = &[
    ("AR", |report| report.average_score.map(|value| score(Some(value)))),
    ("BWT", |report| report.backward_transfer.map(|value| signed(Some(value)))),
    ("FWT", |report| report.forward_transfer.map(|value| score(Some(value)))),
    ("forgetting", |report| report.forgetting.map(|value| score(Some(value)))),
    ("routing", |report| report.routing.as_ref()?.accuracy.map(|value| percent(Some(value)))),
    ("probes per query", |report| {
        report.routing.as_ref()?.probes_per_query.map(|value| format!("{value:.2}"))
    }),
    ("OOD to backbone", |report| {
        report.out_of_distribution.as_ref()?.to_backbone.map(|value| percent(Some(value)))
    }),
];

/// One row per report: name, seed, AR, BWT, FWT, forgetting, routing accuracy, probes per query, share of the queries out of
/// distribution that the backbone answered. Columns without values are left out; a missing value is an en dash.
pub fn render_markdown_table(reports: &[Report]) -> String {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|(_, value)| reports.iter().any(|report| value(report).is_some())).collect();
    let mut text = String::from("| recipe | seed |");
    for (name, _) in &columns {
        text.push_str(&format!(" {name} |"));
    }
    text.push_str(&format!("\n|---|---:|{}\n", "---:|".repeat(columns.len())));
    for report in reports {
        text.push_str(&format!("| {} | {} |", cell(&report.name), report.seed));
        for (_, value) in &columns {
            text.push_str(&format!(" {} |", value(report).unwrap_or_else(|| "–".to_owned())));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::render_markdown_table;
    use crate::Report;

    #[test]
    fn columns_without_values_are_left_out() {
        let routed = Report::from_json(include_str!("../fixtures/report_v1.json")).unwrap();
        let mut plain = routed.clone();
        plain.name = "a|b".to_owned();
        plain.routing = None;
        plain.out_of_distribution = None;
        plain.backward_transfer = Some(-31.25);
        let table = render_markdown_table(&[routed, plain.clone()]);
        assert_eq!(
            table,
            "| recipe | seed | AR | BWT | forgetting | routing | probes per query | OOD to backbone |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|\n\
             | see | 0 | 92.9 | −1.5 | 1.5 | 95.0 % | 1.50 | 90.0 % |\n\
             | a\\|b | 0 | 92.9 | −31.2 | 1.5 | – | – | – |\n"
        );
        assert!(!render_markdown_table(&[plain]).contains("routing"));
        assert_eq!(render_markdown_table(&[]), "| recipe | seed |\n|---|---:|\n");
    }
}
