//! Experts in the layout of PEFT, and backbones with an expert merged in, in the layout of
//! transformers: out and in. Files to files; nothing is put on a device and nothing is trained.

mod export;
mod import;
mod merge;
mod peft_config;
mod peft_targets;

pub use export::export_adapter;
pub use import::{ImportedAdapter, check_adapter, import_adapter};
pub use merge::export_merged;

#[cfg(test)]
mod tests;

/// What PEFT puts before the name of a module.
const PREFIX: &str = "base_model.model.";
const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// Rows of tokens in place of those of a table: PEFT's `trainable_token_indices`.
const TOKENS: &str = "token_adapter.trainable_tokens_delta";
const EMBEDDING: &str = "embed_tokens";
const HEAD: &str = "lm_head";
