//! Axes: the ordered values of a key, linear or logarithmic ranges, round numbers.

use serde_json::Value;

use super::super::figures::of_axis;
use super::super::plot::Ticks;
use super::names::value_text;

/// Distinct values: numbers by size, others in the order of their first occurrence.
pub(super) fn values_of<'a>(of_settings: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for value in of_settings {
        if seen.insert(value.to_string()) {
            values.push(value.clone());
        }
    }
    if values.iter().all(Value::is_number) {
        values.sort_by(|one, other| {
            let size = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            size(one).total_cmp(&size(other))
        });
    }
    values
}

/// A horizontal axis.
pub(super) struct Axis {
    pub(super) logarithmic: bool,
    /// Least and greatest position, with a margin.
    pub(super) range: (f64, f64),
}

impl Axis {
    /// An axis for at least one finite value; logarithmic where all are positive and span more than two decades.
    pub(super) fn of(values: &[f64]) -> Self {
        let (least, most) = ends(values);
        Self::scaled(values, least > 0.0 && most / least > 100.0)
    }

    /// A linear axis for at least one finite value.
    pub(super) fn linear(values: &[f64]) -> Self {
        Self::scaled(values, false)
    }

    fn scaled(values: &[f64], logarithmic: bool) -> Self {
        let (least, most) = ends(values);
        let (low, high) = if logarithmic { (least.log10(), most.log10()) } else { (least, most) };
        let margin = if high > low { (high - low) * 0.05 } else { low.abs().max(1.0) * 0.1 };
        Self { logarithmic, range: (low - margin, high + margin) }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        if self.logarithmic { value.log10() } else { value }
    }

    /// Labels at the values.
    pub(super) fn at(&self, values: &[Value]) -> Ticks {
        let tick = |value: &Value| Some((self.place(value.as_f64()?), value_text(value)));
        Ticks::At(values.iter().filter_map(tick).collect())
    }

    /// Round numbers.
    pub(super) fn round(&self) -> Ticks {
        Ticks::At(self.round_ticks())
    }

    /// Positions and labels of round numbers.
    pub(super) fn round_ticks(&self) -> Vec<(f64, String)> {
        let (low, high) = self.range;
        let step = if self.logarithmic { 1.0 } else { round_step(high - low) };
        let places: Vec<f64> = (0..=40)
            .map(|number| ((low / step).ceil() + f64::from(number)) * step)
            .take_while(|place| *place <= high)
            .collect();
        let most = low.abs().max(high.abs());
        let label = |place: &f64| {
            if self.logarithmic {
                let value = 10_f64.powf(*place);
                return of_axis(value, value, value);
            }
            of_axis(*place, most, step)
        };
        places.iter().map(|place| (*place, label(place))).collect()
    }
}

/// A vertical range around values, and the distance between its numbers.
pub(super) fn upright(values: &[f64]) -> ((f64, f64), f64) {
    let (least, most) = ends(values);
    let margin = if most > least { (most - least) * 0.1 } else { most.abs().max(1.0) * 0.05 };
    // The margin does not add negative numbers to values that are never negative.
    let low = if least >= 0.0 { (least - margin).max(0.0) } else { least - margin };
    let range = (low, most + margin);
    // The plot may halve the distance.
    (range, round_step(range.1 - range.0) / 2.0)
}

fn ends(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(*value), most.max(*value))
    })
}

/// 1, 2 or 5 times a power of ten: about a sixth of the span.
fn round_step(span: f64) -> f64 {
    let rough = span / 6.0;
    let power = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough).unwrap_or(10.0);
    times * power
}

#[cfg(test)]
mod tests {
    use super::{Axis, round_step, upright};
    use crate::render::plot::Ticks;

    #[test]
    fn two_decades_make_an_axis_logarithmic() {
        assert!(!Axis::of(&[0.01, 1.0]).logarithmic);
        let axis = Axis::of(&[0.01, 10.0]);
        assert!(axis.logarithmic && (axis.place(0.1) + 1.0).abs() < 1e-12);
        assert!(!Axis::of(&[0.0, 1000.0]).logarithmic, "0 has no place on it");
        let Ticks::At(ticks) = axis.round() else { panic!("places") };
        let labels: Vec<&str> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["0.01", "0.1", "1", "10"]);
    }

    #[test]
    fn numbers_are_round() {
        assert_eq!((round_step(1.0), round_step(60.0), round_step(70.0)), (0.2, 10.0, 20.0));
        let Ticks::At(ticks) = Axis::of(&[5_900_000.0, 7_000_000.0]).round() else { panic!("places") };
        assert_eq!(ticks[0].1, "6.0M");
        let ((low, high), step) = upright(&[0.0, 100.0]);
        assert_eq!((low, high, step), (0.0, 110.0, 10.0));
        assert!(upright(&[1.8, 4.5]).1 <= 0.5, "2.0, 2.5, 3.0 are not 2, 2, 3");
        assert_eq!(upright(&[7.0]).0, (6.65, 7.35));
    }
}
