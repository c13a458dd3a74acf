//! Values that several kinds of work read: files, sources, plugins, the model, prompts.

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
    /// Where it lies. Not part of a key.
    pub path: PathBuf,
    /// Its last name.
    pub name: String,
    /// Digest of its content.
    pub digest: Digest,
}

/// A dataset as a stage reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SourceWork {
    /// The format.
    pub format: String,
    /// The version of that format's rows.
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
    /// The recipe's table for it, less Cadre's own keys.
    pub settings: Map<String, Value>,
}

/// The folder of a checkpoint. Its files are named by the backbone stage's key, so none of this is part of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckpointPlace {
    /// The folder.
    pub path: PathBuf,
}

/// The model a stage computes with, and in what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelWork {
    /// The checkpoint, where the backbone is one and not pretrained here.
    pub checkpoint: Option<CheckpointPlace>,
    /// The backend's name, without a device index.
    pub backend: String,
    /// The numbers.
    pub precision: Precision,
    /// What changes nothing but speed and memory.
    pub pace: ModelPace,
}

/// Which of several equal devices, and how much of it. Not part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelPace {
    /// Index of the device, from 0.
    pub index: u32,
    /// Threads of the CPU backends; 0: all.
    pub threads: u32,
    /// Whether training computes its forward passes again instead of keeping them.
    pub gradient_checkpointing: bool,
}

impl ModelWork {
    /// The folder with `config.json`, weights and tokenizer: the checkpoint, or the artifact of the backbone stage.
    #[must_use]
    pub fn backbone_folder<'a>(&'a self, backbone: &'a Artifact) -> &'a Path {
        self.checkpoint.as_ref().map_or_else(|| backbone.folder(), |place| &place.path)
    }
}

/// How instruction and input become a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateWork {
    /// The instruction, an empty line, the input.
    Plain,
    /// The template of Stanford Alpaca.
    Alpaca,
    /// The chat template that the tokenizer brings.
    Chat,
    /// A Jinja file.
    File(FileUse),
}

/// How a query becomes the prompt that a model sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PromptWork {
    /// The template.
    pub template: TemplateWork,
    /// The most tokens of a prompt; none: what the model's context leaves.
    pub max_prompt: Option<u32>,
}

/// The tokens by which an expert accepts or rejects a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct IndicatorWork {
    /// What accepts.
    pub accept: String,
    /// What rejects.
    pub reject: String,
    /// What the two are to the tokenizer.
    pub kind: IndicatorKind,
}
