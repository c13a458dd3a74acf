//! What a diagnosis looks at beyond the report: single queries with their claims, and how experts were trained. Plain values;
//! whoever runs the study fills them in.

/// Everything a diagnosis reads that `report.json` does not hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunEvidence {
    /// Queries of the stream at the last stage.
    pub queries: Vec<QueryEvidence>,
    /// Queries from outside the stream.
    pub outside: Vec<QueryEvidence>,
    /// The experts, in the order trained; a claim names them by their index.
    pub experts: Vec<ExpertEvidence>,
    /// What indicators are to the tokenizer; `None` where experts claim nothing.
    pub indicator: Option<IndicatorForm>,
}

/// One query and what became of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryEvidence {
    /// True task, counted from 0; `None` is from outside.
    pub task: Option<usize>,
    /// Every claim that was made of it.
    pub claims: Vec<ClaimEvidence>,
    /// The expert that answered; `None` is the backbone, or the one adapter of a run without routing.
    pub chosen: Option<usize>,
    /// Score of the answer by the task's first metric, 0..=100; `None` where it was not scored.
    pub score: Option<f64>,
    /// Whether the answer was empty.
    pub empty: bool,
    /// Score of the answer that its own task's expert gave at any stage, 0..=100; `None` where that is not known.
    pub by_own_expert: Option<f64>,
    /// Score of the answer that the backbone gave at any stage, 0..=100; `None` where that is not known.
    pub by_backbone: Option<f64>,
}

impl QueryEvidence {
    /// What an expert claims of it.
    pub(super) fn claim(&self, expert: usize) -> Option<&ClaimEvidence> {
        self.claims.iter().find(|claim| claim.expert == expert)
    }
}

/// What one expert claims of one query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClaimEvidence {
    /// The expert.
    pub expert: usize,
    /// Probability of the accepting indicator over the whole vocabulary, 0..=1.
    pub accept: f64,
    /// Probability of the rejecting indicator over the whole vocabulary, 0..=1.
    pub reject: f64,
}

/// How an expert was made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpertEvidence {
    /// Name of its task, or of the stream.
    pub name: String,
    /// Its training set; `None` for an imported expert.
    pub composition: Option<Composition>,
    /// Its training; `None` for an imported expert.
    pub training: Option<TrainingEvidence>,
}

/// What a training set is made of, in examples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composition {
    /// Examples to answer.
    pub own: u64,
    /// Examples to reject, by task of the stream (its index); shorter than the stream where the rest is 0.
    pub negatives: Vec<u64>,
    /// Examples to reject from outside the stream.
    pub outside: u64,
}

impl Composition {
    /// Examples of a task to reject.
    pub(super) fn of(&self, task: usize) -> u64 {
        self.negatives.get(task).copied().unwrap_or(0)
    }

    /// All examples to reject.
    pub(super) fn total(&self) -> u64 {
        self.negatives.iter().sum::<u64>() + self.outside
    }
}

/// How a training went.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingEvidence {
    /// Loss of every optimizer step, nats per token.
    pub losses: Vec<f64>,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
}

/// What indicators are to the tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndicatorForm {
    /// Tokens that the backbone has never seen.
    NewToken,
    /// Tokens of its vocabulary.
    ExistingToken,
    /// Any text.
    Text,
}
