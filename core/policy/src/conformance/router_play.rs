//! Simulates the core for a router: routes a batch of queries until all are decided.

use std::time::Instant;

use cadre_contract::{
    Answer, Claim, Evidence, Query, RouterFinding, RouterObservation, RouterProbe, RouterStep,
};

use super::play::{Played, fraction, unit_vector};
use crate::{Plugin, PolicyError, Router};

const QUERIES: u64 = 64;
const EXPERTS: u32 = 10;
const DIMENSIONS: usize = 64;
const TIMED_CALLS: usize = 20;

pub(super) fn play(plugin: &Plugin, settings: &str, rounds: u32) -> Result<Played, PolicyError> {
    // A run starts with a library without experts.
    let mut empty = plugin.router(settings, &[])?;
    run(&mut empty, &queries(), 0, rounds)?;

    let cards = super::cards(EXPERTS, DIMENSIONS);
    let mut router = plugin.router(settings, &cards)?;
    let first = run(&mut router, &queries(), EXPERTS, rounds)?;
    let second = run(&mut router, &queries(), EXPERTS, rounds)?;
    let repeated = match first.calls.iter().zip(&second.calls).position(|(a, b)| a != b) {
        None if first.calls.len() == second.calls.len() => {
            Ok(format!("{} calls, repeated in fresh instances", first.calls.len()))
        }
        Some(round) => {
            Err(format!("round {round} gave different steps when it was repeated in a fresh instance"))
        }
        None => Err("it took a different number of rounds when it was repeated".into()),
    };

    let mut reversed = queries();
    reversed.reverse();
    let mut other = run(&mut router, &reversed, EXPERTS, rounds)?.decisions;
    other.sort_by_key(|decision| decision.0);
    let mut alone = Vec::new();
    for query in queries().chunks(1) {
        alone.extend(run(&mut router, query, EXPERTS, rounds)?.decisions);
    }
    let differs = |others: &[(u64, String)]| {
        let pairs = first.decisions.iter().zip(others);
        pairs.filter(|(a, b)| a != b).map(|(a, _)| a.0).next()
    };
    let rearranged = match (differs(&other), differs(&alone)) {
        (None, None) => Ok("the same decisions alone, batched and in reverse order".into()),
        (Some(query), _) => Err(format!("the decision for query {query} changes when the batch is reversed")),
        (None, Some(query)) => Err(format!("the decision for query {query} changes when it is routed alone")),
    };

    let mut best = f64::INFINITY;
    for _ in 0..TIMED_CALLS {
        let start = Instant::now();
        router.route(&first.last)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let usage = first.fuel.max(second.fuel);
    Ok(Played {
        summary: format!(
            "{QUERIES} queries, {EXPERTS} experts: {}; {:.1} probes per query, {} rounds",
            first.ends,
            first.probes as f64 / QUERIES as f64,
            first.calls.len()
        ),
        repeated: Some(repeated),
        rearranged: Some(rearranged),
        fuel: usage,
        fuel_allowed: first.fuel_allowed,
        memory: first.memory.max(second.memory),
        microseconds_each: best * 1e6 / QUERIES as f64,
        each: "query",
    })
}

struct Run {
    calls: Vec<Vec<RouterStep>>,
    /// Queries and their decisions, in query order.
    decisions: Vec<(u64, String)>,
    ends: String,
    probes: usize,
    fuel: u64,
    fuel_allowed: u64,
    memory: u64,
    /// All evidence at the end.
    last: Vec<Evidence>,
}

fn queries() -> Vec<Evidence> {
    (0..QUERIES)
        .map(|id| Evidence {
            query: Query {
                id,
                prompt: format!("Sort the numbers.\n\n{} {} {}", id * 7 % 10, id * 3 % 10, id % 10),
                prompt_tokens: 12,
            },
            observations: Vec::new(),
        })
        .collect()
}

fn run(router: &mut Router, queries: &[Evidence], experts: u32, rounds: u32) -> Result<Run, PolicyError> {
    let mut all = queries.to_vec();
    let mut open: Vec<usize> = (0..all.len()).collect();
    let mut ends: Vec<Option<RouterStep>> = vec![None; all.len()];
    let mut run = Run {
        calls: Vec::new(),
        decisions: Vec::new(),
        ends: String::new(),
        probes: 0,
        fuel: 0,
        fuel_allowed: 0,
        memory: 0,
        last: Vec::new(),
    };
    while let Some(first) = open.first() {
        if run.calls.len() >= rounds as usize {
            return Err(router.too_many_rounds(all[*first].query.id));
        }
        let batch: Vec<Evidence> = open.iter().map(|index| all[*index].clone()).collect();
        let steps = router.route(&batch)?;
        let usage = router.last_usage();
        if usage.fuel > run.fuel {
            run.fuel = usage.fuel;
            run.fuel_allowed = usage.fuel_allowed;
        }
        run.memory = run.memory.max(usage.memory);
        let mut still = Vec::new();
        for (index, step) in open.iter().zip(&steps) {
            match step {
                RouterStep::Ask(probes) => {
                    run.probes += probes.len();
                    let query = all[*index].query.id;
                    all[*index].observations.extend(probes.iter().map(|probe| found(query, probe, experts)));
                    still.push(*index);
                }
                end => ends[*index] = Some(end.clone()),
            }
        }
        run.calls.push(steps);
        open = still;
    }
    let mut counts = [0_usize; 3];
    for (evidence, end) in all.iter().zip(&ends) {
        match end {
            Some(RouterStep::Choose(_)) => counts[0] += 1,
            Some(RouterStep::Mix(_)) => counts[1] += 1,
            _ => counts[2] += 1,
        }
        run.decisions.push((evidence.query.id, format!("{end:?}")));
    }
    run.ends = format!("{} to an expert, {} mixed, {} to the backbone", counts[0], counts[1], counts[2]);
    run.last = all;
    Ok(run)
}

fn found(query: u64, probe: &RouterProbe, experts: u32) -> RouterObservation {
    let chance = fraction(&format!("{query} {probe:?}"));
    let finding = match probe {
        RouterProbe::Claim(_) => {
            RouterFinding::Claim(Claim { accept: chance * 0.9, reject: (1.0 - chance) * 0.9 })
        }
        RouterProbe::Embedding => RouterFinding::Embedding(unit_vector(1000 + query, DIMENSIONS)),
        RouterProbe::Surprise(_) => RouterFinding::Surprise(4.0 * chance),
        RouterProbe::Answer(_) => {
            RouterFinding::Answer(Answer { text: format!("{query}"), mean_log_probability: -chance })
        }
        RouterProbe::Task => RouterFinding::Task(
            (query % u64::from(experts + 1)).try_into().ok().filter(|task| *task < experts),
        ),
    };
    RouterObservation { probe: probe.clone(), finding }
}
