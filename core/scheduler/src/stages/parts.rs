//! Values shared by several kinds of work: files, sources, plugins, the model, prompts.

use std::path::{Path, PathBuf};

use cadre_data::{FieldMap, SourceSpec};
use cadre_recipe::{IndicatorKind, Precision};
use cadre_store::{Artifact, Digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A file outside the store that a stage reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileUse {
    /// Its path. Not part of a key.
    pub path: PathBuf,
    /// Its file name.
    pub name: String,
    /// Digest of its content.
    pub digest: Digest,
}

/// A dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourceWork {
    /// The format.
    pub format: String,
    /// The version of the format.
    pub version: u32,
    /// The file or folder; none for built-in formats. Not part of a key: `files` is.
    pub path: Option<PathBuf>,
    /// Names of the fields of a row.
    pub fields: FieldMap,
    /// The files that are read.
    pub files: Vec<FileUse>,
}

impl SourceWork {
    /// The dataset as `cadre-data` reads it.
    #[must_use]
    pub fn spec(&self) -> SourceSpec {
        SourceSpec { format: self.format.clone(), path: self.path.clone(), fields: self.fields.clone() }
    }
}

/// A policy and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PluginWork {
    /// Its name.
    pub plugin: String,
    /// The component's file. Not part of a key.
    pub path: PathBuf,
    /// Digest of the component.
    pub digest: Digest,
    /// Its settings: the recipe's table without Cadre's own keys.
    pub settings: Map<String, Value>,
}

/// A method of a collection and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyWork {
    /// Its name.
    pub policy: String,
    /// The collection's file. Not part of a key.
    pub path: PathBuf,
    /// Digest of the collection.
    pub digest: Digest,
    /// Its settings, complete: with the defaults that the collection declares.
    pub settings: Map<String, Value>,
}

/// The folder of a checkpoint. Not part of a key: the key of the backbone stage covers its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckpointPlace {
    /// The folder.
    pub path: PathBuf,
}

/// The model of a stage, its backend and precision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelWork {
    /// The checkpoint; `None` if the backbone is pretrained.
    pub checkpoint: Option<CheckpointPlace>,
    /// The backend's name, without a device index.
    pub backend: String,
    /// The precision.
    pub precision: Precision,
    /// Settings that affect only speed and memory.
    pub pace: ModelPace,
}

/// Device index, threads and gradient checkpointing. Not part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelPace {
    /// Index of the device, from 0.
    pub index: u32,
    /// Threads of the CPU backends; 0: all.
    pub threads: u32,
    /// Whether training recomputes activations in the backward pass.
    pub gradient_checkpointing: bool,
}

impl ModelWork {
    /// The folder with `config.json`, weights and tokenizer: the checkpoint, or the artifact of the backbone stage.
    #[must_use]
    pub fn backbone_folder<'a>(&'a self, backbone: &'a Artifact) -> &'a Path {
        self.checkpoint.as_ref().map_or_else(|| backbone.folder(), |place| &place.path)
    }
}

/// The template that turns instruction and input into a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateWork {
    /// The instruction, an empty line, the input.
    Plain,
    /// The template of Stanford Alpaca.
    Alpaca,
    /// The chat template of the tokenizer.
    Chat,
    /// A Jinja file.
    File(FileUse),
}

/// The template and the length of prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PromptWork {
    /// The template.
    pub template: TemplateWork,
    /// The most tokens of a prompt; `None`: as many as the context of the model allows.
    pub max_prompt: Option<u32>,
}

/// The tokens with which an expert accepts or rejects a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IndicatorWork {
    /// The accepting text.
    pub accept: String,
    /// The rejecting text.
    pub reject: String,
    /// How the tokenizer represents the two.
    pub kind: IndicatorKind,
}
