//! Metadata of experts and policies that is available without probing them.

use serde::{Deserialize, Serialize};

/// Index of an expert in learning order; 0 is the oldest.
pub type ExpertIndex = u32;

/// A named vector, such as the descriptor `prompt-centroid`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NamedVector {
    /// Name of the descriptor.
    pub name: String,
    /// Components.
    pub values: Vec<f32>,
}

/// Expert metadata that a router receives when it is opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExpertCard {
    /// Index in learning order. Cards are passed in this order, from 0, without gaps.
    pub index: ExpertIndex,
    /// Name of the task the expert was trained on.
    pub task: String,
    /// Number of training examples, rehearsed ones included.
    pub training_examples: u32,
    /// Number of trained parameters.
    pub parameters: u64,
    /// Descriptors computed when the expert was trained.
    pub descriptors: Vec<NamedVector>,
}

/// A policy's description of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Description {
    /// Name, as written in recipes.
    pub name: String,
    /// Version of the policy.
    pub version: String,
    /// One-sentence summary.
    pub summary: String,
    /// Citation or URL of the method; may be empty.
    pub reference: String,
}
