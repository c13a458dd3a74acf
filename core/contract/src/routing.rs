//! Types exchanged with a router: it receives evidence and returns a step. Data only.

use serde::{Deserialize, Serialize};

use crate::ExpertIndex;

/// A query as the router sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Query {
    /// Unique within a run; a query keeps its id in every round.
    pub id: u64,
    /// The prompt the experts see, template included.
    pub prompt: String,
    /// Length of the prompt in backbone tokens.
    pub prompt_tokens: u32,
}

/// A piece of evidence that a router can request about a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouterProbe {
    /// This expert's claim on the query.
    Claim(ExpertIndex),
    /// L2-normalised mean of the backbone's last hidden states over the prompt.
    Embedding,
    /// Mean negative log-likelihood of the prompt, nats per token, under this expert or the backbone.
    Surprise(Option<ExpertIndex>),
    /// A complete answer by this expert or by the backbone.
    Answer(Option<ExpertIndex>),
    /// The expert that learned the query's task. Only where the recipe grants it.
    Task,
}

/// Probabilities of the two indicator tokens at the first response position, over the whole vocabulary, each in 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Claim {
    /// Probability of the accepting token.
    pub accept: f32,
    /// Probability of the rejecting token.
    pub reject: f32,
}

/// A complete answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer {
    /// The text, without its end token.
    pub text: String,
    /// Mean log-probability per generated token, in nats; at most 0.
    pub mean_log_probability: f32,
}

/// The result of a probe; always of the same kind as the probe.
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
    /// Answers [`RouterProbe::Task`]; `None` if no expert has learned the query's task.
    Task(Option<ExpertIndex>),
}

/// A probe and its finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RouterObservation {
    /// The probe.
    pub probe: RouterProbe,
    /// The finding.
    pub finding: RouterFinding,
}

/// All evidence about one query so far, in the order in which it was requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Evidence {
    /// The query.
    pub query: Query,
    /// The probes made so far, with their findings.
    pub observations: Vec<RouterObservation>,
}

/// An expert's share of a mixed answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Share {
    /// The expert.
    pub expert: ExpertIndex,
    /// Finite and not negative; the core normalises by the sum of a step's weights.
    pub weight: f32,
}

/// A router's decision for one query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouterStep {
    /// Run these probes and call the router again.
    Ask(Vec<RouterProbe>),
    /// This expert answers.
    Choose(ExpertIndex),
    /// The backbone answers: no expert takes the query.
    Backbone,
    /// The experts answer together: their adapters are weighted in one forward pass.
    Mix(Vec<Share>),
}
