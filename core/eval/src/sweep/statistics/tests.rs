//! Statistics against values made by hand and by numpy.

use super::{Difference, IntervalMethod, MIN_RESAMPLED, Spread};
use crate::resampling::{below, quantile, seed_of};

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance}");
}

#[test]
fn a_spread_is_mean_and_sample_deviation() {
    // Squares of 2, 4, 9 from their mean 5: 9 + 1 + 16 = 26; 26 / 2 = 13.
    let spread = Spread::of(&[2.0, 9.0, 4.0]).unwrap();
    assert_eq!((spread.mean, spread.least, spread.most, spread.count), (5.0, 2.0, 9.0, 3));
    near(spread.deviation.unwrap(), 13.0_f64.sqrt(), 1e-10);
    let one = Spread::of(&[7.5]).unwrap();
    assert_eq!((one.mean, one.deviation, one.count), (7.5, None, 1));
    assert_eq!(Spread::of(&[]), None);
}

#[test]
fn equal_values_have_exactly_their_mean() {
    // 0.1 + 0.1 + 0.1 is not 0.3.
    let spread = Spread::of(&[0.1; 3]).unwrap();
    assert_eq!((spread.mean, spread.deviation), (0.1, Some(0.0)));
    let difference = Difference::of(&[0.1; 3], 1).unwrap();
    assert_eq!(
        (difference.mean, difference.low, difference.high, difference.method),
        (0.1, None, None, None)
    );
    // Three equal differences of coarse scores are no proof.
    assert!(!difference.excludes_zero() && difference.is_level());
}

#[test]
fn quantiles_lie_between_order_statistics() {
    // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975]) = [1.075, 3.0, 7.7]
    for (share, expected) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7), (0.0, 1.0), (1.0, 8.0)] {
        near(quantile(&mut [8.0, 1.0, 4.0, 2.0], share), expected, 1e-10);
    }
}

#[test]
fn the_interval_of_few_pairs_is_students() {
    let difference = Difference::of(&[0.4, 1.9, -0.3, 2.2, 1.1], 42).unwrap();
    near(difference.mean, 1.06, 1e-10);
    near(difference.low.unwrap(), FIVE.0, 1e-9);
    near(difference.high.unwrap(), FIVE.1, 1e-9);
    assert!(!difference.excludes_zero());
    assert_eq!((difference.pairs, difference.method), (5, Some(IntervalMethod::PairedT)));
    // Of two pairs: 1 ± 12.7062 · 2.
    let two = Difference::of(&[-1.0, 3.0], 42).unwrap();
    near(two.low.unwrap(), -24.41240947286419, 1e-8);
    near(two.high.unwrap(), 26.41240947286419, 1e-8);
    let one = Difference::of(&[3.0], 42).unwrap();
    assert_eq!((one.mean, one.low, one.high, one.method), (3.0, None, None, None));
    assert!(!one.excludes_zero() && !one.is_level());
    assert_eq!(Difference::of(&[], 42), None);
}

/// The five differences above: 1.06 ± t · s / √5, with t = 2.776445… of 4 degrees of freedom, by Python's statistics module.
const FIVE: (f64, f64) = (-0.22618650933647433, 2.3461865093364747);

/// The share of intervals that hold the true mean, of `trials` samples of `pairs` values of a distribution with mean 0.
fn coverage(pairs: usize, trials: usize, mut draw: impl FnMut(&mut u64) -> f64) -> f64 {
    let mut state = 11;
    let held = (0..trials).filter(|trial| {
        let values: Vec<f64> = (0..pairs).map(|_| draw(&mut state)).collect();
        let difference = Difference::of(&values, *trial as u64).unwrap();
        let (low, high) = difference.low.zip(difference.high).unwrap();
        low <= 0.0 && 0.0 <= high
    });
    held.count() as f64 / trials as f64
}

/// Uniform on (0, 1).
fn uniform(state: &mut u64) -> f64 {
    (below(state, 1 << 53) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// The method of Box and Muller.
fn normal(state: &mut u64) -> f64 {
    (-2.0 * uniform(state).ln()).sqrt() * (2.0 * std::f64::consts::PI * uniform(state)).cos()
}

#[test]
fn intervals_hold_the_mean_as_often_as_they_say() {
    for pairs in [2, 3, 5, 9] {
        let share = coverage(pairs, 20_000, normal);
        assert!((0.94..0.96).contains(&share), "{pairs} pairs of normal differences: {share}");
    }
    for pairs in [10, 12] {
        let share = coverage(pairs, 1_500, normal);
        assert!((0.93..0.97).contains(&share), "{pairs} pairs of normal differences: {share}");
    }
    // Differences that are not normal cost a little.
    for pairs in [3, 5] {
        let share = coverage(pairs, 20_000, |state| uniform(state) - 0.5);
        assert!((0.92..0.97).contains(&share), "{pairs} pairs of uniform differences: {share}");
    }
}

#[test]
fn the_method_changes_at_ten_pairs() {
    let of = |pairs: u32| Difference::of(&NORMAL[..pairs as usize], 1).unwrap().method;
    assert_eq!(of(MIN_RESAMPLED - 1), Some(IntervalMethod::PairedT));
    assert_eq!(of(MIN_RESAMPLED), Some(IntervalMethod::ExpandedBootstrap));
}

/// `numpy.random.default_rng(5).normal(1.5, 2.0, 40)`, three decimals.
const NORMAL: [f64; 40] = [
    -0.104, -1.149, 1.003, 2.341, 3.772, 1.719, 0.395, -0.07, 2.997, 4.77, 2.046, -0.967, -0.417, 4.7, 1.906,
    -1.964, 1.333, -0.826, 0.241, 0.524, 0.073, 2.607, 1.374, 0.321, 2.319, 3.16, -1.786, 0.987, -0.461,
    1.154, -1.079, 1.541, 1.424, 0.891, -0.596, 0.708, -0.683, -1.21, 1.95, -0.719,
];

#[test]
fn the_interval_of_a_normal_sample_is_close_to_the_t_interval() {
    let difference = Difference::of(&NORMAL, 7).unwrap();
    // numpy: mean 0.855625; t interval [0.3219, 1.3893]; the plain percentile bootstrap would be [0.3566, 1.3775].
    near(difference.mean, 0.855625, 1e-9);
    near(difference.low.unwrap(), 0.3219, 0.03);
    near(difference.high.unwrap(), 1.3893, 0.03);
    assert_eq!(difference.method, Some(IntervalMethod::ExpandedBootstrap));
    near(Spread::of(&NORMAL).unwrap().deviation.unwrap(), 1.668799164261843, 1e-9);
}

#[test]
fn one_seed_gives_one_interval() {
    let of = |seed| Difference::of(&NORMAL, seed).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert_ne!(seed_of(["ab", "c", ""]), seed_of(["a", "bc", ""]));
    // The published FNV-1a of nothing but the three ends, by hand in Python.
    assert_eq!(seed_of(["", "", ""]), 0xf998_341b_e47b_ae14);
}
