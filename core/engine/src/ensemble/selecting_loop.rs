//! The selecting loop: calls a selector for picks, answers its probes in one batch per kind, and repeats.

use cadre_contract::{
    Candidate, Generation, Order, Pick, SelectorFinding, SelectorObservation, SelectorProbe, SelectorStep,
};

use crate::error::EngineError;

/// Maximum number of rounds per order.
pub(crate) const SELECTOR_ROUNDS: u32 = 64;

/// Selects examples: a loaded policy, or a fake in tests.
pub(crate) trait SelectorBackend {
    /// The next step, given all observations so far.
    fn select(
        &mut self,
        order: &Order,
        candidates: &[Candidate],
        seen: &[SelectorObservation],
    ) -> Result<SelectorStep, EngineError>;
    /// Name, for messages.
    fn name(&self) -> &str;
}

/// Computes findings for a selector.
pub(crate) trait CandidateProbes {
    /// L2-normalised embeddings of candidates' input fields (of their instructions if the inputs are empty).
    fn embeddings(&mut self, candidates: &[&Candidate]) -> Result<Vec<Vec<f32>>, EngineError>;
    /// Mean negative log-likelihoods of candidates' responses under the newest expert; refused if there is no expert.
    fn losses(&mut self, candidates: &[&Candidate]) -> Result<Vec<f32>, Refused>;
    /// Sampled texts.
    fn generated(&mut self, wanted: &[&Generation]) -> Result<Vec<String>, Refused>;
}

/// Why a finding is not available.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It cannot be computed in this stage.
    NotHere(&'static str),
    /// The computation failed.
    Failed(Box<EngineError>),
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// A selector's picks, and its probes.
#[derive(Debug)]
pub(crate) struct Selected {
    /// The picks.
    pub(crate) picks: Vec<Pick>,
    /// Number of probes.
    pub(crate) asked: u64,
    /// Number of distinct probes.
    pub(crate) computed: u64,
}

/// Calls the selector until it is done.
pub(crate) fn select_all(
    selector: &mut dyn SelectorBackend,
    order: &Order,
    candidates: &[Candidate],
    finder: &mut dyn CandidateProbes,
) -> Result<Selected, EngineError> {
    let mut seen: Vec<SelectorObservation> = Vec::new();
    for _ in 0..=SELECTOR_ROUNDS {
        match selector.select(order, candidates, &seen)? {
            SelectorStep::Done(picks) => {
                let mut distinct: Vec<String> =
                    seen.iter().map(|observation| format!("{:?}", observation.probe)).collect();
                distinct.sort_unstable();
                distinct.dedup();
                return Ok(Selected { picks, asked: seen.len() as u64, computed: distinct.len() as u64 });
            }
            SelectorStep::Ask(probes) => {
                let findings = find(&probes, order, candidates, finder, selector.name())?;
                seen.extend(
                    probes
                        .into_iter()
                        .zip(findings)
                        .map(|(probe, finding)| SelectorObservation { probe, finding }),
                );
            }
        }
    }
    Err(EngineError::SelectorRounds {
        selector: selector.name().to_owned(),
        task: order.task,
        limit: SELECTOR_ROUNDS,
    })
}

fn find(
    probes: &[SelectorProbe],
    order: &Order,
    candidates: &[Candidate],
    finder: &mut dyn CandidateProbes,
    selector: &str,
) -> Result<Vec<SelectorFinding>, EngineError> {
    let refused = |probe: String, reason| EngineError::SelectorProbe {
        selector: selector.to_owned(),
        task: order.task,
        probe,
        reason,
    };
    let candidate = |id: u64, what: &str| {
        candidates
            .iter()
            .find(|candidate| candidate.id == id)
            .ok_or_else(|| refused(format!("the {what} of candidate {id}"), "there is no such candidate"))
    };
    let (mut embedded, mut lost, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for probe in probes {
        match probe {
            SelectorProbe::Embedding(id) => embedded.push(candidate(*id, "embedding")?),
            SelectorProbe::Loss(id) => lost.push(candidate(*id, "loss")?),
            SelectorProbe::Generate(generation) => written.push(generation),
        }
    }
    let unless_refused = |refusal, what: &str| match refusal {
        Refused::NotHere(reason) => refused(what.to_owned(), reason),
        Refused::Failed(error) => *error,
    };
    let mut embeddings =
        if embedded.is_empty() { Vec::new() } else { finder.embeddings(&embedded)? }.into_iter();
    let mut losses = match lost.as_slice() {
        [] => Vec::new(),
        lost => finder.losses(lost).map_err(|refusal| unless_refused(refusal, "a loss"))?,
    }
    .into_iter();
    let mut texts = match written.as_slice() {
        [] => Vec::new(),
        written => finder.generated(written).map_err(|refusal| unless_refused(refusal, "a generation"))?,
    }
    .into_iter();
    probes
        .iter()
        .map(|probe| match probe {
            SelectorProbe::Embedding(_) => embeddings.next().map(SelectorFinding::Embedding),
            SelectorProbe::Loss(_) => losses.next().map(SelectorFinding::Loss),
            SelectorProbe::Generate(_) => texts.next().map(SelectorFinding::Generated),
        })
        .collect::<Option<Vec<_>>>()
        .ok_or(EngineError::FindingsMissing { asked: probes.len() })
}

#[cfg(test)]
mod tests;
