//! Input of the diagnosis beyond the report: single queries with their claims, and the training of experts. The engine fills it
//! in.

/// The data of a diagnosis that `report.json` does not contain.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunEvidence {
    /// Queries of the stream at the last stage.
    pub queries: Vec<QueryEvidence>,
    /// Queries from outside the stream.
    pub outside: Vec<QueryEvidence>,
    /// The experts, in the order trained; claims refer to them by index.
    pub experts: Vec<ExpertEvidence>,
    /// Form of the indicators; `None` where experts make no claims.
    pub indicator: Option<IndicatorForm>,
}

/// One query and its answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryEvidence {
    /// True task, counted from 0; `None` is from outside.
    pub task: Option<usize>,
    /// All claims on it.
    pub claims: Vec<ClaimEvidence>,
    /// The expert that answered; `None` is the backbone, or the one adapter of a run without routing.
    pub chosen: Option<usize>,
    /// Score of the answer by the task's first metric, 0..=100; `None` where it was not scored.
    pub score: Option<f64>,
    /// Whether the answer was empty.
    pub empty: bool,
    /// The answer; `None` where its text was not recorded.
    pub answer: Option<String>,
    /// The first reference answer, where the answer was recorded.
    pub reference: Option<String>,
    /// Score of the answer that its own task's expert gave at any stage, 0..=100; `None` where unknown.
    pub by_own_expert: Option<f64>,
    /// Score of the answer that the backbone gave at any stage, 0..=100; `None` where unknown.
    pub by_backbone: Option<f64>,
}

impl QueryEvidence {
    /// The claim of an expert on it.
    pub(super) fn claim(&self, expert: usize) -> Option<&ClaimEvidence> {
        self.claims.iter().find(|claim| claim.expert == expert)
    }
}

/// The claim of one expert on one query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClaimEvidence {
    /// The expert.
    pub expert: usize,
    /// Probability of the accepting indicator over the whole vocabulary, 0..=1.
    pub accept: f64,
    /// Probability of the rejecting indicator over the whole vocabulary, 0..=1.
    pub reject: f64,
}

/// Training data and training of an expert.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpertEvidence {
    /// Name of its task, or of the stream.
    pub name: String,
    /// Its training set; `None` for an imported expert.
    pub composition: Option<Composition>,
    /// Its training; `None` for an imported expert.
    pub training: Option<TrainingEvidence>,
}

/// Composition of a training set, in examples.
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
    /// Number of a task's examples to reject.
    pub(super) fn of(&self, task: usize) -> u64 {
        self.negatives.get(task).copied().unwrap_or(0)
    }

    /// Number of all examples to reject.
    pub(super) fn total(&self) -> u64 {
        self.negatives.iter().sum::<u64>() + self.outside
    }
}

/// Course of a training.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrainingEvidence {
    /// Loss of every optimizer step, nats per token.
    pub losses: Vec<f64>,
    /// Number of warm-up steps.
    pub warmup: u64,
}

/// Form of the indicators for the tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndicatorForm {
    /// New tokens, absent from the pretraining of the backbone.
    NewToken,
    /// Tokens of the vocabulary of the backbone.
    ExistingToken,
    /// Arbitrary text.
    Text,
}
