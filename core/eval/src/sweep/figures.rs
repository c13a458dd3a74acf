//! The figures of a run that a sweep compares, taken from its report.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Report, rounded};

/// Unit of a figure, which determines its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Points of 0..=100.
    Score,
    /// A signed difference of scores, −100..=100.
    Change,
    /// A share of 0..=1, shown in percent.
    Share,
    /// A mean of counts, not negative.
    Mean,
    /// A whole number, not negative.
    Count,
    /// Bytes.
    Bytes,
    /// Nats per token.
    Nats,
    /// Seconds.
    Seconds,
    /// Tokens per second.
    Rate,
}

/// Whether a high or a low figure is better.
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
    /// Its unit.
    pub unit: Unit,
    /// Whether more or less is better.
    pub better: Better,
    /// Whether it is a cost, which the page lists in a separate table.
    pub cost: bool,
    /// Whether the page plots it over keys.
    pub drawn: bool,
    /// One sentence that describes it.
    pub doc: &'static str,
    /// Reads the figure from a report; `None` where the run has none.
    pub of: fn(&Report) -> Option<f64>,
}

/// The deterministic figures of a run, in the order of the columns.
#[rustfmt::skip]
pub const FIGURES: &[FigureEntry] = &[
    score("average-score", "AR", Unit::Score, Better::More, "Mean of the last row of R over learned tasks.", |r| r.average_score),
    score("backward-transfer", "BWT", Unit::Change, Better::More, "Mean change of a task's score after it was learned.", |r| r.backward_transfer),
    score("forward-transfer", "FWT", Unit::Score, Better::More, "Mean score on each task just before it is learned.", |r| r.forward_transfer),
    score("forgetting", "Forgetting", Unit::Score, Better::Less, "Mean difference between the best and the last score of a task.", |r| r.forgetting),
    score("routing-accuracy", "Routing", Unit::Share, Better::More, "Share of queries that their own task's expert answered.", |r| r.routing.as_ref()?.accuracy),
    score("out-of-distribution", "OOD to backbone", Unit::Share, Better::More, "Share of queries out of distribution that the backbone answered.", |r| r.out_of_distribution.as_ref()?.to_backbone),
    cost("probes-per-query", "Probes per query", Unit::Mean, true, "Probes per query before the answer.", |r| r.routing.as_ref()?.probes_per_query),
    cost("probes-asked", "Probes asked", Unit::Count, false, "Probes requested by routers and selectors, all stages.", |r| Some(r.cost.probes.asked as f64)),
    cost("training-tokens", "Training tokens", Unit::Count, true, "Tokens trained on, pretraining included.", |r| Some(r.cost.training_tokens as f64)),
    cost("training-examples", "Training examples", Unit::Count, false, "Over all experts, rehearsed ones included.", |r| sum(r, |e| e.training_examples)),
    cost("parameters", "Parameters", Unit::Count, false, "Trained parameters of all experts.", |r| sum(r, |e| e.parameters)),
    cost("bytes", "Bytes", Unit::Bytes, false, "Bytes of all experts on disk.", |r| sum(r, |e| e.bytes)),
    cost("final-loss", "Last loss", Unit::Nats, false, "Mean over experts of the loss of the last step.", final_loss),
];

/// The figures of a run that differ between repetitions; `sweep.json` stores them separately as `times`.
#[rustfmt::skip]
pub const TIMES: &[FigureEntry] = &[
    cost("wall-seconds", "Wall time", Unit::Seconds, false, "All stages of the run, cached ones with the time of their original run.", |r| Some(r.cost.wall_seconds)),
    FigureEntry { better: Better::More, ..cost("tokens-per-second", "Tokens per second", Unit::Rate, false, "Training tokens over training seconds.", |r| r.cost.tokens_per_second) },
];

/// Costs for which the average score has a Pareto front.
pub(crate) const FRONT_COSTS: [&str; 2] = ["training-tokens", "probes-per-query"];

/// The score of the fronts and of the best setting.
pub(crate) const MAIN: &str = "average-score";

/// Prefix of a metric's name: AR by that metric.
pub(super) const BY_METRIC: &str = "average-score.";

/// Prefix of a task's name: the score on that task at the end of the stream.
pub(crate) const OF_TASK: &str = "score.";

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

/// The sum over experts; `None`, not 0, where no expert was trained.
fn sum(report: &Report, of: fn(&crate::ExpertReport) -> u64) -> Option<f64> {
    (!report.experts.is_empty()).then(|| report.experts.iter().map(of).sum::<u64>() as f64)
}

/// The mean final loss; `None` where any expert has none, because a mean of the others would not be comparable.
fn final_loss(report: &Report) -> Option<f64> {
    let losses: Vec<f64> = report.experts.iter().map(|expert| expert.final_loss).collect::<Option<_>>()?;
    (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
}

/// Figures by name, null where the run has none.
pub(super) type Figures = BTreeMap<String, Option<f64>>;

/// All figures of a run; without a run, all null. `metrics` and `tasks` are those of any run of the sweep, so that all points
/// have the same figures.
pub(super) fn figures_of(
    report: Option<&Report>,
    metrics: &BTreeSet<String>,
    tasks: &BTreeSet<String>,
) -> Figures {
    let mut figures = taken(FIGURES, report);
    let score = |value: Option<f64>| value.filter(|value| value.is_finite()).map(rounded);
    for metric in metrics {
        let scores = report.and_then(|report| report.per_metric.get(metric));
        let value = scores.and_then(|scores| scores.score_matrix.average_score());
        figures.insert(format!("{BY_METRIC}{metric}"), score(value));
    }
    for task in tasks {
        let value = report.and_then(|report| {
            let place = report.tasks.iter().position(|name| name == task)?;
            report.score_matrix.get(report.score_matrix.stages().checked_sub(1)?, place)
        });
        figures.insert(format!("{OF_TASK}{task}"), score(value));
    }
    figures
}

/// All times of a run; without a run, all null.
pub(super) fn times_of(report: Option<&Report>) -> Figures {
    taken(TIMES, report)
}

fn taken(table: &[FigureEntry], report: Option<&Report>) -> Figures {
    let value = |entry: &FigureEntry| {
        let value = report.and_then(entry.of).filter(|value| value.is_finite())?;
        let score = matches!(entry.unit, Unit::Score | Unit::Change | Unit::Share | Unit::Mean);
        Some(if score { rounded(value) } else { value })
    };
    table.iter().map(|entry| (entry.name.to_owned(), value(entry))).collect()
}
