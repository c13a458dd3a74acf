//! Questions about a query, and the responder they are put to: the engine's form of a router's probe. The true task is
//! not among them, since it is not computed by a model.

use cadre_contract::RouterProbe;
use cadre_store::Digest;

/// A query of an evaluation, in the forms that the ensemble needs.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Index in the batch; unique within one routing.
    pub(crate) id: u64,
    /// The prompt that experts see, template included.
    pub(crate) prompt: String,
    /// The prompt's token ids, as passed to the model.
    pub(crate) ids: Vec<u32>,
    /// Digest of `ids`: two examples with the same prompt are the same query.
    pub(crate) digest: Digest,
    /// The expert that learned the query's task, if there is one.
    pub(crate) expert: Option<u32>,
}

impl Query {
    /// A query with these token ids.
    pub(crate) fn new(id: u64, prompt: String, ids: Vec<u32>, expert: Option<u32>) -> Self {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for token in &ids {
            bytes.extend_from_slice(&token.to_le_bytes());
        }
        Self { id, prompt, digest: Digest::of_bytes(&bytes), ids, expert }
    }
}

/// The model that responds: backbone, expert or mixture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Responder {
    /// The backbone without an adapter.
    Backbone,
    /// One expert, by index.
    Expert(u32),
    /// Several experts in one pass: index and bits of the weight; weights sum to 1.
    Mix(Vec<(u32, u32)>),
}

impl Responder {
    /// The expert that counts as chosen: in a mixture, the one with the largest weight (the older one in a tie).
    pub(crate) fn chosen(&self) -> Option<u32> {
        match self {
            Self::Backbone => None,
            Self::Expert(index) => Some(*index),
            Self::Mix(shares) => {
                let mut best: Option<(u32, f32)> = None;
                for &(index, bits) in shares {
                    let weight = f32::from_bits(bits);
                    if best.is_none_or(|(_, heaviest)| weight > heaviest) {
                        best = Some((index, weight));
                    }
                }
                best.map(|(index, _)| index)
            }
        }
    }

    /// The shares of a mixture; empty for a single responder.
    pub(crate) fn shares(&self) -> Vec<(u32, f32)> {
        match self {
            Self::Mix(shares) => shares.iter().map(|&(index, bits)| (index, f32::from_bits(bits))).collect(),
            Self::Backbone | Self::Expert(_) => Vec::new(),
        }
    }

    fn of(expert: Option<u32>) -> Self {
        expert.map_or(Self::Backbone, Self::Expert)
    }
}

/// Kinds of questions; all questions of one kind are answered in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Probabilities of the two indicator tokens.
    Claim,
    /// L2-normalised mean of the backbone's last hidden states.
    Embedding,
    /// Mean negative log-likelihood of the prompt, nats per token.
    Surprise,
    /// A complete answer.
    Answer,
}

impl Kind {
    /// All kinds, in the order in which a round answers them: cheapest first.
    pub(crate) const ALL: [Self; 4] = [Self::Embedding, Self::Claim, Self::Surprise, Self::Answer];

    /// Name of the kind in keys and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Embedding => "embedding",
            Self::Surprise => "surprise",
            Self::Answer => "answer",
        }
    }
}

/// A question about a query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Question {
    /// Kind of the question.
    pub(crate) kind: Kind,
    /// The model that responds.
    pub(crate) responder: Responder,
}

impl Question {
    /// Asks for a complete answer by this responder.
    pub(crate) fn answer(responder: Responder) -> Self {
        Self { kind: Kind::Answer, responder }
    }

    /// The question for a router's probe; `None` for the true task.
    pub(crate) fn of(probe: &RouterProbe) -> Option<Self> {
        let (kind, responder) = match probe {
            RouterProbe::Claim(expert) => (Kind::Claim, Responder::Expert(*expert)),
            RouterProbe::Embedding => (Kind::Embedding, Responder::Backbone),
            RouterProbe::Surprise(expert) => (Kind::Surprise, Responder::of(*expert)),
            RouterProbe::Answer(expert) => (Kind::Answer, Responder::of(*expert)),
            RouterProbe::Task => return None,
        };
        Some(Self { kind, responder })
    }
}
