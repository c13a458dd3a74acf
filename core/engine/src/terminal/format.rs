//! Formatting of figures, times and findings for display.

use cadre_eval::{Finding, advice_once};

/// Seconds: `0.4 s`, `12 s`, `3:07`, `1:02:45`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if seconds < 10.0 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

/// A score or percentage with two decimals; a dash if there is none.
pub(crate) fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

/// A difference, always with its sign.
pub(crate) fn signed_figure(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:+.2}"))
}

/// Maximum number of findings in the summary of a run; the report has all of them.
const FINDINGS: usize = 5;

/// The most severe findings of a run with advice, one per line; empty without findings.
pub(crate) fn findings(found: &[Finding]) -> String {
    let mut text = String::new();
    for (finding, advice) in found.iter().zip(advice_once(found)).take(FINDINGS) {
        text.push_str(&format!("{}: {}\n", finding.severity.name(), plain(&finding.text)));
        for advice in advice {
            text.push_str(&format!("    try {}\n", plain(advice)));
        }
    }
    match found.len().saturating_sub(FINDINGS) {
        0 => {}
        1 => text.push_str("1 more finding is in the report\n"),
        more => text.push_str(&format!("{more} more findings are in the report\n")),
    }
    text
}

/// A text without control characters: names come from recipes.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use cadre_eval::{FindingCode, Severity};

    use super::{Finding, duration, figure, findings, signed_figure};

    #[test]
    fn the_worst_findings_are_shown_and_the_others_counted() {
        let finding = |number: usize| Finding {
            code: FindingCode::RoutingCollapse,
            severity: Severity::Failure,
            tasks: Vec::new(),
            experts: Vec::new(),
            text: format!("number {number}\u{1b}[31m"),
            advice: vec![format!("more `expert.training.epochs` ({number})"), "the same".to_owned()],
        };
        assert_eq!(findings(&[]), "");
        assert_eq!(
            findings(&[finding(1)]),
            "failure: number 1\u{fffd}[31m\n    try more `expert.training.epochs` (1)\n    try the same\n"
        );
        let seven: Vec<Finding> = (1..=7).map(finding).collect();
        let text = findings(&seven);
        // Two lines each, the advice that all share, and the last line.
        assert_eq!(text.lines().count(), 12);
        assert!(
            text.ends_with("\n2 more findings are in the report\n") && !text.contains("number 6"),
            "{text}"
        );
        assert!(findings(&seven[..6]).ends_with("\n1 more finding is in the report\n"));
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(9.96), "10.0 s");
        assert_eq!(duration(59.4), "59 s");
        assert_eq!(duration(187.0), "3:07");
        assert_eq!(duration(3765.0), "1:02:45");
    }

    #[test]
    fn a_missing_figure_is_a_dash() {
        assert_eq!(figure(None), "–");
        assert_eq!(figure(Some(97.125)), "97.12");
        assert_eq!(signed_figure(Some(0.5)), "+0.50");
    }
}
