//! What is known of experts and policies without asking them anything. Never holds weights.

use serde::{Deserialize, Serialize};

/// Place of an expert in the order in which experts were learned; 0 is the oldest.
pub type ExpertIndex = u32;

/// A vector with a name, such as the descriptor `prompt-centroid`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NamedVector {
    /// Name of the descriptor.
    pub name: String,
    /// Its components.
    pub values: Vec<f32>,
}

/// What a router is told of an expert when it is opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExpertCard {
    /// Place in the order of learning; cards are given in this order, from 0, without gaps.
    pub index: ExpertIndex,
    /// Name of the task it was trained on.
    pub task: String,
    /// Examples in its training set, rehearsed ones included.
    pub training_examples: u32,
    /// Trained parameters.
    pub parameters: u64,
    /// Descriptors that were made when it was trained.
    pub descriptors: Vec<NamedVector>,
}

/// What a policy says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Description {
    /// Its name, as in recipes.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// Where the method is from; may be empty.
    pub reference: String,
}
