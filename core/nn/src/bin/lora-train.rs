//! Measures training throughput on random ids and prints one JSON line with the fields of `peer_lora_train.py`: tokens
//! per second (median over the steps), peak memory, loss. Writes no expert.
//!
//! `cargo run --release --package cadre-nn --bin lora-train -- --shape tiny --batch 16 --seq 128 --steps 10 --threads
//! 2`

use std::time::Instant;

use cadre_checkpoint::{BackboneShape, Target, Variation};
use cadre_data::TokenExample;
use cadre_nn::{
    AdapterSpec, Allocator, BackendKind, DeviceSpec, Flow, Learner, Length, NnError, Precision, Schedule,
    StepReport, TrainingControl, TrainingSpec, keep_freed_pages, peak_bytes,
};
use clap::Parser;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator {};

/// Measures training throughput.
#[derive(Parser)]
struct Arguments {
    /// tiny, small, smollm-135m; or hidden,layers,heads,kv-heads,feed-forward,vocabulary
    #[arg(long, default_value = "tiny")]
    shape: String,
    /// Rows per step.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Tokens per row.
    #[arg(long, default_value_t = 128)]
    seq: usize,
    /// Measured steps.
    #[arg(long, default_value_t = 10)]
    steps: u64,
    /// Steps before the measured ones.
    #[arg(long, default_value_t = 3)]
    warmup: u64,
    /// Rank of the low-rank updates.
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// Projections to update.
    #[arg(long, default_value = "q,v")]
    targets: String,
    /// Threads; 0 means one per core.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Rows per micro-batch; 0 means automatic.
    #[arg(long, default_value_t = 0)]
    micro_batch: usize,
    /// Fraction of the tokens that have a loss, from the end of a row. With 1 the measurement matches the peer's.
    #[arg(long, default_value_t = 1.0)]
    loss_share: f64,
    /// Train the whole backbone instead of an expert.
    #[arg(long)]
    pretrain: bool,
    /// Keep only the input of each layer and recompute the rest in the backward pass.
    #[arg(long)]
    gradient_checkpointing: bool,
    /// cpu, ndarray or cuda.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// f32 or bf16.
    #[arg(long, default_value = "f32")]
    dtype: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    keep_freed_pages();
    let arguments = Arguments::parse();
    let shape = shape(&arguments)?;
    let device = DeviceSpec {
        backend: match arguments.device.as_str() {
            "cpu" => BackendKind::Cpu,
            "ndarray" => BackendKind::NdArray,
            "cuda" => BackendKind::Cuda(0),
            other => return Err(format!("unknown device {other}: expected cpu, ndarray or cuda").into()),
        },
        precision: match arguments.dtype.as_str() {
            "f32" => Precision::F32,
            "bf16" => Precision::Bf16,
            other => return Err(format!("unknown dtype {other}: expected f32 or bf16").into()),
        },
        threads: arguments.threads,
        gradient_checkpointing: arguments.gradient_checkpointing,
    };
    let steps = arguments.warmup + arguments.steps;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let given = ((1.0 - arguments.loss_share) * arguments.seq as f64) as usize;
    let examples: Vec<TokenExample> = (0..steps as usize * arguments.batch)
        .map(|_| {
            let ids: Vec<u32> =
                (0..arguments.seq).map(|_| rng.random_range(0..shape.vocabulary as u32)).collect();
            TokenExample::new(ids[..given].to_vec(), &ids[given..])
        })
        .collect();
    let training = TrainingSpec {
        length: Length::Steps(steps),
        batch: arguments.batch,
        accumulate: 1,
        micro_batch: arguments.micro_batch,
        learning_rate: 2e-4,
        schedule: Schedule::Constant,
        warmup: 0,
        gradient_clip: 1.0,
        weight_decay: 0.01,
        seed: 0,
        checkpoint_every: 0,
    };
    let out = std::env::temp_dir().join(format!("cadre-lora-train-{}", std::process::id()));
    let (times, loss) = measure(&arguments, &shape, &device, &examples, &training, &out)?;
    std::fs::remove_dir_all(&out)?;

