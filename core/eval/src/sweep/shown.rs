//! The figures of a sweep that a page shows, with their labels.

use std::collections::BTreeSet;

use super::figures::BY_METRIC;
use super::{Better, FIGURES, FigureEntry, SweepReport, TIMES, Unit};

/// A column of a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) doc: String,
    pub(crate) unit: Unit,
    pub(crate) better: Better,
    pub(crate) cost: bool,
    pub(crate) drawn: bool,
    pub(crate) time: bool,
}

impl Shown {
    fn of(entry: &FigureEntry, time: bool) -> Self {
        Self {
            name: entry.name.to_owned(),
            label: entry.label.to_owned(),
            doc: entry.doc.to_owned(),
            unit: entry.unit,
            better: entry.better,
            cost: entry.cost,
            drawn: entry.drawn,
            time,
        }
    }
}

/// The figures that any setting has, in the order of [`FIGURES`], then AR by metric if there are two or more metrics, then
/// [`TIMES`].
pub(crate) fn shown(report: &SweepReport) -> Vec<Shown> {
    let any = |name: &str| report.settings.iter().any(|setting| setting.figures.contains_key(name));
    let mut shown: Vec<Shown> =
        FIGURES.iter().filter(|entry| any(entry.name)).map(|entry| Shown::of(entry, false)).collect();
    let names: BTreeSet<&str> =
        report.settings.iter().flat_map(|setting| setting.figures.keys()).map(String::as_str).collect();
    let metrics: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(BY_METRIC)).collect();
    if metrics.len() > 1 {
        shown.extend(metrics.iter().map(|metric| Shown {
            name: format!("{BY_METRIC}{metric}"),
            label: format!("AR, {metric}"),
            doc: format!("Average score by the metric {metric}."),
            unit: Unit::Score,
            better: Better::More,
            cost: false,
            drawn: false,
            time: false,
        }));
    }
    let any = |name: &str| report.settings.iter().any(|setting| setting.times.contains_key(name));
    shown.extend(TIMES.iter().filter(|entry| any(entry.name)).map(|entry| Shown::of(entry, true)));
    shown
}
