//! The routing loop: calls a router with all undecided queries, answers its probes for the whole batch, and repeats.

use cadre_contract::{Evidence, RouterFinding, RouterObservation, RouterProbe, RouterStep};
use cadre_recipe::Fallback;

use super::question::{Kind, Query, Question, Responder};
use super::route_trace::RouteTrace;
use crate::error::EngineError;

/// Queries per router call: larger batches do not reduce the cost per query, smaller ones increase it.
const QUERIES_PER_CALL: usize = 256;

/// Decides steps: a loaded policy, or a fake in tests.
pub(crate) trait RouterBackend {
    /// One step per query, in order.
    fn decide(&mut self, batch: &[Evidence]) -> Result<Vec<RouterStep>, EngineError>;
    /// Name, for messages.
    fn name(&self) -> &str;
}

/// Computes findings: the evidence book over a learner, or a fake in tests.
pub(crate) trait ProbeSource {
    /// One finding per question, in order; all questions are of one kind.
    fn find_out(&mut self, asked: &[(Question, &Query)]) -> Result<Vec<RouterFinding>, EngineError>;
}

/// What the recipe allows a router.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RoutingBounds {
    /// Maximum number of rounds per query.
    pub(crate) max_rounds: u32,
    /// Whether it may probe the true task.
    pub(crate) grant_task: bool,
    /// Number of experts.
    pub(crate) experts: u32,
    /// Whether experts were trained to claim.
    pub(crate) claims: bool,
    /// Responder for queries that the router gives to no expert.
    pub(crate) fallback: Fallback,
}

impl RoutingBounds {
    fn fallback(self) -> Responder {
        match self.fallback {
            Fallback::Backbone => Responder::Backbone,
        }
    }
}

/// Routes all queries; returns one trace per query, in order.
pub(crate) fn route_all(
    router: &mut dyn RouterBackend,
    queries: &[Query],
    bounds: RoutingBounds,
    finder: &mut dyn ProbeSource,
) -> Result<Vec<RouteTrace>, EngineError> {
    let mut seen: Vec<Vec<RouterObservation>> = vec![Vec::new(); queries.len()];
    let mut decided: Vec<Option<Responder>> = vec![None; queries.len()];
    let mut rounds = vec![0_u32; queries.len()];
    let mut pending: Vec<usize> = (0..queries.len()).collect();
    let mut round = 0_u32;
    while !pending.is_empty() {
        let mut asked: Vec<(usize, RouterProbe)> = Vec::new();
        let mut still = Vec::new();
        for group in pending.chunks(QUERIES_PER_CALL) {
            let batch: Vec<Evidence> = group
                .iter()
                .map(|&index| evidence_of(&queries[index], std::mem::take(&mut seen[index])))
                .collect();
            let steps = router.decide(&batch)?;
            for (&index, evidence) in group.iter().zip(batch) {
                seen[index] = evidence.observations;
            }
            if steps.len() != group.len() {
                return Err(EngineError::WrongStepCount {
                    router: router.name().to_owned(),
                    queries: group.len(),
                    steps: steps.len(),
                });
            }
            for (&index, step) in group.iter().zip(steps) {
                rounds[index] += 1;
                match step {
                    RouterStep::Ask(probes) => {
                        if round >= bounds.max_rounds {
                            return Err(EngineError::TooManyRounds {
                                router: router.name().to_owned(),
                                query: queries[index].id,
                                limit: bounds.max_rounds,
                            });
                        }
                        for probe in probes {
                            allow(&probe, bounds, router.name(), &queries[index])?;
                            asked.push((index, probe));
                        }
                        still.push(index);
                    }
                    RouterStep::Choose(expert) => decided[index] = Some(Responder::Expert(expert)),
                    RouterStep::Backbone => decided[index] = Some(bounds.fallback()),
                    RouterStep::Mix(shares) => decided[index] = Some(mixed(&shares)),
                }
            }
        }
        let findings = find_all(&asked, queries, finder)?;
        for ((index, probe), finding) in asked.into_iter().zip(findings) {
            seen[index].push(RouterObservation { probe, finding });
        }
        pending = still;
        round += 1;
    }
    let traces = queries.iter().zip(seen).zip(decided).zip(rounds);
    Ok(traces
        .map(|(((query, observations), responder), rounds)| RouteTrace {
            query: query.digest,
            observations,
            rounds,
            // The loop ends only when every query is decided.
            responder: responder.unwrap_or_else(|| bounds.fallback()),
        })
        .collect())
}

/// Answers one round of probes: the true task from the queries themselves, everything else in one pass per kind.
fn find_all(
    asked: &[(usize, RouterProbe)],
    queries: &[Query],
    finder: &mut dyn ProbeSource,
) -> Result<Vec<RouterFinding>, EngineError> {
    let mut findings: Vec<Option<RouterFinding>> = asked
        .iter()
        .map(|(index, probe)| match probe {
            RouterProbe::Task => Some(RouterFinding::Task(queries[*index].expert)),
            _ => None,
        })
        .collect();
    for kind in Kind::ALL {
        let mut indices = Vec::new();
        let mut batch = Vec::new();
        for (slot, (index, probe)) in asked.iter().enumerate() {
            if let Some(question) = Question::of(probe).filter(|question| question.kind == kind) {
                indices.push(slot);
                batch.push((question, &queries[*index]));
            }
        }
        if batch.is_empty() {
            continue;
        }
        for (slot, finding) in indices.into_iter().zip(finder.find_out(&batch)?) {
            findings[slot] = Some(finding);
        }
    }
    findings
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .ok_or(EngineError::FindingsMissing { asked: asked.len() })
}

/// Rejects a probe that the recipe does not allow or that cannot be answered.
fn allow(probe: &RouterProbe, bounds: RoutingBounds, router: &str, query: &Query) -> Result<(), EngineError> {
    let expert = match probe {
        RouterProbe::Claim(expert) => {
            if !bounds.claims {
                return Err(EngineError::NoClaims { router: router.to_owned() });
            }
            Some(*expert)
        }
        RouterProbe::Surprise(expert) | RouterProbe::Answer(expert) => *expert,
        RouterProbe::Task if !bounds.grant_task => {
            return Err(EngineError::TaskNotGranted { router: router.to_owned(), query: query.id });
        }
        RouterProbe::Task | RouterProbe::Embedding => None,
    };
    match expert {
        Some(expert) if expert >= bounds.experts => Err(EngineError::NoSuchExpert {
            router: router.to_owned(),
            query: query.id,
            expert,
            experts: bounds.experts,
        }),
        _ => Ok(()),
    }
}

fn evidence_of(query: &Query, observations: Vec<RouterObservation>) -> Evidence {
    Evidence {
        query: cadre_contract::Query {
            id: query.id,
            prompt: query.prompt.clone(),
            prompt_tokens: u32::try_from(query.ids.len()).unwrap_or(u32::MAX),
        },
        observations,
    }
}

/// Normalises the weights to sum to 1; a single share is that expert alone.
fn mixed(shares: &[cadre_contract::Share]) -> Responder {
    let sum: f32 = shares.iter().map(|share| share.weight).sum();
    let kept: Vec<(u32, u32)> = shares
        .iter()
        .filter(|share| share.weight > 0.0)
        .map(|share| (share.expert, (share.weight / sum).to_bits()))
        .collect();
    match kept.as_slice() {
        [(only, _)] => Responder::Expert(*only),
        _ => Responder::Mix(kept),
    }
}

#[cfg(test)]
mod tests;
