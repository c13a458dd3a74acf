//! Measures the cost of a routing call and of a load: `cargo run --example route_bench [FILE]` in the repository's
//! root. Prints one JSON line. Routes batches of queries with 10 experts whose claims are all known: the largest amount
//! of evidence that the router `see` reads. Times are CPU time, not wall-clock time.

use std::path::PathBuf;

use cadre_contract::{Claim, Evidence, ExpertCard, Query, RouterFinding, RouterObservation, RouterProbe};
use cadre_policy::{Limits, LoadedFrom, PolicyError, Router, Sandbox};
use serde_json::{Value, json};

const BATCHES: [u64; 3] = [1, 64, 256];
const EXPERTS: u32 = 10;
const CALLS: usize = 2_000;
const LOADS: usize = 100;
const PROMPT_BYTES: usize = 400;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os().nth(1).map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/see/see.wasm")),
        PathBuf::from,
    );
    let folder = tempfile::tempdir()?;
    let sandbox = Sandbox::new(&folder.path().join("compiled"), Limits::default())?;
    let start = std::time::Instant::now();
    let plugin = sandbox.load(&file)?;
    // Wall-clock time: the compiler has its own threads.
    let compile = start.elapsed().as_secs_f64();
    assert_eq!(plugin.loaded_from(), LoadedFrom::Compilation);
    let mut loads = Vec::with_capacity(LOADS);
    for _ in 0..LOADS {
        let start = processor_seconds();
        let plugin = sandbox.load(&file)?;
        loads.push(processor_seconds() - start);
        assert_eq!(plugin.loaded_from(), LoadedFrom::Cache);
    }
    let mut router = plugin.router("{}", &cards())?;
    let mut batches = Vec::new();
    for queries in BATCHES {
        let mut calls = timed(&mut router, &batch(queries))?;
        let each = 1e6 / queries as f64;
        batches.push(json!({ "queries": queries, "microseconds-a-query": spread(&mut calls, each) }));
    }
    let line = json!({
        "benchmark": "route",
        "plugin": plugin.description().name,
        "digest": plugin.digest().short(),
        "experts": EXPERTS,
        "prompt-bytes": PROMPT_BYTES,
        "calls": CALLS,
        "batches": batches,
        "load-milliseconds": { "compiled": round(compile * 1e3), "cached": spread(&mut loads, 1e3) },
    });
    println!("{line}");
    Ok(())
}

/// CPU seconds of each of many calls.
fn timed(router: &mut Router, batch: &[Evidence]) -> Result<Vec<f64>, PolicyError> {
    let mut calls = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = processor_seconds();
        let steps = router.route(batch)?;
        calls.push(processor_seconds() - start);
        assert_eq!(steps.len(), batch.len());
    }
    Ok(calls)
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

/// No expert accepts, so the router reads every claim.
fn batch(queries: u64) -> Vec<Evidence> {
    (0..queries)
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

fn spread(seconds: &mut [f64], unit: f64) -> Value {
    seconds.sort_by(f64::total_cmp);
    let at = |part: f64| round(seconds[(part * (seconds.len() - 1) as f64) as usize] * unit);
    json!({ "best": at(0.0), "median": at(0.5), "p90": at(0.9), "p99": at(0.99) })
}

fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// CPU time of this thread so far.
fn processor_seconds() -> f64 {
    #[repr(C)]
    struct Timespec {
        seconds: std::ffi::c_long,
        nanoseconds: std::ffi::c_long,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: std::ffi::c_int, time: *mut Timespec) -> std::ffi::c_int;
    }
    /// `CLOCK_THREAD_CPUTIME_ID`.
    #[cfg(target_os = "linux")]
    const CLOCK: std::ffi::c_int = 3;
    #[cfg(target_os = "macos")]
    const CLOCK: std::ffi::c_int = 16;
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    // SAFETY: POSIX function; `time` is its `struct timespec` and outlives the call.
    let done = unsafe { clock_gettime(CLOCK, &mut time) };
    assert_eq!(done, 0, "this machine cannot measure a thread's CPU time");
    time.seconds as f64 + time.nanoseconds as f64 * 1e-9
}
