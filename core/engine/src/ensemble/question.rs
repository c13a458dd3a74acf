//! What can be asked about one query, and who would have to answer. The engine's form of a router's
//! probe: the truth about a query's task is not among them, for no model knows it.

use cadre_contract::RouterProbe;
use cadre_store::Digest;

/// One query of an evaluation, in the forms that the ensemble needs.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// Unique within one routing: its place in the batch.
    pub(crate) id: u64,
    /// What the experts see, template included.
    pub(crate) prompt: String,
    /// The prompt in tokens, as it goes into the model.
    pub(crate) ids: Vec<u32>,
    /// Digest of `ids`: two examples with one prompt are one query.
    pub(crate) digest: Digest,
    /// The expert that learned the query's task; none where no expert did.
    pub(crate) expert: Option<u32>,
}

impl Query {
    /// A query of these tokens.
    pub(crate) fn new(id: u64, prompt: String, ids: Vec<u32>, expert: Option<u32>) -> Self {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for token in &ids {
            bytes.extend_from_slice(&token.to_le_bytes());
        }
        Self { id, prompt, digest: Digest::of_bytes(&bytes), ids, expert }
    }
}

/// Who gives an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Responder {
    /// No adapter.
    Backbone,
    /// One expert, by its index.
    Expert(u32),
    /// Several experts in one pass: index and the bits of its weight, weights summing to 1.
    Mix(Vec<(u32, u32)>),
}

impl Responder {
    /// The one expert that counts as having been chosen: in a mix, the heaviest (the older of two equal
    /// ones).
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

    /// The shares of a mix; empty where one answers alone.
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

/// The kinds of question; all questions of one kind are answered in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Probabilities of the two indicators.
    Claim,
    /// L2-normalised mean of the backbone's last hidden states.
    Embedding,
    /// Mean negative log-likelihood of the prompt, nats per token.
    Surprise,
    /// A finished answer.
    Answer,
}

impl Kind {
    /// All kinds, in the order in which a round answers them: cheap ones first.
    pub(crate) const ALL: [Self; 4] = [Self::Embedding, Self::Claim, Self::Surprise, Self::Answer];

    /// The kind's name in keys and messages.
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
    /// What is asked.
    pub(crate) kind: Kind,
    /// Who is asked.
    pub(crate) responder: Responder,
}

impl Question {
    /// A finished answer of this responder.
    pub(crate) fn answer(responder: Responder) -> Self {
        Self { kind: Kind::Answer, responder }
    }

    /// The question behind a router's probe; none for the one that asks for the truth.
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
