//! Checkpoints in Hugging Face's layout: the shape from `config.json` and a table of families, the tensors that a
//! decoder of that shape has, and memory-mapped access to them. Must stay independent of tensor code, so that a plan
//! can be checked against a checkpoint without it.

mod config;
mod error;
mod family;
mod folder;
mod inventory;
mod json_file;
mod shape;
mod slot;
mod tensor_files;
mod variation;

#[cfg(test)]
mod tests;

pub use shape::BackboneShape;
pub use variation::{Activation, LayerKind, RopeScaling, Variation};

pub use folder::CheckpointFolder;

pub use json_file::{LARGEST_CONFIG, read_json};

pub use inventory::{Part, weight_names};
pub use slot::{TARGETS, Target, TargetEntry};

pub use tensor_files::TensorFiles;

pub use error::CheckpointError;