    let mut times: Vec<f64> = times.into_iter().skip(arguments.warmup as usize).collect();
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    let median = if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 };
    let round = |value: f64, digits: f64| (value * digits).round() / digits;
    println!(
        "{}",
        serde_json::json!({
            "cadre": format!("cadre-nn {}", env!("CARGO_PKG_VERSION")),
            "trains": if arguments.pretrain { "backbone" } else { "expert" },
            "shape": arguments.shape,
            "batch": arguments.batch,
            "seq": arguments.seq,
            "dtype": arguments.dtype,
            "device": arguments.device,
            "threads": arguments.threads,
            "gradient_checkpointing": arguments.gradient_checkpointing,
            "loss_share": arguments.loss_share,
            "tokens_per_second": round((arguments.batch * arguments.seq) as f64 / median, 10.0),
            "step_ms": round(1e3 * median, 100.0),
            "peak_bytes": peak_bytes(),
            "loss": loss,
        })
    );
    Ok(())
}

/// Seconds per step, and the last loss.
fn measure(
    arguments: &Arguments,
    shape: &BackboneShape,
    device: &DeviceSpec,
    examples: &[TokenExample],
    training: &TrainingSpec,
    out: &std::path::Path,
) -> Result<(Vec<f64>, f32), NnError> {
    let mut times = Vec::new();
    let mut last = Instant::now();
    let mut on_step = |_: &StepReport| {
        times.push(last.elapsed().as_secs_f64());
        last = Instant::now();
        Flow::Go
    };
    let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
    let outcome = if arguments.pretrain {
        Learner::pretrain(shape, examples, training, &mut control, out, device)?
    } else {
        let learner = Learner::untrained(shape, 0, device)?;
        let spec = AdapterSpec {
            rank: arguments.rank,
            alpha: 2.0 * arguments.rank as f64,
            dropout: 0.0,
            targets: targets(&arguments.targets),
            added_tokens: 0,
            added_start: Vec::new(),
            seed: 0,
            ..AdapterSpec::default()
        };
        learner.train_expert(&spec, None, examples, training, &mut control, out)?
    };
    Ok((times, outcome.losses.last().map_or(f32::NAN, |(_, loss)| *loss)))
}

fn shape(arguments: &Arguments) -> Result<BackboneShape, Box<dyn std::error::Error>> {
    let (sizes, tied) = match arguments.shape.as_str() {
        "tiny" => ([256, 6, 4, 2, 704, 4096], false),
        "small" => ([128, 4, 4, 2, 352, 1024], false),
        "smollm-135m" => ([576, 30, 9, 3, 1536, 49152], true),
        other => {
            let sizes: Vec<usize> = other.split(',').map(str::parse).collect::<Result<_, _>>()?;
            let sizes: [usize; 6] = sizes.try_into().map_err(|_| "six sizes make a shape")?;
            (sizes, false)
        }
    };
    let [hidden, layers, heads, kv_heads, feed_forward, vocabulary] = sizes;
    Ok(BackboneShape {
        vocabulary,
        hidden,
        layers,
        heads,
        kv_heads,
        feed_forward,
        context: arguments.seq.max(512),
        tied,
        rope_theta: 10_000.0,
        norm_epsilon: 1e-6,
        variation: Variation::default(),
    })
}

fn targets(names: &str) -> Vec<Target> {
    let all = [
        ("q", Target::Q),
        ("k", Target::K),
        ("v", Target::V),
        ("o", Target::O),
        ("gate", Target::Gate),
        ("up", Target::Up),
        ("down", Target::Down),
    ];
    let named = |name: &&str| {
        all.iter().find(|(known, _)| known == &name.trim_end_matches("_proj")).map(|(_, target)| *target)
    };
    names.split(',').collect::<Vec<_>>().iter().filter_map(named).collect()
}
