//! Tallies by hand.

use super::{RouteDecision, RoutingReport};
use crate::EvalError;

fn decision(task: usize, expert: Option<usize>, probes: u64) -> RouteDecision {
    RouteDecision { task, expert, probes }
}

#[test]
fn two_stages_by_hand() {
    let first = vec![decision(0, Some(0), 1), decision(0, None, 1), decision(1, Some(0), 1)];
    let second =
        vec![decision(0, Some(1), 1), decision(0, Some(0), 2), decision(1, Some(1), 1), decision(1, None, 2)];
    let report = RoutingReport::from_decisions(2, &[first, second]).unwrap();
    // At stage 0 the query of task 1 does not count: it has no expert yet.
    assert_eq!(report.by_stage, [Some(0.5), Some(0.5)]);
    assert_eq!(report.accuracy, Some(0.5));
    assert_eq!(report.confusion, [[1, 1, 0], [0, 1, 1]]);
    assert_eq!(report.probes_per_query, Some(1.5));
}

#[test]
fn stages_without_evaluation_are_null() {
    let report = RoutingReport::from_decisions(1, &[vec![]]).unwrap();
    assert_eq!((report.accuracy, report.probes_per_query), (None, None));
    assert_eq!(report.by_stage, [None]);
    assert_eq!(report.confusion, [[0, 0]]);
    let report = RoutingReport::from_decisions(2, &[vec![], vec![decision(1, Some(1), 0)]]).unwrap();
    assert_eq!(report.by_stage, [None, Some(1.0)]);
    assert_eq!(report.accuracy, Some(1.0));
}

#[test]
fn strangers_are_refused() {
    let task = RoutingReport::from_decisions(1, &[vec![decision(1, None, 0)]]);
    assert!(matches!(task, Err(EvalError::OutsideStream { what: "task", index: 1, tasks: 1 })));
    let expert = RoutingReport::from_decisions(1, &[vec![decision(0, Some(3), 0)]]);
    assert!(matches!(expert, Err(EvalError::OutsideStream { what: "expert", index: 3, tasks: 1 })));
}
