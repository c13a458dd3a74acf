//! A whole checkpoint folder: its shape, and tensors that are those of the shape, no more and no fewer. It reads heads of
//! files, no weight.

use std::collections::HashSet;
use std::path::Path;

use crate::error::CheckpointError;
use crate::inventory::weight_names;
use crate::shape::BackboneShape;
use crate::tensor_files::TensorFiles;

/// A checkpoint whose parts fit each other.
#[derive(Debug)]
pub struct CheckpointFolder {
    /// Its shape, by `config.json`.
    pub shape: BackboneShape,
    /// Its tensors.
    pub files: TensorFiles,
}

impl CheckpointFolder {
    /// Opens a folder with `config.json` and `model.safetensors`, or shards with their index, as Hugging Face lays it
    /// out.
    ///
    /// # Errors
    /// Missing or damaged files, a family or a setting that is not supported, a tensor that is missing, misshapen, of a
    /// type that is not read, or has no place.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let shape = BackboneShape::read(&folder.join("config.json"))?;
        let files = TensorFiles::open(folder)?;
        let names = weight_names(&shape);
        for (name, sizes) in &names {
            files.expect(name, sizes)?;
        }
        let expected: HashSet<String> = names.into_iter().map(|(name, _)| name).collect();
        let extra = files.names().find(|name| !expected.contains(*name) && !derived(name, &shape));
        match extra {
            Some(name) => Err(CheckpointError::ExtraTensor { path: folder.into(), name: name.into() }),
            None => Ok(Self { shape, files }),
        }
    }
}

/// Tensors that some writers add and that follow from others.
fn derived(name: &str, shape: &BackboneShape) -> bool {
    name.ends_with("rotary_emb.inv_freq") || (shape.tied && name == "lm_head.weight")
}
