//! The selecting loop with a fake selector: findings come in the order of the probes, and refusals name the policy.

use cadre_contract::{
    Candidate, Generation, Order, Pick, Purpose, Role, SelectorFinding, SelectorObservation, SelectorProbe,
    SelectorStep, Source,
};

use super::{CandidateProbes, Refused, SELECTOR_ROUNDS, SelectorBackend, select_all};
use crate::error::EngineError;

struct Fake<F>(F);

impl<F: FnMut(&[SelectorObservation]) -> SelectorStep> SelectorBackend for Fake<F> {
    fn select(
        &mut self,
        _: &Order,
        _: &[Candidate],
        seen: &[SelectorObservation],
    ) -> Result<SelectorStep, EngineError> {
        Ok((self.0)(seen))
    }
    fn name(&self) -> &str {
        "fake"
    }
}

struct Finder;

impl CandidateProbes for Finder {
    fn embeddings(&mut self, candidates: &[&Candidate]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(candidates.iter().map(|candidate| vec![candidate.id as f32]).collect())
    }
    fn losses(&mut self, _: &[&Candidate]) -> Result<Vec<f32>, Refused> {
        Err(Refused::NotHere("no expert has been trained yet"))
    }
    fn generated(&mut self, wanted: &[&Generation]) -> Result<Vec<String>, Refused> {
        Ok(wanted.iter().map(|generation| generation.prompt.to_uppercase()).collect())
    }
}

const ORDER: Order =
    Order { purpose: Purpose::Remember, role: Role::Negative, task: 4, budget: Some(2), seed: 1 };

fn candidates() -> Vec<Candidate> {
    let candidate = |id| Candidate {
        id,
        task: 4,
        instruction: "copy".to_owned(),
        input: format!("input {id}"),
        response: "out".to_owned(),
        tokens: 5,
    };
    (10..14).map(candidate).collect()
}

fn generation(prompt: &str) -> Generation {
    Generation {
        prompt: prompt.to_owned(),
        expert: None,
        max_new_tokens: 4,
        temperature: 0.0,
        top_p: 1.0,
        repetition_penalty: 1.0,
        seed: 0,
        stop: Vec::new(),
    }
}

#[test]
fn findings_come_in_the_order_of_the_probes() {
    let probes = vec![
        SelectorProbe::Embedding(12),
        SelectorProbe::Generate(generation("a")),
        SelectorProbe::Embedding(10),
    ];
    let mut seen_last = Vec::new();
    let mut selector = Fake(|seen: &[SelectorObservation]| {
        if seen.is_empty() {
            return SelectorStep::Ask(probes.clone());
        }
        seen_last = seen.iter().map(|observation| observation.finding.clone()).collect();
        SelectorStep::Done(vec![Pick { source: Source::Existing(12), role: Role::Negative, weight: 1.0 }])
    });
    let selected = select_all(&mut selector, &ORDER, &candidates(), &mut Finder).unwrap();
    assert_eq!((selected.picks.len(), selected.asked, selected.computed), (1, 3, 3));
    let expected = [
        SelectorFinding::Embedding(vec![12.0]),
        SelectorFinding::Generated("A".to_owned()),
        SelectorFinding::Embedding(vec![10.0]),
    ];
    assert_eq!(seen_last, expected);
}

#[test]
fn unavailable_probes_are_refused_with_the_reason() {
    let mut selector = Fake(|_: &[SelectorObservation]| SelectorStep::Ask(vec![SelectorProbe::Loss(10)]));
    let error = select_all(&mut selector, &ORDER, &candidates(), &mut Finder).unwrap_err();
    assert!(error.to_string().contains("no expert has been trained yet"), "{error}");
    let mut selector =
        Fake(|_: &[SelectorObservation]| SelectorStep::Ask(vec![SelectorProbe::Embedding(99)]));
    let error = select_all(&mut selector, &ORDER, &candidates(), &mut Finder).unwrap_err();
    assert!(error.to_string().contains("candidate 99"), "{error}");
}

#[test]
fn endless_asking_ends() {
    let mut selector =
        Fake(|_: &[SelectorObservation]| SelectorStep::Ask(vec![SelectorProbe::Embedding(10)]));
    let error = select_all(&mut selector, &ORDER, &candidates(), &mut Finder).unwrap_err();
    assert!(matches!(error, EngineError::SelectorRounds { limit: SELECTOR_ROUNDS, .. }), "{error}");
}
