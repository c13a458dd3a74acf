//! The measures by hand, by their formulas written out again, and at their edges.

use proptest::prelude::*;

use super::ScoreMatrix;
use crate::EvalError;

fn full(rows: &[&[f64]]) -> ScoreMatrix {
    ScoreMatrix::from_rows(rows.iter().map(|row| row.iter().copied().map(Some).collect()).collect()).unwrap()
}

#[test]
fn three_tasks_by_hand() {
    let matrix = full(&[&[90.0, 10.0, 20.0], &[50.0, 80.0, 30.0], &[60.0, 95.0, 70.0]]);
    assert_eq!(matrix.average_score(), Some((60.0 + 95.0 + 70.0) / 3.0));
    // (60 − 90 + 95 − 80) / 2: what task 2 gained counts against what task 1 lost.
    assert_eq!(matrix.backward_transfer(), Some(-7.5));
    assert_eq!(matrix.forward_transfer(), Some((10.0 + 30.0) / 2.0));
    // (90 − 60 + 95 − 95) / 2
    assert_eq!(matrix.forgetting(), Some(15.0));
}

#[test]
fn the_other_definitions_by_hand() {
    let matrix = full(&[&[90.0, 10.0, 20.0], &[50.0, 80.0, 30.0], &[60.0, 95.0, 70.0]]);
    // min(60 − 90, 0) + min(95 − 80, 0) + min(70 − 70, 0) over 3: what task 2 gained does not count.
    assert_eq!(matrix.backward_transfer_clipped(), Some(-10.0));
    // (10 − 4 + 30 − 50) / 2
    assert_eq!(matrix.forward_transfer_over(&[None, Some(4.0), Some(50.0)]), Some(-7.0));
    assert_eq!(matrix.forward_transfer_over(&[Some(1.0), Some(4.0)]), None);
    let one = full(&[&[42.0]]);
    assert_eq!((one.backward_transfer_clipped(), one.forward_transfer_over(&[Some(0.0)])), (None, None));
    assert_eq!(ScoreMatrix::new(0).backward_transfer_clipped(), None);
}

/// Eight tasks of which seven lose 45.8 points: divided by T the figure would be 40.1 (TRACE prints by T−1, some harnesses do not).
#[test]
fn divisor_is_one_less_than_tasks() {
    let mut matrix = ScoreMatrix::new(8);
    for task in 0..8 {
        matrix.set(task, task, Some(60.0)).unwrap();
        matrix.set(7, task, Some(if task == 7 { 60.0 } else { 14.2 })).unwrap();
    }
    assert!((matrix.backward_transfer().unwrap() + 45.8).abs() < 1e-9);
    assert!((matrix.forgetting().unwrap() - 45.8).abs() < 1e-9);
    assert!((matrix.backward_transfer_clipped().unwrap() + 45.8 * 7.0 / 8.0).abs() < 1e-9);
}

#[test]
fn only_seen_tasks_evaluated() {
    let matrix = ScoreMatrix::from_rows(vec![vec![Some(80.0), None], vec![Some(70.0), Some(90.0)]]).unwrap();
    assert_eq!(matrix.average_score(), Some(80.0));
    assert_eq!(matrix.backward_transfer(), Some(-10.0));
    assert_eq!(matrix.forgetting(), Some(10.0));
    assert_eq!(matrix.forward_transfer(), None);
}

#[test]
fn last_row_only() {
    let matrix = ScoreMatrix::from_rows(vec![vec![None, None], vec![Some(70.0), Some(90.0)]]).unwrap();
    assert_eq!(matrix.average_score(), Some(80.0));
    assert_eq!(matrix.backward_transfer(), None);
    assert_eq!(matrix.forgetting(), None);
    assert_eq!(matrix.forward_transfer(), None);
}

#[test]
fn one_task_has_no_transfer() {
    let matrix = full(&[&[42.0]]);
    assert_eq!(matrix.average_score(), Some(42.0));
    assert_eq!(matrix.backward_transfer(), None);
    assert_eq!(matrix.forward_transfer(), None);
    assert_eq!(matrix.forgetting(), None);
}

