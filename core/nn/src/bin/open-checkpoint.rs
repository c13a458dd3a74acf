//! Measures the memory needed to open a checkpoint and prints one JSON line: the bytes of its weights in the requested
//! precision, and the peak memory of the process.
//!
//! `cargo run --bin open-checkpoint -- FOLDER --precision bf16`

use std::path::PathBuf;
use std::time::Instant;

use cadre_checkpoint::weight_names;
use cadre_nn::{Allocator, BackendKind, DeviceSpec, Learner, Precision, keep_freed_pages, peak_bytes};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator {};

/// Measures the memory needed to open a checkpoint.
#[derive(Parser)]
struct Arguments {
    /// The checkpoint folder: `config.json` and `model.safetensors`, or shards.
    folder: PathBuf,
    /// f32 or bf16.
    #[arg(long, default_value = "f32")]
    precision: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    keep_freed_pages();
    let arguments = Arguments::parse();
    let (precision, width) = match arguments.precision.as_str() {
        "f32" => (Precision::F32, 4),
        "bf16" => (Precision::Bf16, 2),
        other => return Err(format!("unknown precision {other}: expected f32 or bf16").into()),
    };
    let device =
        DeviceSpec { backend: BackendKind::Cpu, precision, threads: 0, gradient_checkpointing: false };
    let start = Instant::now();
    let learner = Learner::open(&arguments.folder, &device)?;
    let seconds = start.elapsed().as_secs_f64();
    // Norms and biases are f32 on the CPU.
    let bytes = |(_, sizes): (String, Vec<usize>)| {
        sizes.iter().product::<usize>() * if sizes.len() > 1 { width } else { 4 }
    };
    let weights: usize = weight_names(learner.shape()).into_iter().map(bytes).sum();
    let peak = peak_bytes();
    println!(
        "{}",
        serde_json::json!({
            "precision": arguments.precision,
            "weight_bytes": weights,
            "peak_bytes": peak,
            "ratio": (1e3 * peak as f64 / weights as f64).round() / 1e3,
            "seconds": (1e3 * seconds).round() / 1e3,
        })
    );
    Ok(())
}
