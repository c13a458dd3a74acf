//! Figures of a sweep in their units, two decimals for scores. It rounds what is shown and nothing else.

use super::figures::{bytes, count, decimals, duration, of_axis, with_sign};
use crate::{Better, Difference, Spread, Unit};

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

/// A paired difference and its interval; shares in percentage points. An interval without width is the difference again.
pub(super) fn difference(difference: &Difference, unit: Unit) -> String {
    let change = |value: f64| with_sign(value, &size(value, unit));
    let points = if unit == Unit::Share { " pp" } else { "" };
    let mean = change(difference.mean);
    match difference.low.zip(difference.high).filter(|(low, high)| low < high) {
        None => format!("{mean}{points}"),
        Some((low, high)) => format!("{mean} [{}, {}]{points}", change(low), change(high)),
    }
}

/// Whether an interval stands on so few pairs that it is much too narrow.
pub(super) fn few(difference: &Difference) -> bool {
    difference.low.is_some() && difference.pairs < 6
}

/// `gain` or `loss` where the interval excludes 0, with `few` where it is not much to go by; else nothing.
pub(super) fn mark(difference: &Difference, better: Better) -> &'static str {
    let gain = (difference.mean > 0.0) == (better == Better::More);
    match (difference.excludes_zero(), gain, few(difference)) {
        (false, ..) => "",
        (true, true, false) => "gain",
        (true, true, true) => "gain few",
        (true, false, false) => "loss",
        (true, false, true) => "loss few",
    }
}

/// In a cell or beside a point, where there is little room.
pub(super) fn brief(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Count | Unit::Bytes | Unit::Rate if value >= 1e4 => of_axis(value, value, value / 200.0),
        Unit::Share => size(value, unit),
        _ => figure(Some(value), unit),
    }
}

/// What a value is on an axis: shares in percent.
pub(super) fn on_axis(value: f64, unit: Unit) -> f64 {
    if unit == Unit::Share { value * 100.0 } else { value }
}

/// Only a change has a sign of its own; other figures are not negative.
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
    use crate::{Better, Difference, Spread, Unit};

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
        let up = Difference { mean: 1.234, low: Some(0.5), high: Some(2.0), pairs: 3 };
        assert_eq!(difference(&up, Unit::Score), "+1.23 [+0.50, +2.00]");
        assert_eq!((mark(&up, Better::More), mark(&up, Better::Less)), ("gain few", "loss few"));
        let many = Difference { pairs: 6, ..up };
        assert_eq!((mark(&many, Better::More), mark(&many, Better::Less)), ("gain", "loss"));
        let open = Difference { mean: -0.01, low: Some(-0.02), high: Some(0.001), pairs: 3 };
        assert_eq!(difference(&open, Unit::Share), "−1.00 [−2.00, +0.10] pp");
        assert_eq!(mark(&open, Better::More), "");
        let level = Difference { mean: -2.0, low: Some(-2.0), high: Some(-2.0), pairs: 3 };
        assert_eq!(difference(&level, Unit::Count), "−2");
        assert_eq!(difference(&Difference { low: None, high: None, ..up }, Unit::Score), "+1.23");
    }
}
