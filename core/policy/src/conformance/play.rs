//! Findings made up from a seed, and what a play gives. Not a model of anything: only the same every
//! time, and within the ranges that the contract promises.

use cadre_store::Seed;

/// What a play of a policy gave.
pub(super) struct Played {
    /// What it did, for a person.
    pub(super) summary: String,
    /// The same again in fresh instances: the same, or where it differed.
    pub(super) repeated: Option<Result<String, String>>,
    /// The same in other batches: the same, or where it differed.
    pub(super) rearranged: Option<Result<String, String>>,
    /// Most fuel of a call.
    pub(super) fuel: u64,
    /// What that call might have used.
    pub(super) fuel_allowed: u64,
    /// Most memory of an instance, bytes.
    pub(super) memory: u64,
    /// Best time.
    pub(super) microseconds_each: f64,
    /// Of what: `query` or `candidate`.
    pub(super) each: &'static str,
}

/// A number in 0..1 that depends on the label alone.
pub(super) fn fraction(label: &str) -> f32 {
    let drawn = Seed(0).derive(label).0;
    (drawn >> 40) as f32 / (1_u64 << 24) as f32
}

/// A vector of length 1 that depends on the seed alone.
pub(super) fn unit_vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let values: Vec<f32> =
        (0..dimensions).map(|place| fraction(&format!("vector {seed} {place}")) - 0.5).collect();
    let norm = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / norm).collect()
}
