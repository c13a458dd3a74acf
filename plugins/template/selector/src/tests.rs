//! Plain Rust: `cargo test` needs no WebAssembly.

use cadre_policy_sdk::selector::{
    Candidate, Finding, Observation, Order, Pick, Probe, Purpose, Role, Selector, Source, Step,
};

use crate::MySelector;

fn candidates(count: u64) -> Vec<Candidate> {
    (0..count)
        .map(|id| Candidate {
            id,
            task: 0,
            instruction: "sort".into(),
            input: format!("{id}"),
            response: format!("{id}"),
            tokens: 3,
        })
        .collect()
}

fn order(purpose: Purpose, budget: u32) -> Order {
    Order { purpose, role: Role::Negative, task: 0, budget: Some(budget), seed: 5 }
}

fn embeddings(values: &[f32]) -> Vec<Observation> {
    (0..)
        .zip(values)
        .map(|(id, value)| Observation {
            probe: Probe::Embedding(id),
            finding: Finding::Embedding(vec![*value, 0.0]),
        })
        .collect()
}

fn picks(ids: &[u64]) -> Step {
    Step::Done(
        ids.iter()
            .map(|id| Pick { source: Source::Existing(*id), role: Role::Negative, weight: 1.0 })
            .collect(),
    )
}

#[test]
fn asks_for_embeddings_and_remembers_the_most_unusual() {
    let selector = MySelector::open("{}").unwrap();
    let remember = order(Purpose::Remember, 2);
    let asked = selector.select(&remember, &candidates(4), &[]).unwrap();
    assert_eq!(asked, Step::Ask((0..4).map(Probe::Embedding).collect()));
    let found = embeddings(&[1.0, 9.0, 2.0, -4.0]); // the middle is 2
    let step = selector.select(&remember, &candidates(4), &found).unwrap();
    assert_eq!(step, picks(&[1, 3]));
    let usual = MySelector::open(r#"{"nearest": true}"#).unwrap();
    let step = usual.select(&remember, &candidates(4), &found).unwrap();
    assert_eq!(step, picks(&[2, 0]));
}

#[test]
fn what_was_remembered_is_rehearsed_whole() {
    let selector = MySelector::open("{}").unwrap();
    let compose = order(Purpose::Compose, 9);
    let step = selector.select(&compose, &candidates(3), &[]).unwrap();
    assert_eq!(step, picks(&[0, 1, 2]));
}

#[test]
fn a_wrong_setting_is_refused() {
    let error = MySelector::open(r#"{"farthest": true}"#).err().unwrap();
    assert_eq!(error, "unknown field `farthest`, expected `nearest`");
}
