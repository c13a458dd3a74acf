//! Plain Rust: `cargo test` needs no WebAssembly.

use cadre_policy_sdk::router::{ExpertCard, Probe, Router, Sample, Step};

use crate::MyRouter;

fn experts(count: u32) -> Vec<ExpertCard> {
    (0..count)
        .map(|index| ExpertCard {
            index,
            task: format!("task-{index}"),
            training_examples: 10,
            parameters: 100,
            descriptors: vec![],
        })
        .collect()
}

/// A query with the claims of experts 0, 1, …
fn claimed(claims: &[f32]) -> Sample {
    let query = Sample::new("sort: 3 1 2");
    (0..).zip(claims).fold(query, |query, (expert, accept)| query.claim(expert, *accept, 1.0 - accept))
}

#[test]
fn asks_all_and_takes_the_surest() {
    let router = MyRouter::open("{}", experts(3)).unwrap();
    let all = (0..3).map(Probe::Claim).collect();
    assert_eq!(router.route(&claimed(&[]).evidence()), Ok(Step::Ask(all)));
    assert_eq!(router.route(&claimed(&[0.6, 0.9, 0.7]).evidence()), Ok(Step::Choose(1)));
}

#[test]
fn what_no_expert_claims_the_backbone_answers() {
    let router = MyRouter::open(r#"{"threshold": 0.8}"#, experts(2)).unwrap();
    assert_eq!(router.route(&claimed(&[0.6, 0.7]).evidence()), Ok(Step::Backbone));
    let nobody = MyRouter::open("{}", experts(0)).unwrap();
    assert_eq!(nobody.route(&claimed(&[]).evidence()), Ok(Step::Backbone));
}

#[test]
fn a_wrong_setting_is_refused() {
    let error = MyRouter::open(r#"{"thresold": 0.4}"#, experts(2)).err().unwrap();
    assert_eq!(error, "unknown field `thresold`, expected `threshold`");
}
