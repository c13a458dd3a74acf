//! Order of asking, decision, budget, and what is refused.

use cadre_policy_sdk::router::{ExpertCard, Probe, Router, Sample, Step};

use crate::See;

fn cards(count: u32) -> Vec<ExpertCard> {
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

fn see(settings: &str, experts: u32) -> See {
    See::open(settings, cards(experts)).unwrap()
}

fn sample(claims: &[(u32, f32, f32)]) -> Sample {
    let bare = Sample::new("sort: 3 1 2");
    claims.iter().fold(bare, |sample, &(expert, accept, reject)| sample.claim(expert, accept, reject))
}

/// Puts a query through the router as the engine does; gives who was asked, and the end.
fn asked(see: &See, claim_of: impl Fn(u32) -> (f32, f32)) -> (Vec<u32>, Step) {
    let mut claims = vec![];
    loop {
        match see.route(&sample(&claims).evidence()).unwrap() {
            Step::Ask(probes) => {
                assert_eq!(probes.len(), 1);
                let Probe::Claim(expert) = probes[0] else { panic!("asks for claims only") };
                let (accept, reject) = claim_of(expert);
                claims.push((expert, accept, reject));
            }
            end => return (claims.iter().map(|claim| claim.0).collect(), end),
        }
    }
}

#[test]
fn newest_is_asked_first_and_the_first_to_accept_answers() {
    let (order, end) = asked(&see("{}", 4), |expert| if expert == 1 { (0.9, 0.1) } else { (0.1, 0.9) });
    assert_eq!(order, [3, 2, 1]);
    assert_eq!(end, Step::Choose(1));
}

#[test]
fn oldest_first_is_an_option() {
    let (order, end) =
        asked(
            &see(r#"{"order": "oldest-first"}"#, 4),
            |expert| {
                if expert == 1 { (0.9, 0.1) } else { (0.1, 0.9) }
            },
        );
    assert_eq!(order, [0, 1]);
    assert_eq!(end, Step::Choose(1));
}

#[test]
fn what_none_accepts_the_backbone_answers() {
    let (order, end) = asked(&see("{}", 3), |_| (0.2, 0.6));
    assert_eq!(order, [2, 1, 0]);
    assert_eq!(end, Step::Backbone);
    assert_eq!(see("{}", 0).route(&sample(&[]).evidence()), Ok(Step::Backbone));
}

#[test]
fn the_budget_ends_the_asking() {
    let (order, end) = asked(&see(r#"{"max-probes": 2}"#, 5), |_| (0.0, 1.0));
    assert_eq!(order, [4, 3]);
    assert_eq!(end, Step::Backbone);
}

#[test]
fn the_threshold_is_inclusive_and_on_the_renormalised_score() {
    // 0.1875 / (0.1875 + 0.0625) = 0.75, in numbers that f32 has exactly.
    let half = sample(&[(0, 0.0625, 0.0625)]);
    assert_eq!(see("{}", 1).route(&half.evidence()), Ok(Step::Choose(0)));
    let three_quarters = sample(&[(0, 0.1875, 0.0625)]);
    assert_eq!(see(r#"{"threshold": 0.75}"#, 1).route(&three_quarters.evidence()), Ok(Step::Choose(0)));
    assert_eq!(see(r#"{"threshold": 0.76}"#, 1).route(&three_quarters.evidence()), Ok(Step::Backbone));
}

#[test]
fn the_raw_score_is_over_the_whole_vocabulary() {
    let sure_of_two_but_not_of_all = sample(&[(0, 0.25, 0.0)]);
    assert_eq!(see("{}", 1).route(&sure_of_two_but_not_of_all.evidence()), Ok(Step::Choose(0)));
    assert_eq!(
        see(r#"{"score": "raw"}"#, 1).route(&sure_of_two_but_not_of_all.evidence()),
        Ok(Step::Backbone)
    );
    assert_eq!(
        see(r#"{"score": "greedy", "threshold": 1.0}"#, 1).route(&sure_of_two_but_not_of_all.evidence()),
        Ok(Step::Choose(0))
    );
}

#[test]
fn a_claim_of_nothing_accepts_nothing() {
    let nothing = sample(&[(0, 0.0, 0.0)]);
    assert_eq!(see(r#"{"threshold": 0.0}"#, 1).route(&nothing.evidence()), Ok(Step::Backbone));
}

#[test]
fn all_claims_at_once_give_the_same_choice() {
    let all = sample(&[(0, 0.9, 0.1), (1, 0.1, 0.9), (2, 0.8, 0.2), (3, 0.1, 0.9)]);
    assert_eq!(see("{}", 4).route(&all.evidence()), Ok(Step::Choose(2)));
}

#[test]
fn wrong_settings_are_refused_with_what_would_be_right() {
    let error = |settings: &str| See::open(settings, cards(2)).err().unwrap();
    assert_eq!(
        error(r#"{"thresold": 0.4}"#),
        "unknown field `thresold`, expected one of `threshold`, `order`, `score`, `max-probes`"
    );
    assert_eq!(error(r#"{"threshold": 1.5}"#), "`threshold` is 1.5, expected a number in 0..=1");
    assert!(error(r#"{"order": "newest"}"#).contains("expected `newest-first` or `oldest-first`"));
    assert!(error(r#"{"score": "softmax"}"#).contains("expected one of `renormalised`, `raw`, `greedy`"));
}
