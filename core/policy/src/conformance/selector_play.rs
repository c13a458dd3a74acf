//! Simulates the core for a selector: one task to remember, one training set to compose.

use std::time::Instant;

use cadre_contract::{
    Candidate, Order, Purpose, Role, SelectorFinding, SelectorObservation, SelectorProbe, SelectorStep,
    Source,
};

use super::play::{Played, fraction, unit_vector};
use crate::{Plugin, PolicyError, Selector};

const CANDIDATES: u64 = 200;
const BUDGET: u32 = 20;
const DIMENSIONS: usize = 64;
const TIMED_CALLS: usize = 5;

pub(super) fn play(plugin: &Plugin, settings: &str, rounds: u32) -> Result<Played, PolicyError> {
    let mut selector = plugin.selector(settings)?;
    let remember =
        Order { purpose: Purpose::Remember, role: Role::Negative, task: 3, budget: Some(BUDGET), seed: 7 };
    let candidates = candidates();
    let first = run(&mut selector, &remember, &candidates, rounds)?;
    let second = run(&mut selector, &remember, &candidates, rounds)?;
    let compose = Order { purpose: Purpose::Compose, budget: None, ..remember };
    let composed = run(&mut selector, &compose, &candidates[..BUDGET as usize], rounds)?;
    // The first call of a run has no candidates.
    run(&mut selector, &remember, &[], rounds)?;

    let repeated = if first.steps == second.steps {
        Ok(format!("{} calls, repeated in fresh instances", first.steps.len()))
    } else {
        Err("its picks or probes differed when it was repeated in a fresh instance".into())
    };
    let mut best = f64::INFINITY;
    for _ in 0..TIMED_CALLS {
        let start = Instant::now();
        selector.select(&remember, &candidates, &first.observations)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(Played {
        summary: format!(
            "{CANDIDATES} candidates, {BUDGET} wanted: remembered {} ({} synthetic), composed {} of {BUDGET}; {} probes",
            first.picked,
            first.made_up,
            composed.picked,
            first.observations.len()
        ),
        repeated: Some(repeated),
        rearranged: None,
        fuel: first.fuel,
        fuel_allowed: first.fuel_allowed,
        memory: first.memory,
        microseconds_each: best * 1e6 / CANDIDATES as f64,
        each: "candidate",
    })
}

struct Run {
    steps: Vec<SelectorStep>,
    observations: Vec<SelectorObservation>,
    picked: usize,
    made_up: usize,
    fuel: u64,
    fuel_allowed: u64,
    memory: u64,
}

fn candidates() -> Vec<Candidate> {
    (0..CANDIDATES)
        .map(|id| Candidate {
            id,
            task: 3,
            instruction: "Sort the numbers.".into(),
            input: format!("{} {} {}", id * 7 % 10, id * 3 % 10, id % 10),
            response: format!("{}", id % 10),
            tokens: 14,
        })
        .collect()
}

fn run(
    selector: &mut Selector,
    order: &Order,
    candidates: &[Candidate],
    rounds: u32,
) -> Result<Run, PolicyError> {
    let mut run = Run {
        steps: Vec::new(),
        observations: Vec::new(),
        picked: 0,
        made_up: 0,
        fuel: 0,
        fuel_allowed: 0,
        memory: 0,
    };
    loop {
        if run.steps.len() >= rounds as usize {
            return Err(selector.too_many_rounds(order.task));
        }
        let step = selector.select(order, candidates, &run.observations)?;
        let usage = selector.last_usage();
        if usage.fuel > run.fuel {
            run.fuel = usage.fuel;
            run.fuel_allowed = usage.fuel_allowed;
        }
        run.memory = run.memory.max(usage.memory);
        run.steps.push(step.clone());
        match step {
            SelectorStep::Ask(probes) => run.observations.extend(probes.into_iter().map(found)),
            SelectorStep::Done(picks) => {
                run.picked = picks.len();
                run.made_up = picks.iter().filter(|pick| matches!(pick.source, Source::Synthetic(_))).count();
                return Ok(run);
            }
        }
    }
}

fn found(probe: SelectorProbe) -> SelectorObservation {
    let finding = match &probe {
        SelectorProbe::Embedding(id) => SelectorFinding::Embedding(unit_vector(*id, DIMENSIONS)),
        SelectorProbe::Loss(id) => SelectorFinding::Loss(4.0 * fraction(&format!("loss {id}"))),
        SelectorProbe::Generate(wish) => SelectorFinding::Generated(format!(
            " {} {}\nOutput: {}",
            wish.seed % 10,
            wish.seed % 7,
            wish.seed % 10
        )),
    };
    SelectorObservation { probe, finding }
}
