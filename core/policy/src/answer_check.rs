//! Checks answers of policies: counts, ranges, weights, probes already in the evidence. Reports problems and never
//! repairs an answer.

use std::collections::HashSet;

use cadre_contract::{
    Candidate, Description, Evidence, ExpertIndex, Generation, Order, Pick, RouterProbe, RouterStep,
    SelectorObservation, SelectorProbe, SelectorStep, Share, Source,
};

use crate::AnswerProblem;

/// Checks a description; its fields are used in reports and file names.
pub(crate) fn description(said: &Description) -> Result<(), AnswerProblem> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.len() <= 64
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_line = |text: &str| text.chars().count() <= 1_000 && !text.chars().any(char::is_control);
    let problem = |field, value: &str, expected| AnswerProblem::Description {
        field,
        value: value.chars().take(80).collect(),
        expected,
    };
    if !is_name(&said.name) {
        let expected = "1 to 64 lower-case letters, digits and hyphens";
        return Err(problem("name", &said.name, expected));
    }
    if said.version.is_empty() || said.version.len() > 64 || !is_line(&said.version) {
        return Err(problem("version", &said.version, "1 to 64 characters on one line"));
    }
    for (field, value) in [("summary", &said.summary), ("reference", &said.reference)] {
        if !is_line(value) {
            return Err(problem(field, value, "one line of at most 1000 characters"));
        }
    }
    Ok(())
}

/// Checks that there is one step per query.
pub(crate) fn step_count(given: usize, wanted: usize) -> Result<(), AnswerProblem> {
    if given == wanted { Ok(()) } else { Err(AnswerProblem::StepCount { given, wanted }) }
}

/// Checks a router's step for one query.
pub(crate) fn router_step(
    step: &RouterStep,
    evidence: &Evidence,
    experts: usize,
) -> Result<(), AnswerProblem> {
    match step {
        RouterStep::Backbone => Ok(()),
        RouterStep::Choose(index) => expert(*index, experts),
        RouterStep::Ask(probes) => asked(probes, evidence, experts),
        RouterStep::Mix(shares) => mixture(shares, experts),
    }
}

fn expert(index: ExpertIndex, experts: usize) -> Result<(), AnswerProblem> {
    if (index as usize) < experts { Ok(()) } else { Err(AnswerProblem::ExpertIndex { index, experts }) }
}

fn asked(probes: &[RouterProbe], evidence: &Evidence, experts: usize) -> Result<(), AnswerProblem> {
    if probes.is_empty() {
        return Err(AnswerProblem::EmptyAsk);
    }
    let mut now = vec![false; PROBES_OF_NOBODY + PROBES_OF_AN_EXPERT * experts];
    for probe in probes {
        match probe {
            RouterProbe::Claim(index)
            | RouterProbe::Surprise(Some(index))
            | RouterProbe::Answer(Some(index)) => expert(*index, experts)?,
            RouterProbe::Surprise(None)
            | RouterProbe::Answer(None)
            | RouterProbe::Embedding
            | RouterProbe::Task => {}
        }
        if evidence.observations.iter().any(|seen| seen.probe == *probe) {
            return Err(AnswerProblem::KnownProbe { probe: router_probe_name(probe) });
        }
        if std::mem::replace(&mut now[number(probe)], true) {
            return Err(AnswerProblem::RepeatedProbe { probe: router_probe_name(probe) });
        }
    }
    Ok(())
}

const PROBES_OF_NOBODY: usize = 4;
const PROBES_OF_AN_EXPERT: usize = 3;

/// A distinct number for each possible probe; those of experts come last.
fn number(probe: &RouterProbe) -> usize {
    let of = |index: &ExpertIndex, kind| PROBES_OF_NOBODY + PROBES_OF_AN_EXPERT * *index as usize + kind;
    match probe {
        RouterProbe::Embedding => 0,
        RouterProbe::Task => 1,
        RouterProbe::Surprise(None) => 2,
        RouterProbe::Answer(None) => 3,
        RouterProbe::Claim(index) => of(index, 0),
        RouterProbe::Surprise(Some(index)) => of(index, 1),
        RouterProbe::Answer(Some(index)) => of(index, 2),
    }
}

pub(crate) fn router_probe_name(probe: &RouterProbe) -> String {
    let of = |index: &Option<ExpertIndex>| match index {
        Some(index) => format!("of expert {index}"),
        None => "of the backbone".to_owned(),
    };
    match probe {
        RouterProbe::Claim(index) => format!("the claim of expert {index}"),
        RouterProbe::Embedding => "the embedding".to_owned(),
        RouterProbe::Surprise(index) => format!("the surprise {}", of(index)),
        RouterProbe::Answer(index) => format!("the answer {}", of(index)),
        RouterProbe::Task => "the task".to_owned(),
    }
}

