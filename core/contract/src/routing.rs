//! The words between the core and a router: evidence goes in, a step comes out. Data only; nothing
//! here computes a probe or follows a step.

use serde::{Deserialize, Serialize};

use crate::ExpertIndex;

/// A query as a router sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Query {
    /// Unique within a run; the same query has the same number in every round.
    pub id: u64,
    /// What the experts see, template included.
    pub prompt: String,
    /// Its length in the backbone's tokens.
    pub prompt_tokens: u32,
}

/// What a router can ask the core to find out about a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouterProbe {
    /// This expert's own claim on the query.
    Claim(ExpertIndex),
    /// L2-normalised mean of the backbone's last hidden states over the prompt.
    Embedding,
    /// Mean negative log-likelihood of the prompt, nats per token, under this expert or the backbone.
    Surprise(Option<ExpertIndex>),
    /// A finished answer of this expert or of the backbone.
    Answer(Option<ExpertIndex>),
    /// Which expert learned the query's task. Only where the recipe grants it.
    Task,
}

/// Probabilities of the two indicator tokens at the first position of the response, over the whole
/// vocabulary, each in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claim {
    /// Of the token that accepts.
    pub accept: f32,
    /// Of the token that rejects.
    pub reject: f32,
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer {
    /// The text, without its end token.
    pub text: String,
    /// Nats per generated token, at most 0.
    pub mean_log_probability: f32,
}

/// What the core found out: always of the kind of the probe it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouterFinding {
    /// Answers [`RouterProbe::Claim`].
    Claim(Claim),
    /// Answers [`RouterProbe::Embedding`].
    Embedding(Vec<f32>),
    /// Answers [`RouterProbe::Surprise`].
    Surprise(f32),
    /// Answers [`RouterProbe::Answer`].
    Answer(Answer),
    /// Answers [`RouterProbe::Task`]; `None` where no expert has learned the query's task.
    Task(Option<ExpertIndex>),
}

/// A probe with what it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RouterObservation {
    /// What was asked.
    pub probe: RouterProbe,
    /// What was found.
    pub finding: RouterFinding,
}

/// All that is known of one query so far, in the order in which it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Evidence {
    /// The query.
    pub query: Query,
    /// What is known of it.
    pub observations: Vec<RouterObservation>,
}

/// An expert's part in a common answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Share {
    /// The expert.
    pub expert: ExpertIndex,
    /// Finite and not negative; the core divides by the sum of a step's weights.
    pub weight: f32,
}

/// What a router wants done next for one query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouterStep {
    /// Find these out and ask again.
    Ask(Vec<RouterProbe>),
    /// This expert answers.
    Choose(ExpertIndex),
    /// The backbone answers: no expert takes the query.
    Backbone,
    /// Experts answer together, their adapters weighted in one forward pass.
    Mix(Vec<Share>),
}
