//! What a routing call and a load cost: `cargo run -p cadre-policy --example route_bench [FILE]`.
//! Prints one JSON line. Routes a batch of 256 queries with 10 experts whose claims are all known, the
//! most that the router `see` ever looks at.

use std::path::PathBuf;
use std::time::Instant;

use cadre_policy::{Limits, LoadedFrom, Sandbox};
use cadre_wall::{Claim, Evidence, ExpertCard, Query, RouterFinding, RouterObservation, RouterProbe};

const BATCH: u64 = 256;
const EXPERTS: u32 = 10;
const CALLS: usize = 2_000;
const LOADS: usize = 50;
const PROMPT_BYTES: usize = 400;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os().nth(1).map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/see/see.wasm")),
        PathBuf::from,
    );
    let folder = tempfile::tempdir()?;
    let cache = folder.path().join("compiled");
    let sandbox = Sandbox::new(&cache, Limits::default())?;

    let start = Instant::now();
    let compiled = sandbox.load(&file)?;
    let compile = start.elapsed();
    assert_eq!(compiled.loaded_from(), LoadedFrom::Compilation);
    let mut loads = Vec::with_capacity(LOADS);
    for _ in 0..LOADS {
        let start = Instant::now();
        let plugin = sandbox.load(&file)?;
        loads.push(start.elapsed().as_secs_f64());
        assert_eq!(plugin.loaded_from(), LoadedFrom::Cache);
    }

    let mut router = compiled.router("{}", &cards())?;
    let batch = batch();
    let mut calls = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        let steps = router.route(&batch)?;
        calls.push(start.elapsed().as_secs_f64());
        assert_eq!(steps.len(), batch.len());
    }
    let one = &batch[..1];
    let mut single = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        router.route(one)?;
        single.push(start.elapsed().as_secs_f64());
    }
    let query = |seconds: f64| seconds * 1e6 / BATCH as f64;
    let line = serde_json::json!({
        "benchmark": "route",
        "plugin": compiled.description().name,
        "digest": compiled.digest().short(),
        "batch": BATCH,
        "experts": EXPERTS,
        "prompt-bytes": PROMPT_BYTES,
        "microseconds-per-query": { "best": query(best(&calls)), "median": query(median(&mut calls)) },
        "microseconds-per-call-of-one": { "best": best(&single) * 1e6, "median": median(&mut single) * 1e6 },
        "load-milliseconds": {
            "compiled": compile.as_secs_f64() * 1e3,
            "cached-best": best(&loads) * 1e3,
            "cached-median": median(&mut loads) * 1e3,
        },
    });
    println!("{line}");
    Ok(())
}

fn cards() -> Vec<ExpertCard> {
    (0..EXPERTS)
        .map(|index| ExpertCard {
            index,
            task: format!("task-{index}"),
            training_examples: 200,
            parameters: 100_000,
            descriptors: vec![],
        })
        .collect()
}

/// No expert accepts, so the router looks at every claim.
fn batch() -> Vec<Evidence> {
    (0..BATCH)
        .map(|id| Evidence {
            query: Query { id, prompt: "x".repeat(PROMPT_BYTES), prompt_tokens: 100 },
            observations: (0..EXPERTS)
                .rev()
                .map(|expert| RouterObservation {
                    probe: RouterProbe::Claim(expert),
                    finding: RouterFinding::Claim(Claim { accept: 0.1, reject: 0.8 }),
                })
                .collect(),
        })
        .collect()
}

fn best(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
