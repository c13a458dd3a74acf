//! Conversions between the core's types and the generated bindings. Inputs are borrowed, not copied; nothing is
//! validated here.

use cadre_contract as contract;

use crate::bindings::router_world::cadre::policy::types as wit;
use crate::bindings::router_world::exports::cadre::policy::router as wit_router;
use crate::bindings::selector_world::exports::cadre::policy::selector as wit_selector;

/// Bytes of expert cards passed to a policy; the fuel limit depends on them.
pub(crate) fn card_bytes(cards: &[contract::ExpertCard]) -> usize {
    cards
        .iter()
        .map(|card| {
            let vectors: usize =
                card.descriptors.iter().map(|vector| vector.name.len() + 4 * vector.values.len() + 16).sum();
            card.task.len() + vectors + 32
        })
        .sum()
}

/// Calls `act` with the cards converted to the contract's types.
pub(crate) fn with_cards<R>(
    cards: &[contract::ExpertCard],
    act: impl FnOnce(&[wit::ExpertCard<'_>]) -> R,
) -> R {
    let vectors: Vec<Vec<wit::NamedVector<'_>>> = cards
        .iter()
        .map(|card| {
            card.descriptors
                .iter()
                .map(|vector| wit::NamedVector { name: &vector.name, values: &vector.values })
                .collect()
        })
        .collect();
    let cards: Vec<wit::ExpertCard<'_>> = cards
        .iter()
        .zip(&vectors)
        .map(|(card, descriptors)| wit::ExpertCard {
            index: card.index,
            task: &card.task,
            training_examples: card.training_examples,
            parameters: card.parameters,
            descriptors,
        })
        .collect();
    act(&cards)
}

/// Bytes of evidence passed to a policy.
pub(crate) fn evidence_bytes(batch: &[contract::Evidence]) -> usize {
    batch
        .iter()
        .map(|evidence| {
            let found: usize = evidence
                .observations
                .iter()
                .map(|seen| match &seen.finding {
                    contract::RouterFinding::Embedding(values) => 32 + 4 * values.len(),
                    contract::RouterFinding::Answer(answer) => 32 + answer.text.len(),
                    _ => 32,
                })
                .sum();
            32 + evidence.query.prompt.len() + found
        })
        .sum()
}

/// Converts a router's step to the core's type.
pub(crate) fn router_step(step: wit_router::Step) -> contract::RouterStep {
    match step {
        wit_router::Step::Ask(probes) => {
            contract::RouterStep::Ask(probes.into_iter().map(router_probe).collect())
        }
        wit_router::Step::Choose(index) => contract::RouterStep::Choose(index),
        wit_router::Step::Backbone => contract::RouterStep::Backbone,
        wit_router::Step::Mix(shares) => contract::RouterStep::Mix(
            shares
                .into_iter()
                .map(|share| contract::Share { expert: share.expert, weight: share.weight })
                .collect(),
        ),
    }
}

fn router_probe(probe: wit_router::Probe) -> contract::RouterProbe {
    match probe {
        wit_router::Probe::Claim(index) => contract::RouterProbe::Claim(index),
        wit_router::Probe::Embedding => contract::RouterProbe::Embedding,
        wit_router::Probe::Surprise(index) => contract::RouterProbe::Surprise(index),
        wit_router::Probe::Answer(index) => contract::RouterProbe::Answer(index),
        wit_router::Probe::Task => contract::RouterProbe::Task,
    }
}

/// Bytes of candidates and observations passed to a policy.
pub(crate) fn selection_bytes(
    candidates: &[contract::Candidate],
    observations: &[contract::SelectorObservation],
) -> usize {
    let candidates: usize =
        candidates.iter().map(|one| 48 + one.instruction.len() + one.input.len() + one.response.len()).sum();
    let observations: usize = observations
        .iter()
        .map(|seen| {
            let asked = match &seen.probe {
                contract::SelectorProbe::Generate(wish) => wish.prompt.len(),
                _ => 0,
            };
            let found = match &seen.finding {
                contract::SelectorFinding::Embedding(values) => 4 * values.len(),
                contract::SelectorFinding::Generated(text) => text.len(),
                contract::SelectorFinding::Loss(_) => 4,
            };
            96 + asked + found
        })
        .sum();
    candidates + observations
}

/// Converts an order to the contract's type.
pub(crate) fn order(order: &contract::Order) -> wit_selector::Order {
    wit_selector::Order {
        purpose: match order.purpose {
            contract::Purpose::Remember => wit_selector::Purpose::Remember,
            contract::Purpose::Compose => wit_selector::Purpose::Compose,
        },
        role: match order.role {
            contract::Role::Positive => wit_selector::Role::Positive,
            contract::Role::Negative => wit_selector::Role::Negative,
        },
        task: order.task,
        budget: order.budget,
        seed: order.seed,
    }
}

/// Calls `act` with candidates and observations converted to the contract's types.
pub(crate) fn with_selection<R>(
    candidates: &[contract::Candidate],
    observations: &[contract::SelectorObservation],
    act: impl FnOnce(&[wit_selector::Candidate<'_>], &[wit_selector::Observation<'_>]) -> R,
) -> R {
    let candidates: Vec<wit_selector::Candidate<'_>> = candidates
        .iter()
        .map(|one| wit_selector::Candidate {
            id: one.id,
            task: one.task,
            instruction: &one.instruction,
            input: &one.input,
            response: &one.response,
            tokens: one.tokens,
        })
        .collect();
    let stops: Vec<Vec<&str>> = observations
        .iter()
        .map(|seen| match &seen.probe {
            contract::SelectorProbe::Generate(wish) => wish.stop.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        })
        .collect();
    let observations: Vec<wit_selector::Observation<'_>> =
        observations.iter().zip(&stops).map(|(seen, stop)| selector_observation(seen, stop)).collect();
    act(&candidates, &observations)
}

fn selector_observation<'a>(
    seen: &'a contract::SelectorObservation,
    stop: &'a [&'a str],
) -> wit_selector::Observation<'a> {
    let probe = match &seen.probe {
        contract::SelectorProbe::Embedding(id) => wit_selector::ProbeParam::Embedding(*id),
        contract::SelectorProbe::Loss(id) => wit_selector::ProbeParam::Loss(*id),
        contract::SelectorProbe::Generate(wish) => {
            wit_selector::ProbeParam::Generate(wit_selector::GenerationParam {
                prompt: &wish.prompt,
                expert: wish.expert,
                max_new_tokens: wish.max_new_tokens,
                temperature: wish.temperature,
                top_p: wish.top_p,
                repetition_penalty: wish.repetition_penalty,
                seed: wish.seed,
                stop,
            })
        }
    };
    let finding = match &seen.finding {
        contract::SelectorFinding::Embedding(values) => wit_selector::Finding::Embedding(values),
        contract::SelectorFinding::Loss(value) => wit_selector::Finding::Loss(*value),
        contract::SelectorFinding::Generated(text) => wit_selector::Finding::Generated(text),
    };
    wit_selector::Observation { probe, finding }
}

