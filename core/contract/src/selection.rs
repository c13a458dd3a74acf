//! The words between the core and a selector: candidates go in, picks come out. Data only; nothing
//! here draws, embeds or generates.

use serde::{Deserialize, Serialize};

use crate::ExpertIndex;

/// An example that may be picked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Candidate {
    /// Unique within a call.
    pub id: u64,
    /// Place of its task in the stream.
    pub task: u32,
    /// The task's instruction.
    pub instruction: String,
    /// The example's input field; may be empty.
    pub input: String,
    /// The example's response.
    pub response: String,
    /// Length of prompt and response together, in the backbone's tokens.
    pub tokens: u32,
}

/// What the picks are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// What to keep of a task that was just learned.
    Remember,
    /// What to mix into the training set of the task that comes next.
    Compose,
}

/// What a picked example is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Learn the response.
    Positive,
    /// Learn to reject: the indicator alone.
    Negative,
}

/// What is wanted of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Order {
    /// What the picks are for.
    pub purpose: Purpose,
    /// What the recipe does with rehearsed examples; picks have this role unless the selector has a
    /// view of its own.
    pub role: Role,
    /// Place in the stream of the task that was learned, or that comes next.
    pub task: u32,
    /// How many picks are wanted; `None` means no bound. A selector may miss it a little by rounding.
    pub budget: Option<u32>,
    /// The selector's only source of chance.
    pub seed: u64,
}

/// A text to be sampled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Generation {
    /// What to go on from.
    pub prompt: String,
    /// `None` means the backbone.
    pub expert: Option<ExpertIndex>,
    /// At most so many tokens.
    pub max_new_tokens: u32,
    /// 0 is greedy.
    pub temperature: f32,
    /// Share of the probability that is sampled from, above 0 and at most 1.
    pub top_p: f32,
    /// 1 is none.
    pub repetition_penalty: f32,
    /// Seed of this sample.
    pub seed: u64,
    /// Texts that end the sample.
    pub stop: Vec<String>,
}

/// What a selector can ask the core to find out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectorProbe {
    /// L2-normalised embedding of this candidate's input field (its instruction where that is empty).
    Embedding(u64),
    /// Mean negative log-likelihood of this candidate's response under the newest expert, nats per
    /// token.
    Loss(u64),
    /// Text sampled for a prompt.
    Generate(Generation),
}

/// What the core found out: always of the kind of the probe it answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectorFinding {
    /// Answers [`SelectorProbe::Embedding`].
    Embedding(Vec<f32>),
    /// Answers [`SelectorProbe::Loss`].
    Loss(f32),
    /// Answers [`SelectorProbe::Generate`].
    Generated(String),
}

/// A probe with what it found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SelectorObservation {
    /// What was asked.
    pub probe: SelectorProbe,
    /// What was found.
    pub finding: SelectorFinding,
}

/// An example that a selector made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SyntheticExample {
    /// Place in the stream of the task it stands for.
    pub task: u32,
    /// The task's instruction.
    pub instruction: String,
    /// The input field.
    pub input: String,
    /// The response.
    pub response: String,
}

/// Where a picked example is from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A candidate, by its id.
    Existing(u64),
    /// Made by the selector.
    Synthetic(SyntheticExample),
}

/// An example that was picked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pick {
    /// Which one.
    pub source: Source,
    /// What it is for.
    pub role: Role,
    /// Multiplies the example's loss: finite, not negative, usually 1.
    pub weight: f32,
}

/// What a selector wants done next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectorStep {
    /// Find these out and ask again.
    Ask(Vec<SelectorProbe>),
    /// These are the picks.
    Done(Vec<Pick>),
}
