//! Means, deviations and paired differences of few values. A statistic that needs two values is null for one.

use serde::{Deserialize, Serialize};

use super::student::{normal_tail, t_quantile};
use crate::measures::without_noise;
use crate::resampling::{level, quantile, resampled_mean};

/// Resamples behind an interval.
const RESAMPLES: usize = 10_000;

/// The values of one figure over the replicates of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    /// Arithmetic mean, in the figure's unit.
    pub mean: f64,
    /// Sample standard deviation (divisor n − 1), in the figure's unit, not negative; null for one value.
    pub deviation: Option<f64>,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub most: f64,
    /// Replicates that have the figure, at least 1.
    pub count: u32,
}

impl Spread {
    /// The spread of finite values; `None` without values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let least = values.iter().copied().reduce(f64::min)?;
        let most = values.iter().copied().reduce(f64::max)?;
        let mean = mean(values);
        let deviation = (values.len() > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            without_noise((squares / (values.len() - 1) as f64).sqrt())
        });
        Some(Self { mean, deviation, least, most, count: count(values) })
    }
}

/// How the ends of a 95 % interval of a mean difference were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IntervalMethod {
    /// Student's t of the paired differences, n − 1 degrees of freedom: for fewer than [`MIN_RESAMPLED`] pairs. Exact
    /// where the differences are normally distributed.
    PairedT,
    /// The bootstrap percentile interval, expanded to the coverage of a t interval (Hesterberg
    /// 2015, doi 10.1080/00031305.2015.1089789). 10,000 resamples, quantiles Φ(∓√(n / (n − 1)) t).
    ExpandedBootstrap,
    /// The plain bootstrap percentile interval of `sweep.json` format-version 1: with 3 pairs it contains the mean in 75 % of
    /// all cases, with 2 pairs in 50 %. Read from old files, never written.
    PercentileBootstrap,
}

impl IntervalMethod {
    /// Name for readers.
    pub fn label(self) -> &'static str {
        match self {
            Self::PairedT => "paired t",
            Self::ExpandedBootstrap => "bootstrap",
            Self::PercentileBootstrap => "plain bootstrap",
        }
    }
}

/// Fewest pairs for a bootstrap interval; below, the interval is Student's t.
pub const MIN_RESAMPLED: u32 = 10;

/// How a setting differs from the baseline in one figure, over pairs of replicates with equal seed and order.
///
/// The interval covers the replicates of the sweep: how far the mean would move with other seeds and orders. It does not cover
/// other test examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// Mean of setting − baseline, in the figure's unit.
    pub mean: f64,
    /// Lower end of the 95 % interval of the mean; null for fewer than 2 pairs, and where all pairs differ by the same
    /// amount: such pairs give no estimate of how far the mean may move.
    pub low: Option<f64>,
    /// Upper end; null where `low` is.
    pub high: Option<f64>,
    /// How the interval was found; null where there is none.
    #[serde(default)]
    pub method: Option<IntervalMethod>,
    /// Pairs that have the figure on both sides, at least 1.
    pub pairs: u32,
}

impl Difference {
    /// The mean of finite paired differences with its interval; `None` without values. `seed` seeds the resampling.
    pub(crate) fn of(differences: &[f64], seed: u64) -> Option<Self> {
        if differences.is_empty() {
            return None;
        }
        let pairs = count(differences);
        let method =
            if pairs < MIN_RESAMPLED { IntervalMethod::PairedT } else { IntervalMethod::ExpandedBootstrap };
        let interval = (!level(differences)).then(|| match method {
            IntervalMethod::PairedT => student(differences),
            _ => bootstrap(differences, seed),
        });
        let interval = interval.map(|(low, high)| (without_noise(low), without_noise(high)));
        Some(Self {
            mean: mean(differences),
            low: interval.map(|interval| interval.0),
            high: interval.map(|interval| interval.1),
            method: interval.map(|_| method),
            pairs,
        })
    }

    /// Whether there is an interval that excludes 0.
    pub fn excludes_zero(&self) -> bool {
        self.low.is_some_and(|low| low > 0.0) || self.high.is_some_and(|high| high < 0.0)
    }

    /// Whether two pairs or more differ by exactly the same amount.
    pub fn is_level(&self) -> bool {
        self.pairs > 1 && self.low.is_none()
    }
}

/// The mean of at least one value; exactly the value where all are equal.
fn mean(values: &[f64]) -> f64 {
    if level(values) { values[0] } else { without_noise(values.iter().sum::<f64>() / values.len() as f64) }
}

fn count(values: &[f64]) -> u32 {
    u32::try_from(values.len()).unwrap_or(u32::MAX)
}

/// The t interval of the mean of at least two values.
fn student(values: &[f64]) -> (f64, f64) {
    let (n, mean) = (values.len(), mean(values));
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (n - 1) as f64 / n as f64).sqrt();
    let reach = t_quantile(n - 1) * error;
    (mean - reach, mean + reach)
}

/// The expanded percentile interval of the mean of [`RESAMPLES`] resamples of at least two values.
fn bootstrap(values: &[f64], seed: u64) -> (f64, f64) {
    let mut state = seed;
    let n = values.len();
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resampled_mean(values, n, &mut state)).collect();
    let tail = normal_tail((n as f64 / (n - 1) as f64).sqrt() * t_quantile(n - 1));
    (quantile(&mut means, tail), quantile(&mut means, 1.0 - tail))
}

#[cfg(test)]
mod tests;
