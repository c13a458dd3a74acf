//! Inputs and outputs of inference: rows, decoding settings, answers.

use crate::adapter::ExpertSlot;

/// The model that answers a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Answerer {
    /// The backbone alone.
    Backbone,
    /// The backbone with one expert.
    Expert(ExpertSlot),
    /// The backbone with a weighted sum of experts' updates. Weights are used as given, without normalisation.
    Mix(Vec<(ExpertSlot, f32)>),
}

/// A prompt and the model that answers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Token ids, at least one.
    pub ids: Vec<u32>,
    /// The model that answers.
    pub answerer: Answerer,
}

/// A row whose tokens are scored from an index on.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredRow {
    /// The row.
    pub row: Row,
    /// Index of the first scored token, from 1 to the last index. The first token of a row has no predecessor and
    /// cannot be scored.
    pub from: usize,
}

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    /// The most probable token; ties go to the lowest id.
    Greedy,
    /// A token sampled from the distribution.
    Sample {
        /// Divisor of the logits, above 0.
        temperature: f32,
        /// Probability mass of the most probable tokens to sample from (Holtzman et al. 2020): above 0, up to 1.
        top_p: f32,
        /// Divides positive and multiplies negative logits of tokens that are already in the row (Keskar et al. 2019),
        /// above 0; 1 has no effect.
        repetition_penalty: f32,
    },
}

/// Settings of generation.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoding {
    /// Maximum number of tokens in an answer.
    pub max_new_tokens: usize,
    /// Ids that end an answer; they are not part of it.
    pub stop: Vec<u32>,
    /// How tokens are chosen.
    pub strategy: Strategy,
    /// Seeds by row. A row without one uses its index as the seed. An answer does not depend on the other rows.
    pub seeds: Vec<u64>,
    /// Maximum number of rows computed together, at least 1.
    pub batch: usize,
}

/// A generated answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Token ids of the answer, without the stop id.
    pub ids: Vec<u32>,
    /// Mean log-probability of the chosen tokens, including the stop id, under the model's own distribution (before
    /// temperature and penalties); 0 for an answer without tokens.
    pub mean_log_probability: f32,
    /// Whether a stop id ended the answer, rather than the token limit or the context.
    pub stopped: bool,
}
