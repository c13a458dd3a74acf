//! A checkpoint in Hugging Face's layout, as a folder says it: the shape by its `config.json` and a table of families,
//! which tensors a decoder of that shape has, and the tensors where they lie. It computes nothing, and is light: a plan
//! is checked against a checkpoint without tensor code.

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