fn mixture(shares: &[Share], experts: usize) -> Result<(), AnswerProblem> {
    if shares.is_empty() {
        return Err(AnswerProblem::EmptyMix);
    }
    let mut seen = HashSet::with_capacity(shares.len());
    let mut sum = 0.0_f32;
    for share in shares {
        expert(share.expert, experts)?;
        weight(share.weight)?;
        if !seen.insert(share.expert) {
            return Err(AnswerProblem::RepeatedShare { index: share.expert });
        }
        sum += share.weight;
    }
    if sum > 0.0 && sum.is_finite() { Ok(()) } else { Err(AnswerProblem::WeightSum { sum }) }
}

fn weight(weight: f32) -> Result<(), AnswerProblem> {
    if weight.is_finite() && weight >= 0.0 { Ok(()) } else { Err(AnswerProblem::Weight { weight }) }
}

/// Checks a selector's step.
pub(crate) fn selector_step(
    step: &SelectorStep,
    order: &Order,
    candidates: &[Candidate],
    observations: &[SelectorObservation],
) -> Result<(), AnswerProblem> {
    let ids: HashSet<u64> = candidates.iter().map(|candidate| candidate.id).collect();
    match step {
        SelectorStep::Ask(probes) => wanted(probes, &ids, observations),
        SelectorStep::Done(picks) => picked(picks, order, &ids),
    }
}

fn wanted(
    probes: &[SelectorProbe],
    ids: &HashSet<u64>,
    observations: &[SelectorObservation],
) -> Result<(), AnswerProblem> {
    if probes.is_empty() {
        return Err(AnswerProblem::EmptyAsk);
    }
    let known: HashSet<String> = observations.iter().map(|seen| selector_probe_name(&seen.probe)).collect();
    let mut now = HashSet::with_capacity(probes.len());
    for probe in probes {
        match probe {
            SelectorProbe::Embedding(id) | SelectorProbe::Loss(id) => candidate(*id, ids)?,
            SelectorProbe::Generate(generation) => text_wish(generation)?,
        }
        let name = selector_probe_name(probe);
        if known.contains(&name) {
            return Err(AnswerProblem::KnownProbe { probe: cut(name) });
        }
        if !now.insert(name) {
            let probe = cut(selector_probe_name(probe));
            return Err(AnswerProblem::RepeatedProbe { probe });
        }
    }
    Ok(())
}

/// A name that is distinct for each probe; a request for text includes all of its fields.
pub(crate) fn selector_probe_name(probe: &SelectorProbe) -> String {
    match probe {
        SelectorProbe::Embedding(id) => format!("the embedding of candidate {id}"),
        SelectorProbe::Loss(id) => format!("the loss of candidate {id}"),
        SelectorProbe::Generate(generation) => format!("text ({generation:?})"),
    }
}

pub(crate) fn cut(name: String) -> String {
    match name.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

fn candidate(id: u64, ids: &HashSet<u64>) -> Result<(), AnswerProblem> {
    if ids.contains(&id) { Ok(()) } else { Err(AnswerProblem::CandidateId { id }) }
}

fn text_wish(wish: &Generation) -> Result<(), AnswerProblem> {
    let check = |fits: bool, name, value: f64, expected| {
        if fits { Ok(()) } else { Err(AnswerProblem::Generation { name, value, expected }) }
    };
    let temperature = wish.temperature;
    check(wish.max_new_tokens > 0, "max-new-tokens", f64::from(wish.max_new_tokens), "at least 1")?;
    check(
        temperature.is_finite() && temperature >= 0.0,
        "temperature",
        f64::from(temperature),
        "a finite number that is not negative",
    )?;
    check(
        wish.top_p > 0.0 && wish.top_p <= 1.0,
        "top-p",
        f64::from(wish.top_p),
        "a number above 0 and at most 1",
    )?;
    check(
        wish.repetition_penalty.is_finite() && wish.repetition_penalty > 0.0,
        "repetition-penalty",
        f64::from(wish.repetition_penalty),
        "a finite number above 0",
    )
}

fn picked(picks: &[Pick], order: &Order, ids: &HashSet<u64>) -> Result<(), AnswerProblem> {
    let mut seen = HashSet::with_capacity(picks.len());
    for pick in picks {
        weight(pick.weight)?;
        match &pick.source {
            Source::Existing(id) => {
                candidate(*id, ids)?;
                if !seen.insert(*id) {
                    return Err(AnswerProblem::RepeatedPick { id: *id });
                }
            }
            Source::Synthetic(example) if example.task > order.task => {
                return Err(AnswerProblem::SyntheticTask { task: example.task, at: order.task });
            }
            Source::Synthetic(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
