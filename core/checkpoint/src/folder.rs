//! Opens a whole checkpoint folder: its shape, and tensors that match the shape exactly. Reads only the headers of the
//! files, except for an output head that may be equal to the embedding.

use std::collections::HashSet;
use std::path::Path;

use crate::error::CheckpointError;
use crate::inventory::weight_names;
use crate::shape::BackboneShape;
use crate::tensor_files::TensorFiles;

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// A checkpoint with matching configuration and tensors.
#[derive(Debug)]
pub struct CheckpointFolder {
    /// The shape from `config.json`, but with an untied head if the files have a head that differs from the embedding.
    pub shape: BackboneShape,
    /// Its tensors.
    pub files: TensorFiles,
    /// Remarks for the user: weights that are not read, and a head that differs although the configuration ties it.
    pub remarks: Vec<String>,
}

impl CheckpointFolder {
    /// Opens a folder with `config.json` and `model.safetensors`, or shards with their index, in Hugging Face's layout.
    ///
    /// # Errors
    /// Missing or damaged files, an unsupported family or setting, or a tensor that is missing, has the wrong shape or
    /// an unsupported number type, or is not part of the model.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let mut shape = BackboneShape::read(&folder.join("config.json"))?;
        let files = TensorFiles::open(folder)?;
        let mut remarks = Vec::new();
        if shape.tied && files.shape(HEAD).is_some() {
            let sizes = [shape.vocabulary, shape.hidden];
            files.expect(EMBEDDING, &sizes)?;
            files.expect(HEAD, &sizes)?;
            if !files.same(EMBEDDING, HEAD)? {
                // Like transformers 5: the head in the file is used.
                shape.tied = false;
                remarks.push(format!(
                    "the configuration ties the output head to the embedding, but {} has a `{HEAD}` that differs from \
                     `{EMBEDDING}`: both are used as they are (set `\"tie_word_embeddings\": false` in config.json)",
                    files.file_of(HEAD).display()
                ));
            }
        }
        let names = weight_names(&shape);
        for (name, sizes) in &names {
            files.expect(name, sizes)?;
        }
        let expected: HashSet<String> = names.into_iter().map(|(name, _)| name).collect();
        let extra = files.names().find(|name| !expected.contains(*name) && !derived(name, &shape));
        if let Some(name) = extra {
            return Err(CheckpointError::ExtraTensor { path: files.file_of(name), name: name.into() });
        }
        remarks.extend(unread(folder, &files)?);
        Ok(Self { shape, files, remarks })
    }
}

impl BackboneShape {
    /// The shape of the checkpoint in a folder, as determined by [`CheckpointFolder::open`].
    ///
    /// # Errors
    /// As [`CheckpointFolder::open`].
    pub fn of_folder(folder: &Path) -> Result<Self, CheckpointError> {
        CheckpointFolder::open(folder).map(|checkpoint| checkpoint.shape)
    }
}

/// Whether this is a tensor that some writers add although it follows from others.
fn derived(name: &str, shape: &BackboneShape) -> bool {
    name.ends_with("rotary_emb.inv_freq") || (shape.tied && name == HEAD)
}

/// Remarks about weights in the folder that are not part of the checkpoint.
fn unread(folder: &Path, files: &TensorFiles) -> Result<Vec<String>, CheckpointError> {
    let access = |source| CheckpointError::File { path: folder.into(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(access)? {
        names.push(entry.map_err(access)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut remarks = Vec::new();
    if names.iter().any(|name| name == "adapter_config.json") {
        remarks.push(format!(
            "{} holds a PEFT adapter beside the checkpoint, which is not applied: merge it, or take it over with \
             `expert.import`",
            folder.display()
        ));
    }
    let weights = |name: &&String| {
        name.ends_with(".safetensors")
            && !name.starts_with("adapter_model")
            && !files.reads(&folder.join(name))
    };
    let unread: Vec<&str> = names.iter().filter(weights).map(String::as_str).collect();
    if !unread.is_empty() {
        remarks.push(format!("{}: ignoring the weights in {}", folder.display(), unread.join(", ")));
    }
    Ok(remarks)
}
