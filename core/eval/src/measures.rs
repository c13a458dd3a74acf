//! The measures of continual learning by name, with formula and source. Two definitions of backward transfer and of forward
//! transfer are in use; reports list both, for comparison with any paper.

use crate::Report;

/// A measure that every report states.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MeasureEntry {
    /// Name of its field in `report.json`.
    pub name: &'static str,
    /// Short name, as papers print it.
    pub label: &'static str,
    /// Formula over R; R[i][j] is the score on task j after learning task i, T the number of tasks.
    pub formula: &'static str,
    /// The source of the definition, and how it differs from others.
    pub source: &'static str,
    /// Whether it is a difference, shown with its sign.
    pub signed: bool,
    /// Its value; `None` where the run has none.
    pub of: fn(&Report) -> Option<f64>,
}

/// All measures, in the order in which reports list them.
pub const MEASURES: &[MeasureEntry] = &[
    MeasureEntry {
        name: "average-score",
        label: "AR",
        formula: "(1/T) Σ_{j≤T} R[T][j]",
        source: "ACC of Lopez-Paz and Ranzato 2017, OP of TRACE, AR of SSR",
        signed: false,
        of: |report| report.average_score,
    },
    MeasureEntry {
        name: "backward-transfer",
        label: "BWT (GEM)",
        formula: "(1/(T−1)) Σ_{i<T} (R[T][i] − R[i][i])",
        source: "Lopez-Paz and Ranzato 2017 (arXiv 1706.08840); SSR and TRACE use it too",
        signed: true,
        of: |report| report.backward_transfer,
    },
    MeasureEntry {
        name: "backward-transfer-clipped",
        label: "BWT (clipped)",
        formula: "(1/T) Σ_{i≤T} min(R[T][i] − R[i][i], 0)",
        source: "the TreeLoRA code and papers based on it, some of which print it without the sign; gains count as 0, and the \
                 divisor includes the last task, whose change is always 0",
        signed: true,
        of: |report| report.backward_transfer_clipped,
    },
    MeasureEntry {
        name: "forward-transfer",
        label: "FWT (SSR)",
        formula: "(1/(T−1)) Σ_{2≤i≤T} R[i−1][i]",
        source: "SSR (arXiv 2403.01244); no baseline is subtracted",
        signed: false,
        of: |report| report.forward_transfer,
    },
    MeasureEntry {
        name: "forward-transfer-over-baseline",
        label: "FWT (GEM)",
        formula: "(1/(T−1)) Σ_{2≤i≤T} (R[i−1][i] − b[i])",
        source: "Lopez-Paz and Ranzato 2017, where b[i] is the score of a model with random weights; here it is the score of \
                 the backbone before any task, known if the backbone answered every query of the task at some stage",
        signed: true,
        of: |report| report.forward_transfer_over_baseline,
    },
    MeasureEntry {
        name: "forgetting",
        label: "forgetting",
        formula: "(1/(T−1)) Σ_{i<T} (max_{t≤T} R[t][i] − R[T][i])",
        source: "Chaudhry et al. 2018 (arXiv 1801.10112), whose maximum excludes the last stage; here it includes the last \
                 stage, so forgetting is never negative",
        signed: false,
        of: |report| report.forgetting,
    },
];

/// A score as reports state it: six decimals. Further digits of a sum of scores are rounding errors.
pub fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Twelve significant digits: removes the rounding errors of means without losing small values such as losses.
pub(crate) fn without_noise(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::{MEASURES, rounded, without_noise};
    use crate::Report;

    #[test]
    fn scores_have_six_decimals() {
        assert_eq!(rounded(99.999_999_5), 100.0);
        assert_eq!(rounded(99.999_999), 99.999_999);
        assert_eq!(rounded(100.000_000_000_000_01), 100.0);
        assert_eq!(rounded(200.0 / 3.0), 66.666_667);
        assert_eq!(rounded(-1.5), -1.5);
    }

    #[test]
    fn means_have_no_rounding_errors() {
        assert_eq!(without_noise(0.1 + 0.2), 0.3);
        assert_eq!(without_noise((92.9 + 93.1 + 93.0) / 3.0), 93.0);
        assert_eq!(without_noise(3.25e-7), 3.25e-7);
        assert_eq!(without_noise(6_812_448.0), 6_812_448.0);
        assert!(without_noise(f64::NAN).is_nan());
    }

    #[test]
    fn every_measure_is_a_field_of_the_report() {
        let mut report = Report::from_json(include_str!("../fixtures/report_v2.json")).unwrap();
        report.forward_transfer = Some(3.5);
        report.forward_transfer_over_baseline = Some(-2.5);
        let json: serde_json::Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
        for measure in MEASURES {
            assert_eq!(json[measure.name].as_f64(), (measure.of)(&report), "{}", measure.name);
            assert!((measure.of)(&report).is_some(), "{}", measure.name);
        }
    }
}
