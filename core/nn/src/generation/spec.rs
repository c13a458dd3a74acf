//! What is asked of a model and what comes back: rows, decoding, answers. It computes nothing.

use crate::adapter::ExpertSlot;

/// Who answers a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Answerer {
    /// The backbone alone.
    Backbone,
    /// One expert on the backbone.
    Expert(ExpertSlot),
    /// A weighted sum of experts' updates on the backbone; weights are used as given.
    Mix(Vec<(ExpertSlot, f32)>),
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Token ids, at least one.
    pub ids: Vec<u32>,
    /// Who answers.
    pub answerer: Answerer,
}

/// A row and the place from which its tokens are scored.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredRow {
    /// The row.
    pub row: Row,
    /// Index of the first scored token, 1 up to the last index. The first token of a row has
    /// nothing before it and cannot be scored.
    pub from: usize,
}

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    /// The most probable token; the lowest id among equals.
    Greedy,
    /// A random token.
    Sample {
        /// Divides the logits: above 0.
        temperature: f32,
        /// Keeps the most probable tokens up to this mass (Holtzman et al. 2020): above 0, up to 1.
        top_p: f32,
        /// Divides positive and multiplies negative logits of tokens already in the row (Keskar
        /// et al. 2019): 1 changes nothing.
        repetition_penalty: f32,
    },
}

/// How answers are generated.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoding {
    /// Most tokens an answer has.
    pub max_new_tokens: usize,
    /// Ids that end an answer; they are not part of it.
    pub stop: Vec<u32>,
    /// How tokens are chosen.
    pub strategy: Strategy,
    /// Seed of a row's choices: row i uses the i-th. Fewer seeds than rows, or none: the row's
    /// index is its seed. An answer does not depend on the other rows.
    pub seeds: Vec<u64>,
    /// Rows computed together, at least 1.
    pub batch: usize,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Ids of the answer, without the id that ended it.
    pub ids: Vec<u32>,
    /// Mean log-probability of the chosen tokens, the ending one included, under the model's own
    /// distribution (before temperature and penalties); 0 for an answer of no token.
    pub mean_log_probability: f32,
    /// Whether a stop id ended it, not the limit or the context.
    pub stopped: bool,
}
