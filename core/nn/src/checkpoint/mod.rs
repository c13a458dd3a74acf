//! A checkpoint in Hugging Face's layout: what its `config.json` says, and its weights where they lie.
//! It computes nothing and copies no file.

mod config;
mod family;
mod tensor_files;

pub(crate) use config::read_config;
pub(crate) use tensor_files::TensorFiles;

#[cfg(test)]
mod tests;
