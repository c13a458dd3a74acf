//! Means, deviations and paired differences of few values. It never guesses: what needs two values is null for one.

use serde::{Deserialize, Serialize};

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
    /// The spread of finite values; `None` of none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let least = values.iter().copied().reduce(f64::min)?;
        let most = values.iter().copied().reduce(f64::max)?;
        let mean = mean(values);
        let deviation = (values.len() > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (values.len() - 1) as f64).sqrt()
        });
        Some(Self { mean, deviation, least, most, count: count(values) })
    }
}

/// How a setting differs from the baseline in one figure, over pairs of replicates with equal seed and order.
///
/// The interval is the percentile bootstrap of the mean difference (Efron 1979, doi 10.1214/aos/1176344552; Efron and
/// Tibshirani 1993, chapter 13): 10,000 resamples of the pairs, quantiles 2.5 % and 97.5 % by linear interpolation. It is
/// honest for many pairs and too narrow for few: of 2 or 3 pairs it is the range of the differences, which holds the mean of
/// a symmetric distribution in 50 % or 75 % of all cases, not in 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// Mean of setting − baseline, in the figure's unit.
    pub mean: f64,
    /// Lower end of the 95 % interval of the mean; null for fewer than 2 pairs.
    pub low: Option<f64>,
    /// Upper end; null for fewer than 2 pairs.
    pub high: Option<f64>,
    /// Pairs that have the figure on both sides, at least 1.
    pub pairs: u32,
}

impl Difference {
    /// The mean of finite paired differences with its interval; `None` of none. `seed` draws the resamples.
    pub(crate) fn of(differences: &[f64], seed: u64) -> Option<Self> {
        if differences.is_empty() {
            return None;
        }
        let interval = (differences.len() > 1).then(|| bootstrap(differences, seed));
        Some(Self {
            mean: mean(differences),
            low: interval.map(|interval| interval.0),
            high: interval.map(|interval| interval.1),
            pairs: count(differences),
        })
    }

    /// Whether there is an interval and 0 lies outside of it.
    pub fn excludes_zero(&self) -> bool {
        self.low.is_some_and(|low| low > 0.0) || self.high.is_some_and(|high| high < 0.0)
    }
}

/// A seed from words: FNV-1a of 64 bits, each word with its end, so that ("ab", "c") is not ("a", "bc").
pub(crate) fn seed_of(words: [&str; 3]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The mean of at least one value; exactly the value where all are equal.
fn mean(values: &[f64]) -> f64 {
    match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => *first,
        _ => values.iter().sum::<f64>() / values.len() as f64,
    }
}

fn count(values: &[f64]) -> u32 {
    u32::try_from(values.len()).unwrap_or(u32::MAX)
}

/// The quantiles 2.5 % and 97.5 % of the means of [`RESAMPLES`] resamples.
fn bootstrap(values: &[f64], seed: u64) -> (f64, f64) {
    if values.iter().all(|value| *value == values[0]) {
        // Every resample has this mean; summing and dividing would only blur it.
        return (values[0], values[0]);
    }
    let mut state = seed;
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sum: f64 = values.iter().map(|_| values[below(&mut state, values.len())]).sum();
            sum / values.len() as f64
        })
        .collect();
    (quantile(&mut means, 0.025), quantile(&mut means, 0.975))
}

/// The quantile `share` (0..1) of values by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996).
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let place = (values.len() - 1) as f64 * share;
    let (_, low, above) = values.select_nth_unstable_by(place as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().reduce(f64::min).unwrap_or(low);
    low + (high - low) * place.fract()
}

/// A number of 0..`end`, from SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195). The product's high half
/// is uneven by at most `end` in 2⁶⁴.
fn below(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^= word >> 31;
    ((u128::from(word) * end as u128) >> 64) as usize
}

#[cfg(test)]
mod tests;
