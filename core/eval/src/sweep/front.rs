//! The Pareto front of score against cost.

/// For each (cost, score), whether it is on the front: no other pair has at most its cost and at least its score, with one of them
/// strictly better. Equal pairs are all on the front or all off it; `None` is never on it.
pub(super) fn on_front(pairs: &[Option<(f64, f64)>]) -> Vec<bool> {
    let beats = |other: (f64, f64), one: (f64, f64)| {
        other.0 <= one.0 && other.1 >= one.1 && (other.0 < one.0 || other.1 > one.1)
    };
    let alone = |one: (f64, f64)| !pairs.iter().flatten().any(|other| beats(*other, one));
    pairs.iter().map(|pair| pair.is_some_and(alone)).collect()
}

#[cfg(test)]
mod tests {
    use super::on_front;

    #[test]
    fn what_nothing_beats_in_both_is_on_the_front() {
        let pairs = [
            Some((10.0, 90.0)), // front
            Some((10.0, 90.0)), // a tie of both: front as well
            Some((10.0, 89.0)), // same cost, lower score
            Some((12.0, 90.0)), // same score, higher cost
            Some((5.0, 40.0)),  // cheapest
            Some((20.0, 95.0)), // best
            None,
        ];
        assert_eq!(on_front(&pairs), [true, true, false, false, true, true, false]);
        assert_eq!(on_front(&[None]), [false]);
        assert!(on_front(&[]).is_empty());
    }
}
