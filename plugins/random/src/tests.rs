//! What is drawn, how much of it, and that the seed alone decides.

use cadre_policy_sdk::selector::{Candidate, Order, Purpose, Role, Selector, Source, Step};

use crate::Random;

fn candidates(count: u64) -> Vec<Candidate> {
    (0..count)
        .map(|place| Candidate {
            id: place * 10,
            task: 0,
            instruction: "sort".into(),
            input: format!("{place}"),
            response: format!("{place}"),
            tokens: 3,
        })
        .collect()
}

fn drawn(budget: Option<u32>, seed: u64, count: u64) -> Vec<u64> {
    let order = Order { purpose: Purpose::Remember, role: Role::Negative, task: 0, budget, seed };
    let step = Random.select(&order, &candidates(count), &[]).unwrap();
    let Step::Done(picks) = step else { panic!("random asks for nothing") };
    picks
        .into_iter()
        .map(|pick| {
            assert_eq!((pick.role, pick.weight), (Role::Negative, 1.0));
            match pick.source {
                Source::Existing(id) => id,
                Source::Synthetic(_) => panic!("random makes nothing up"),
            }
        })
        .collect()
}

#[test]
fn draws_as_many_as_ordered_and_none_twice() {
    let mut ids = drawn(Some(20), 1, 200);
    assert_eq!(ids.len(), 20);
    ids.dedup();
    assert_eq!(ids.len(), 20);
    assert!(ids.iter().all(|id| id % 10 == 0 && *id < 2000));
}

#[test]
fn the_seed_decides() {
    assert_eq!(drawn(Some(20), 1, 200), drawn(Some(20), 1, 200));
    assert_ne!(drawn(Some(20), 1, 200), drawn(Some(20), 2, 200));
}

#[test]
fn every_candidate_is_as_likely() {
    let mut counts = [0u32; 10];
    for seed in 0..5_000 {
        for id in drawn(Some(3), seed, 10) {
            counts[(id / 10) as usize] += 1;
        }
    }
    assert!(counts.iter().all(|count| count.abs_diff(1_500) < 150), "{counts:?}");
}

#[test]
fn a_budget_above_what_is_there_and_none_take_all() {
    let all: Vec<u64> = (0..7).map(|place| place * 10).collect();
    assert_eq!(drawn(Some(9), 1, 7), all);
    assert_eq!(drawn(None, 1, 7), all);
    assert_eq!(drawn(Some(0), 1, 7), Vec::<u64>::new());
    assert_eq!(drawn(Some(5), 1, 0), Vec::<u64>::new());
}

#[test]
fn a_setting_is_refused() {
    let error = Random::open(r#"{"clusters": 3}"#).err().unwrap();
    assert!(error.contains("unknown field `clusters`"), "{error}");
}
