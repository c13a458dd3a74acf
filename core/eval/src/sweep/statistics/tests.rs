//! Statistics against values made by hand and by numpy.

use super::{Difference, Spread, quantile, seed_of};

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} ± {tolerance}");
}

#[test]
fn a_spread_is_mean_and_sample_deviation() {
    // Squares of 2, 4, 9 from their mean 5: 9 + 1 + 16 = 26; 26 / 2 = 13.
    let spread = Spread::of(&[2.0, 9.0, 4.0]).unwrap();
    assert_eq!((spread.mean, spread.least, spread.most, spread.count), (5.0, 2.0, 9.0, 3));
    near(spread.deviation.unwrap(), 13.0_f64.sqrt(), 1e-12);
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
    assert_eq!((difference.mean, difference.low, difference.high), (0.1, Some(0.1), Some(0.1)));
    assert!(difference.excludes_zero());
}

#[test]
fn quantiles_lie_between_order_statistics() {
    // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975]) = [1.075, 3.0, 7.7]
    for (share, expected) in [(0.025, 1.075), (0.5, 3.0), (0.975, 7.7), (0.0, 1.0), (1.0, 8.0)] {
        near(quantile(&mut [8.0, 1.0, 4.0, 2.0], share), expected, 1e-12);
    }
}

#[test]
fn the_interval_of_few_pairs_is_that_of_all_resamples() {
    // All 5⁵ resamples, numpy.quantile of their means: [0.26, 1.86].
    let difference = Difference::of(&[0.4, 1.9, -0.3, 2.2, 1.1], 42).unwrap();
    near(difference.mean, 1.06, 1e-12);
    near(difference.low.unwrap(), 0.26, 0.03);
    near(difference.high.unwrap(), 1.86, 0.03);
    assert!(difference.excludes_zero());
    assert_eq!(difference.pairs, 5);
    // Of two pairs it is their range: both ends have a quarter of all resamples.
    let two = Difference::of(&[-1.0, 3.0], 42).unwrap();
    assert_eq!((two.low, two.high), (Some(-1.0), Some(3.0)));
    assert!(!two.excludes_zero());
    let one = Difference::of(&[3.0], 42).unwrap();
    assert_eq!((one.mean, one.low, one.high, one.excludes_zero()), (3.0, None, None, false));
    assert_eq!(Difference::of(&[], 42), None);
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
    // numpy: mean 0.855625; t interval [0.3219, 1.3893]; percentile bootstrap of 200,000 resamples [0.3566, 1.3775].
    near(difference.mean, 0.855625, 1e-9);
    near(difference.low.unwrap(), 0.3219, 0.06);
    near(difference.high.unwrap(), 1.3893, 0.06);
    near(difference.low.unwrap(), 0.3566, 0.02);
    near(difference.high.unwrap(), 1.3775, 0.02);
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
