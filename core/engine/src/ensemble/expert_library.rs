//! The expert library: the experts of a run, mounted on one backbone, with their cards. Index i is the i-th expert
//! learned.

use cadre_contract::ExpertCard;
use cadre_nn::{Answerer, ExpertSlot};
use cadre_store::Digest;

use super::question::Responder;

/// A mounted expert.
#[derive(Debug, Clone)]
pub(crate) struct MountedExpert {
    /// Metadata for routers.
    pub(crate) card: ExpertCard,
    /// Key of the artifact with its weights.
    pub(crate) key: Digest,
    /// Slot in the learner.
    pub(crate) slot: ExpertSlot,
}

/// All experts, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExpertLibrary {
    experts: Vec<MountedExpert>,
}

impl ExpertLibrary {
    /// A library of these experts, oldest first.
    pub(crate) fn new(experts: Vec<MountedExpert>) -> Self {
        Self { experts }
    }

    /// Number of experts.
    pub(crate) fn len(&self) -> u32 {
        // Bounded by the number of tasks in a recipe.
        self.experts.len() as u32
    }

    /// Cards in index order.
    pub(crate) fn cards(&self) -> Vec<ExpertCard> {
        self.experts.iter().map(|expert| expert.card.clone()).collect()
    }

    /// The expert with this index.
    pub(crate) fn get(&self, index: u32) -> Option<&MountedExpert> {
        self.experts.get(index as usize)
    }

    /// The newest expert.
    pub(crate) fn newest(&self) -> Option<&MountedExpert> {
        self.experts.last()
    }

    /// The expert that learned this task.
    pub(crate) fn of_task(&self, task: &str) -> Option<u32> {
        self.experts.iter().find(|expert| expert.card.task == task).map(|expert| expert.card.index)
    }

    /// Converts a responder to the learner's type. Indices outside the library map to the backbone; the routing loop
    /// rejects them beforehand.
    pub(crate) fn answerer(&self, responder: &Responder) -> Answerer {
        let slot = |index: u32| self.get(index).map(|expert| expert.slot);
        match responder {
            Responder::Backbone => Answerer::Backbone,
            Responder::Expert(index) => slot(*index).map_or(Answerer::Backbone, Answerer::Expert),
            Responder::Mix(shares) => Answerer::Mix(
                shares
                    .iter()
                    .filter_map(|&(index, bits)| Some((slot(index)?, f32::from_bits(bits))))
                    .collect(),
            ),
        }
    }

    /// Identifies a responder on this backbone by the keys of its weights.
    pub(crate) fn subject(&self, backbone: &Digest, responder: &Responder) -> Digest {
        let key = |index: u32| self.get(index).map(|expert| expert.key);
        match responder {
            Responder::Backbone => *backbone,
            Responder::Expert(index) => key(*index).unwrap_or(*backbone),
            Responder::Mix(shares) => {
                let mut text = format!("mix on {backbone}");
                for &(index, bits) in shares {
                    if let Some(key) = key(index) {
                        text.push_str(&format!(" {key} {bits:08x}"));
                    }
                }
                Digest::of_bytes(text.as_bytes())
            }
        }
    }
}