#[test]
fn nothing_evaluated_measures_nothing() {
    for matrix in [ScoreMatrix::new(0), ScoreMatrix::new(3), ScoreMatrix::default()] {
        assert_eq!(matrix.average_score(), None);
        assert_eq!(matrix.backward_transfer(), None);
        assert_eq!(matrix.forward_transfer(), None);
        assert_eq!(matrix.forgetting(), None);
    }
}

#[test]
fn a_stopped_stream_counts_what_it_learned() {
    let matrix = full(&[&[80.0, 5.0, 7.0], &[60.0, 90.0, 8.0]]);
    assert_eq!((matrix.stages(), matrix.tasks()), (2, 3));
    assert_eq!(matrix.average_score(), Some(75.0));
    assert_eq!(matrix.backward_transfer(), Some(-20.0));
    assert_eq!(matrix.forward_transfer(), Some(5.0));
}

#[test]
fn bad_scores_and_shapes_are_refused() {
    let mut matrix = ScoreMatrix::new(2);
    for bad in [f64::NAN, f64::INFINITY, -0.1, 100.1] {
        assert!(matches!(
            matrix.set(1, 0, Some(bad)),
            Err(EvalError::ScoreOutOfRange { stage: 1, task: 0, .. })
        ));
    }
    assert!(matches!(matrix.set(2, 0, None), Err(EvalError::OutsideMatrix { stage: 2, task: 0, tasks: 2 })));
    let ragged = ScoreMatrix::from_rows(vec![vec![None, None], vec![None]]);
    assert!(matches!(ragged, Err(EvalError::RowLength { row: 1, found: 1, expected: 2 })));
    let tall = ScoreMatrix::from_rows(vec![vec![None], vec![None]]);
    assert!(matches!(tall, Err(EvalError::TooManyRows { rows: 2, tasks: 1 })));
    assert!(serde_json::from_str::<ScoreMatrix>("[[1.0, 200.0], [null, 3.0]]").is_err());
}

fn square() -> impl Strategy<Value = Vec<Vec<f64>>> {
    (2usize..8).prop_flat_map(|tasks| prop::collection::vec(prop::collection::vec(0.0..=100.0, tasks), tasks))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn measures_keep_their_relations(rows in square()) {
        let matrix = ScoreMatrix::from_rows(rows.iter().map(|r| r.iter().copied().map(Some).collect()).collect()).unwrap();
        let last = rows.len() - 1;
        let by_formula: f64 = (0..last).map(|i| rows[last][i] - rows[i][i]).sum::<f64>() / last as f64;
        prop_assert!((matrix.backward_transfer().unwrap() - by_formula).abs() < 1e-9);
        let by_formula: f64 = (1..=last).map(|i| rows[i - 1][i]).sum::<f64>() / last as f64;
        prop_assert!((matrix.forward_transfer().unwrap() - by_formula).abs() < 1e-9);
        let forgetting = matrix.forgetting().unwrap();
        prop_assert!(forgetting >= 0.0);
        // The best is at least the score right after learning.
        prop_assert!(forgetting >= -matrix.backward_transfer().unwrap() - 1e-9);
        let average = matrix.average_score().unwrap();
        prop_assert!((0.0..=100.0 + 1e-9).contains(&average));
    }

    #[test]
    fn json_keeps_a_matrix(rows in square(), hole in 0usize..4) {
        let keep = |(at, score): (usize, f64)| (at != hole).then_some(score);
        let rows = rows.into_iter().map(|row| row.into_iter().enumerate().map(keep).collect()).collect();
        let matrix = ScoreMatrix::from_rows(rows).unwrap();
        let text = serde_json::to_string(&matrix).unwrap();
        prop_assert_eq!(serde_json::from_str::<ScoreMatrix>(&text).unwrap(), matrix);
    }
}
