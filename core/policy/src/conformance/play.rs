//! Findings generated from a seed, and the result of a simulation. The findings model nothing: they are reproducible,
//! and within the ranges that the contract guarantees.

use cadre_store::Seed;

/// Result of simulating the core for a policy.
pub(super) struct Played {
    /// Summary of the policy's decisions, as text.
    pub(super) summary: String,
    /// Whether fresh instances gave the same results, or where they differed.
    pub(super) repeated: Option<Result<String, String>>,
    /// Whether other batches gave the same results, or where they differed.
    pub(super) rearranged: Option<Result<String, String>>,
    /// Maximum fuel used by a call.
    pub(super) fuel: u64,
    /// Fuel limit of that call.
    pub(super) fuel_allowed: u64,
    /// Maximum memory used by an instance, bytes.
    pub(super) memory: u64,
    /// Best time per unit.
    pub(super) microseconds_each: f64,
    /// The unit: `query` or `candidate`.
    pub(super) each: &'static str,
}

/// A number in 0..1 that depends only on the label.
pub(super) fn fraction(label: &str) -> f32 {
    let drawn = Seed(0).derive(label).0;
    (drawn >> 40) as f32 / (1_u64 << 24) as f32
}

/// A unit vector that depends only on the seed.
pub(super) fn unit_vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let values: Vec<f32> =
        (0..dimensions).map(|index| fraction(&format!("vector {seed} {index}")) - 0.5).collect();
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / norm).collect()
}
