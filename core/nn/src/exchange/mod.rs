//! Import and export of experts in PEFT's format, and export of merged backbones in the format of `transformers`. Works
//! from files to files on the host, without a device.

mod export;
mod import;
mod merge;
mod merge_experts;
mod peft_config;
mod peft_targets;

pub use export::export_adapter;
pub use import::{ImportedAdapter, check_adapter, import_adapter};
pub use merge::export_merged;
pub use merge_experts::{MergeTensor, MergedTensor, merge_experts};

#[cfg(test)]
mod tests;

/// PEFT's prefix for module names.
const PREFIX: &str = "base_model.model.";
const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// Rows of tokens that replace those of a table: PEFT's `trainable_token_indices`.
const TOKENS: &str = "token_adapter.trainable_tokens_delta";
const EMBEDDING: &str = "embed_tokens";
const HEAD: &str = "lm_head";
