//! Formats figures of a sweep in their units, with two decimals for scores.

use super::figures::{bytes, count, decimals, duration, of_axis, with_sign};
use crate::{Better, Difference, IntervalMethod, MIN_RESAMPLED, Spread, Unit};

/// A figure with its unit; an en dash where there is none.
pub(super) fn figure(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value else { return decimals(None, 0) };
    match unit {
        Unit::Share => format!("{} %", size(value, unit)),
        _ => signed(value, unit, &size(value, unit)),
    }
}

/// Mean ± deviation.
pub(super) fn spread(spread: &Spread, unit: Unit) -> String {
    let mean = signed(spread.mean, unit, &size(spread.mean, unit));
    let unit_after = if unit == Unit::Share { " %" } else { "" };
    match spread.deviation {
        None => format!("{mean}{unit_after}"),
        Some(deviation) => format!("{mean} ± {}{unit_after}", size(deviation, unit)),
    }
}

/// A paired difference, its interval, the method and the number of pairs; shares in percentage points.
pub(super) fn difference(difference: &Difference, unit: Unit) -> String {
    format!("{} ({})", change(difference, unit), basis(difference))
}

/// A paired difference and its interval; shares in percentage points.
pub(super) fn change(difference: &Difference, unit: Unit) -> String {
    let change = |value: f64| with_sign(value, &size(value, unit));
    let points = if unit == Unit::Share { " pp" } else { "" };
    let mean = change(difference.mean);
    let interval = difference.low.zip(difference.high);
    let interval =
        interval.map_or_else(String::new, |(low, high)| format!(" [{}, {}]", change(low), change(high)));
    format!("{mean}{interval}{points}")
}

/// Method of the interval of a difference, and the number of pairs.
pub(super) fn basis(difference: &Difference) -> String {
    let n = difference.pairs;
    match difference.method {
        Some(method) => format!("{}, n = {n}", method.label()),
        None if difference.is_level() => format!("equal in all {n} pairs, no interval"),
        None => "one pair, no interval".to_owned(),
    }
}

/// Whether an interval of `sweep.json` format-version 1 has too few pairs, and so is much too narrow.
pub(super) fn few(difference: &Difference) -> bool {
    difference.method == Some(IntervalMethod::PercentileBootstrap) && difference.pairs < MIN_RESAMPLED
}

/// CSS class of a difference: `gain` or `loss` where the interval excludes 0, and where a count (of tokens, parameters, bytes)
/// differs by the same amount in every pair, which needs no interval; plus `few` where the interval is too narrow. Else empty.
pub(super) fn mark(difference: &Difference, better: Better, unit: Unit) -> &'static str {
    let gain = (difference.mean > 0.0) == (better == Better::More);
    let counted =
        matches!(unit, Unit::Count | Unit::Bytes) && difference.is_level() && difference.mean != 0.0;
    match (difference.excludes_zero() || counted, gain, few(difference)) {
        (false, ..) => "",
        (true, true, false) => "gain",
        (true, true, true) => "gain few",
        (true, false, false) => "loss",
        (true, false, true) => "loss few",
    }
}

/// A figure in little space, such as a cell of a heat map.
pub(super) fn brief(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count | Unit::Bytes | Unit::Rate if value >= 1e4 => of_axis(value, value, value / 200.0),
        Unit::Share => size(value, unit),
        _ => figure(Some(value), unit),
    }
}

/// A value as axes show it: shares in percent.
pub(super) fn on_axis(value: f64, unit: Unit) -> f64 {
    if unit == Unit::Share { value * 100.0 } else { value }
}

/// Adds the sign of a change; other figures are not negative.
fn signed(value: f64, unit: Unit, size: &str) -> String {
    if unit == Unit::Change { with_sign(value, size) } else { size.to_owned() }
}

/// A value without its sign.
fn size(value: f64, unit: Unit) -> String {
    let value = value.abs();
    match unit {
        Unit::Score | Unit::Change | Unit::Mean => decimals(Some(value), 2),
        Unit::Share => decimals(Some(value * 100.0), 2),
        Unit::Nats => decimals(Some(value), 3),
        Unit::Count | Unit::Rate => count(value.round() as u64),
        Unit::Bytes => bytes(value.round() as u64),
        Unit::Seconds => duration(value),
    }
}

#[cfg(test)]
mod tests {
    use super::{brief, difference, figure, mark, spread};
    use crate::{Better, Difference, IntervalMethod, Spread, Unit};

    #[test]
    fn figures_have_the_decimals_of_their_unit() {
        assert_eq!(figure(Some(92.875), Unit::Score), "92.88");
        assert_eq!(figure(Some(-1.5), Unit::Change), "−1.50");
        assert_eq!(figure(Some(-0.001), Unit::Change), "0.00");
        assert_eq!(figure(Some(0.95), Unit::Share), "95.00 %");
        assert_eq!(figure(Some(1_234_567.4), Unit::Count), "1,234,567");
        assert_eq!(figure(None, Unit::Score), "–");
        assert_eq!(brief(6_812_448.0, Unit::Count), "6.81M");
        assert_eq!(brief(812.0, Unit::Count), "812");
    }

    #[test]
    fn means_have_their_deviation_and_differences_their_interval() {
        let of = |deviation| Spread { mean: 0.95, deviation, least: 0.9, most: 1.0, count: 3 };
        assert_eq!(spread(&of(None), Unit::Share), "95.00 %");
        assert_eq!(spread(&of(Some(0.0123)), Unit::Share), "95.00 ± 1.23 %");
        let student = Some(IntervalMethod::PairedT);
        let up = Difference { mean: 1.234, low: Some(0.5), high: Some(2.0), method: student, pairs: 3 };
        assert_eq!(difference(&up, Unit::Score), "+1.23 [+0.50, +2.00] (paired t, n = 3)");
        let marks = |of: &Difference, unit| (mark(of, Better::More, unit), mark(of, Better::Less, unit));
        assert_eq!(marks(&up, Unit::Score), ("gain", "loss"));
        let many = Difference { pairs: 12, method: Some(IntervalMethod::ExpandedBootstrap), ..up };
        assert_eq!(difference(&many, Unit::Score), "+1.23 [+0.50, +2.00] (bootstrap, n = 12)");
        // An interval as in `sweep.json` format-version 1.
        let narrow = Difference { method: Some(IntervalMethod::PercentileBootstrap), ..up };
        assert_eq!(difference(&narrow, Unit::Score), "+1.23 [+0.50, +2.00] (plain bootstrap, n = 3)");
        assert_eq!(marks(&narrow, Unit::Score), ("gain few", "loss few"));
        let open = Difference { mean: -0.01, low: Some(-0.02), high: Some(0.001), method: student, pairs: 3 };
        assert_eq!(difference(&open, Unit::Share), "−1.00 [−2.00, +0.10] pp (paired t, n = 3)");
        assert_eq!(mark(&open, Better::More, Unit::Share), "");
        let level = Difference { mean: -2.0, low: None, high: None, method: None, pairs: 3 };
        assert_eq!(difference(&level, Unit::Count), "−2 (equal in all 3 pairs, no interval)");
        assert_eq!(marks(&level, Unit::Count), ("loss", "gain"));
        assert_eq!(marks(&level, Unit::Score), ("", ""));
        let one = Difference { pairs: 1, ..level };
        assert_eq!(difference(&one, Unit::Score), "−2.00 (one pair, no interval)");
        assert_eq!(marks(&one, Unit::Count), ("", ""));
    }
}
