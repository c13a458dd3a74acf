//! Which figures of a run are compared. It takes them from a report as they stand and computes none that a report lacks.

use std::collections::{BTreeMap, BTreeSet};

use crate::Report;

/// What a figure counts, and so how it is written for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Points of 0..=100.
    Score,
    /// A signed difference of scores, −100..=100.
    Change,
    /// A share of 0..=1; a page shows percent.
    Share,
    /// A mean of counts, not negative.
    Mean,
    /// A whole number, not negative.
    Count,
    /// Bytes.
    Bytes,
    /// Nats a token.
    Nats,
    /// Seconds.
    Seconds,
    /// Tokens a second.
    Rate,
}

/// Which way a figure should go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Better {
    /// More is better.
    More,
    /// Less is better.
    Less,
}

/// One figure of a run.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FigureEntry {
    /// Name in `sweep.json` and `sweep.csv`.
    pub name: &'static str,
    /// Head of its column.
    pub label: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Whether it is a cost (a table of its own on the page) and not a score.
    pub cost: bool,
    /// Whether the page draws it over keys.
    pub drawn: bool,
    /// One sentence.
    pub doc: &'static str,
    /// The figure of a run; `None` where the run has none.
    pub of: fn(&Report) -> Option<f64>,
}

/// The figures of a run that are the same each time it is run, in the order of the columns.
#[rustfmt::skip]
pub const FIGURES: &[FigureEntry] = &[
    score("average-score", "AR", Unit::Score, Better::More, "Mean of the last row of R over learned tasks.", |r| r.average_score),
    score("backward-transfer", "BWT", Unit::Change, Better::More, "What later tasks changed.", |r| r.backward_transfer),
    score("forward-transfer", "FWT", Unit::Score, Better::More, "Each task just before it is learned.", |r| r.forward_transfer),
    score("forgetting", "Forgetting", Unit::Score, Better::Less, "Best ever minus last.", |r| r.forgetting),
    score("routing-accuracy", "Routing", Unit::Share, Better::More, "Share of queries that their own task's expert answered.", |r| r.routing.as_ref()?.accuracy),
    score("out-of-distribution", "OOD to backbone", Unit::Share, Better::More, "Share of queries out of distribution that the backbone answered.", |r| r.out_of_distribution.as_ref()?.to_backbone),
    cost("probes-per-query", "Probes a query", Unit::Mean, true, "Probes asked before the answer.", |r| r.routing.as_ref()?.probes_per_query),
    cost("probes-asked", "Probes asked", Unit::Count, false, "Probes of routers and selectors, all stages.", |r| Some(r.cost.probes.asked as f64)),
    cost("training-tokens", "Training tokens", Unit::Count, true, "Tokens trained on, pretraining included.", |r| Some(r.cost.training_tokens as f64)),
    cost("training-examples", "Training examples", Unit::Count, false, "Over all experts, rehearsed ones included.", |r| sum(r, |e| e.training_examples)),
    cost("parameters", "Parameters", Unit::Count, false, "Trained parameters of all experts.", |r| sum(r, |e| e.parameters)),
    cost("bytes", "Bytes", Unit::Bytes, false, "Bytes of all experts on disk.", |r| sum(r, |e| e.bytes)),
    cost("final-loss", "Last loss", Unit::Nats, false, "Mean over experts of the loss of the last step.", final_loss),
];

/// The figures of a run that differ each time it is run: the page and `sweep.json` hold them apart as `times`.
#[rustfmt::skip]
pub const TIMES: &[FigureEntry] = &[
    cost("wall-seconds", "Wall time", Unit::Seconds, false, "All stages of the run, cached ones with the time they took when they ran.", |r| Some(r.cost.wall_seconds)),
    FigureEntry { better: Better::More, ..cost("tokens-per-second", "Tokens a second", Unit::Rate, false, "Training tokens over training seconds.", |r| r.cost.tokens_per_second) },
];

/// Costs that the average score is held against, each with a Pareto front of its own.
pub(crate) const FRONT_COSTS: [&str; 2] = ["training-tokens", "probes-per-query"];

/// The score of fronts and of the best setting.
pub(crate) const MAIN: &str = "average-score";

/// Before the name of a metric: AR by that metric.
pub(super) const BY_METRIC: &str = "average-score.";

type Of = fn(&Report) -> Option<f64>;

const fn score(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    better: Better,
    doc: &'static str,
    of: Of,
) -> FigureEntry {
    FigureEntry { name, label, unit, better, cost: false, drawn: true, doc, of }
}

const fn cost(
    name: &'static str,
    label: &'static str,
    unit: Unit,
    drawn: bool,
    doc: &'static str,
    of: Of,
) -> FigureEntry {
    FigureEntry { name, label, unit, better: Better::Less, cost: true, drawn, doc, of }
}

/// `None` where no expert was trained: not 0.
fn sum(report: &Report, of: fn(&crate::ExpertReport) -> u64) -> Option<f64> {
    (!report.experts.is_empty()).then(|| report.experts.iter().map(of).sum::<u64>() as f64)
}

/// `None` where any expert has no loss: a mean of the others would not compare.
fn final_loss(report: &Report) -> Option<f64> {
    let losses: Vec<f64> = report.experts.iter().map(|expert| expert.final_loss).collect::<Option<_>>()?;
    (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
}

/// Figures by name, null where the run has none.
pub(super) type Figures = BTreeMap<String, Option<f64>>;

/// All figures of a run; of no run, all null. `metrics` are those of any run of the sweep, so that all points have one shape.
pub(super) fn figures_of(report: Option<&Report>, metrics: &BTreeSet<String>) -> Figures {
    let mut figures = taken(FIGURES, report);
    for metric in metrics {
        let scores = report.and_then(|report| report.per_metric.get(metric));
        let value = scores.and_then(|scores| scores.score_matrix.average_score());
        figures.insert(format!("{BY_METRIC}{metric}"), value.filter(|value| value.is_finite()));
    }
    figures
}

/// All times of a run; of no run, all null.
pub(super) fn times_of(report: Option<&Report>) -> Figures {
    taken(TIMES, report)
}

fn taken(table: &[FigureEntry], report: Option<&Report>) -> Figures {
    let value = |entry: &FigureEntry| report.and_then(entry.of).filter(|value| value.is_finite());
    table.iter().map(|entry| (entry.name.to_owned(), value(entry))).collect()
}
