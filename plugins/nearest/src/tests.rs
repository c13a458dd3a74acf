//! Nearness, the least similarity, and what is refused.

use cadre_policy_sdk::NamedVector;
use cadre_policy_sdk::router::{ExpertCard, Probe, Router, Sample, Step};

use crate::Nearest;

fn card(index: u32, centroid: &[f32]) -> ExpertCard {
    ExpertCard {
        index,
        task: format!("task-{index}"),
        training_examples: 10,
        parameters: 100,
        descriptors: vec![
            NamedVector { name: "something-else".into(), values: vec![1.0] },
            NamedVector { name: "prompt-centroid".into(), values: centroid.to_vec() },
        ],
    }
}

fn sample(embedding: Option<&[f32]>) -> Sample {
    let bare = Sample::new("sort: 3 1 2").id(9);
    match embedding {
        Some(vector) => bare.embedding(vector),
        None => bare,
    }
}

fn two(settings: &str) -> Nearest {
    // Not of length 1 on purpose: the second must not win by size.
    Nearest::open(settings, vec![card(0, &[1.0, 0.0]), card(1, &[0.0, 50.0])]).unwrap()
}

#[test]
fn asks_once_and_chooses_the_nearest() {
    assert_eq!(two("{}").route(&sample(None).evidence()), Ok(Step::Ask(vec![Probe::Embedding])));
    assert_eq!(two("{}").route(&sample(Some(&[0.8, 0.6])).evidence()), Ok(Step::Choose(0)));
    assert_eq!(two("{}").route(&sample(Some(&[0.6, 0.8])).evidence()), Ok(Step::Choose(1)));
}

#[test]
fn of_equals_the_newest() {
    assert_eq!(two("{}").route(&sample(Some(&[0.5, 0.5])).evidence()), Ok(Step::Choose(1)));
    assert_eq!(two("{}").route(&sample(Some(&[0.0, 0.0])).evidence()), Ok(Step::Choose(1)));
}

#[test]
fn too_far_goes_to_the_backbone() {
    let strict = two(r#"{"min-similarity": 0.9}"#);
    assert_eq!(strict.route(&sample(Some(&[0.8, 0.6])).evidence()), Ok(Step::Backbone));
    assert_eq!(strict.route(&sample(Some(&[9.5, 0.5])).evidence()), Ok(Step::Choose(0)));
    assert_eq!(two("{}").route(&sample(Some(&[-1.0, -1.0])).evidence()), Ok(Step::Choose(1)));
}

#[test]
fn without_experts_the_backbone_answers() {
    let none = Nearest::open("{}", vec![]).unwrap();
    assert_eq!(none.route(&sample(None).evidence()), Ok(Step::Backbone));
}

#[test]
fn what_is_missing_is_named() {
    let bare = ExpertCard { descriptors: vec![], ..card(1, &[]) };
    let error = Nearest::open("{}", vec![card(0, &[1.0]), bare]).err().unwrap();
    assert_eq!(
        error,
        "expert 1 (`task-1`) has no descriptor `prompt-centroid`: \
         set `descriptors = [\"prompt-centroid\"]` in [routing]"
    );
    let error = Nearest::open("{}", vec![card(0, &[1.0, 0.0]), card(1, &[1.0])]).err().unwrap();
    assert!(error.contains("has 1 numbers, that of expert 0 has 2"), "{error}");
    let error = two("{}").route(&sample(Some(&[1.0])).evidence()).unwrap_err();
    assert!(error.contains("has 1 numbers"), "{error}");
    let error = two("{}").route(&sample(Some(&[f32::NAN, 1.0])).evidence()).unwrap_err();
    assert!(error.contains("query 9 is not finite"), "{error}");
}

#[test]
fn wrong_settings_are_refused() {
    let error = Nearest::open(r#"{"min-similarity": 2.0}"#, vec![]).err().unwrap();
    assert_eq!(error, "`min-similarity` is 2, expected a number in -1..=1");
    let error = Nearest::open(r#"{"similarity": 0.2}"#, vec![]).err().unwrap();
    assert_eq!(error, "unknown field `similarity`, expected `min-similarity`");
}
