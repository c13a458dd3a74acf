//! Tests of batches: every row once per epoch, the same plan from any starting step, little padding.

use std::collections::BTreeSet;

use cadre_store::Seed;
use proptest::prelude::*;

use super::Batches;

fn lengths(count: usize) -> Vec<usize> {
    (0..count).map(|row| 5 + (row * 7919) % 200).collect()
}

#[test]
fn two_thousand_rows_in_batches_of_32_are_63_steps() {
    // SSR: one task of 2,000 rows is 189 steps in 3 epochs.
    let batches = Batches::new(lengths(2000), 32, 1, Seed(0)).expect("a plan");
    assert_eq!(batches.steps_per_epoch() * 3, 189);
    assert_eq!(batches.epoch(0).len(), 63);
}

#[test]
fn no_rows_no_steps_and_no_batch_no_plan() {
    let none = Batches::new(vec![], 4, 1, Seed(0)).expect("a plan");
    assert_eq!(none.steps_per_epoch(), 0);
    assert_eq!(none.starting_at(5).count(), 0);
    assert!(Batches::new(vec![1], 0, 1, Seed(0)).is_err());
    assert!(Batches::new(vec![1], 1, 0, Seed(0)).is_err());
}

#[test]
fn epochs_and_seeds_differ() {
    let one = Batches::new(lengths(100), 8, 1, Seed(1)).expect("a plan");
    let other = Batches::new(lengths(100), 8, 1, Seed(2)).expect("a plan");
    assert_ne!(one.epoch(0), one.epoch(1));
    assert_ne!(one.epoch(0), other.epoch(0));
    assert_eq!(one.epoch(3), one.clone().epoch(3));
}

#[test]
fn a_walk_begun_later_is_the_same_walk() {
    let batches = Batches::new(lengths(101), 4, 2, Seed(9)).expect("a plan");
    let whole: Vec<_> = batches.starting_at(0).take(60).collect();
    for first in [1, 12, 13, 14, 40] {
        let rest: Vec<_> = batches.starting_at(first).take(60 - first as usize).collect();
        assert_eq!(rest, whole[first as usize..], "from step {first}");
    }
}

#[test]
fn how_a_step_is_divided_does_not_change_its_rows() {
    let whole = Batches::new(lengths(333), 32, 1, Seed(4)).expect("a plan").epoch(2);
    let parts = Batches::new(lengths(333), 8, 4, Seed(4)).expect("a plan").epoch(2);
    assert_eq!(whole.len(), parts.len());
    for (whole, parts) in whole.iter().zip(&parts) {
        assert_eq!(whole.batches[0], parts.batches.concat());
        assert!(parts.batches.iter().all(|batch| batch.len() <= 8));
    }
}

#[test]
fn rows_of_a_batch_have_like_lengths() {
    let lengths = lengths(2000);
    let batches = Batches::new(lengths.clone(), 32, 1, Seed(0)).expect("a plan");
    let (mut tokens, mut padded) = (0, 0);
    for step in batches.epoch(0) {
        for batch in step.batches {
            let longest = batch.iter().map(|&row| lengths[row]).max().unwrap_or(0);
            padded += longest * batch.len();
            tokens += batch.iter().map(|&row| lengths[row]).sum::<usize>();
        }
    }
    // Without bucketing it is almost half.
    let waste = 1.0 - tokens as f64 / padded as f64;
    assert!(waste < 0.18, "{waste:.3} of the batch is padding");
}

proptest! {
    #[test]
    fn an_epoch_visits_every_row_once(
        lengths in prop::collection::vec(0usize..300, 0..200), batch in 1usize..20, accumulate in 1usize..4, seed: u64,
    ) {
        let count = lengths.len();
        let batches = Batches::new(lengths, batch, accumulate, Seed(seed)).expect("a plan");
        let steps = batches.epoch(1);
        prop_assert_eq!(steps.len() as u64, batches.steps_per_epoch());
        let rows: Vec<usize> = steps.iter().flat_map(|step| step.batches.concat()).collect();
        prop_assert_eq!(rows.len(), count);
        prop_assert_eq!(rows.into_iter().collect::<BTreeSet<_>>().len(), count);
        prop_assert!(steps.iter().all(|step| step.rows() > 0 && step.rows() <= batch * accumulate));
    }
}