/// Converts a selector's step to the core's type.
pub(crate) fn selector_step(step: wit_selector::Step) -> contract::SelectorStep {
    match step {
        wit_selector::Step::Ask(probes) => {
            contract::SelectorStep::Ask(probes.into_iter().map(selector_probe).collect())
        }
        wit_selector::Step::Done(picks) => {
            contract::SelectorStep::Done(picks.into_iter().map(pick).collect())
        }
    }
}

fn selector_probe(probe: wit_selector::ProbeResult) -> contract::SelectorProbe {
    match probe {
        wit_selector::ProbeResult::Embedding(id) => contract::SelectorProbe::Embedding(id),
        wit_selector::ProbeResult::Loss(id) => contract::SelectorProbe::Loss(id),
        wit_selector::ProbeResult::Generate(wish) => {
            contract::SelectorProbe::Generate(contract::Generation {
                prompt: wish.prompt,
                expert: wish.expert,
                max_new_tokens: wish.max_new_tokens,
                temperature: wish.temperature,
                top_p: wish.top_p,
                repetition_penalty: wish.repetition_penalty,
                seed: wish.seed,
                stop: wish.stop,
            })
        }
    }
}

fn pick(pick: wit_selector::Pick) -> contract::Pick {
    contract::Pick {
        source: match pick.source {
            wit_selector::Source::Existing(id) => contract::Source::Existing(id),
            wit_selector::Source::Synthetic(example) => {
                contract::Source::Synthetic(contract::SyntheticExample {
                    task: example.task,
                    instruction: example.instruction,
                    input: example.input,
                    response: example.response,
                })
            }
        },
        role: match pick.role {
            wit_selector::Role::Positive => contract::Role::Positive,
            wit_selector::Role::Negative => contract::Role::Negative,
        },
        weight: pick.weight,
    }
}
