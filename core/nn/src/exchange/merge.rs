//! Merges an expert into a backbone and writes the result as a full checkpoint, tensor by tensor, in the number types
//! of the backbone's own files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use cadre_checkpoint::{
    BackboneShape, CheckpointError, CheckpointFolder, LARGEST_CONFIG, TensorFiles, read_json,
};
use cadre_store::write_atomic;
use half::{bf16, f16};
use safetensors::tensor::Dtype;
use serde_json::{Map, Value, json};

use crate::adapter::{ADDED_EMBEDDING, ADDED_HEAD, Adapter, Place, kind, places};
use crate::error::NnError;

const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";
const FILE: &str = "model.safetensors";

/// How a tensor of the backbone changes.
enum Change {
    /// Copied unchanged.
    None,
    /// Gets the update of a projection's weight.
    Weight(Place),
    /// Gets the update of a projection's bias.
    Bias(Place),
    /// Gets the rows of added tokens appended, given by the name of their tensor.
    Rows(&'static str),
}

/// A tensor to write.
struct Planned {
    name: String,
    from: String,
    dtype: Dtype,
    shape: Vec<usize>,
    change: Change,
}

/// Merges the expert in the folder `expert` into the backbone in the folder `backbone` and writes `config.json` and
/// `model.safetensors` to `to`, in the format that `transformers` loads. Added tokens become rows of the embedding and
/// of the head; a tied head then becomes a separate one. Values are computed in f32 and rounded to the number type of
/// the backbone's file.
///
/// # Errors
/// Missing or damaged files, an expert of another backbone, or a file that cannot be written.
pub fn export_merged(backbone: &Path, expert: &Path, to: &Path) -> Result<(), NnError> {
    let CheckpointFolder { shape, files, .. } = CheckpointFolder::open(backbone)?;
    let adapter = Adapter::read(expert, &shape)?;
    let planned = plan(&files, &adapter, &shape)?;
    let mut keys: Map<String, Value> = read_json(&backbone.join("config.json"), LARGEST_CONFIG)?;
    if adapter.spec.added_tokens > 0 {
        keys.insert("vocab_size".into(), json!(shape.vocabulary + adapter.spec.added_tokens));
    }
    // The head is separate if the backbone's files or the added rows make it so, whatever the configuration says.
    if adapter.spec.added_tokens > 0 || !shape.tied {
        keys.insert("tie_word_embeddings".into(), json!(false));
    }
    write_checkpoint(to, &header(&planned), keys, |write| {
        planned.iter().try_for_each(|tensor| write(&bytes(tensor, &files, &adapter)?))
    })
}

/// Writes `model.safetensors`, with this header and what `tensors` writes after it, and then `config.json` to `to`.
///
/// # Errors
/// Those of `tensors`, or a file that cannot be written.
pub(super) fn write_checkpoint<E: From<NnError>>(
    to: &Path,
    header: &[u8],
    config: Map<String, Value>,
    tensors: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), NnError>) -> Result<(), E>,
) -> Result<(), E> {
    let access = |path: &Path| {
        let path = path.to_path_buf();
        move |source| NnError::from(CheckpointError::File { path, source })
    };
    std::fs::create_dir_all(to).map_err(access(to))?;
    let part = to.join(format!(".{FILE}.part"));
    let mut out = BufWriter::new(File::create(&part).map_err(access(&part))?);
    out.write_all(header).map_err(access(&part))?;
    tensors(&mut |bytes| out.write_all(bytes).map_err(access(&part)))?;
    let file = out.into_inner().map_err(|error| access(&part)(error.into_error()))?;
    file.sync_all().map_err(access(&part))?;
    std::fs::rename(&part, to.join(FILE)).map_err(access(&part))?;
    let text = format!("{:#}\n", Value::Object(config));
    Ok(write_atomic(&to.join("config.json"), text.as_bytes()).map_err(NnError::from)?)
}

/// The tensors of the merged checkpoint, in the order in which they are written.
fn plan(files: &TensorFiles, adapter: &Adapter, shape: &BackboneShape) -> Result<Vec<Planned>, NnError> {
    let added = adapter.spec.added_tokens;
    let mut updates = BTreeMap::new();
    for place in places(&adapter.spec, shape) {
        let prefix = place.site.prefix();
        let module = prefix.strip_prefix("base_model.model.").unwrap_or(&prefix);
        updates.insert(format!("{module}.weight"), Change::Weight(place));
        updates.insert(format!("{module}.bias"), Change::Bias(place));
    }
    let mut planned = Vec::new();
    let mut put = |name: &str, from: &str, change: Change| -> Result<(), NnError> {
        let (dtype, sizes, _) = files.raw(from)?;
        let mut sizes = sizes.to_vec();
        if let (Change::Rows(_), Some(rows)) = (&change, sizes.first_mut()) {
            *rows += added;
        }
        planned.push(Planned { name: name.into(), from: from.into(), dtype, shape: sizes, change });
        Ok(())
    };
    for name in files.names() {
        let change = match name {
            EMBEDDING if added > 0 => Change::Rows(ADDED_EMBEDDING),
            HEAD if shape.tied => continue,
            HEAD if added > 0 => Change::Rows(ADDED_HEAD),
            other => updates.remove(other).unwrap_or(Change::None),
        };
        put(name, name, change)?;
    }
    if shape.tied && added > 0 {
        put(HEAD, EMBEDDING, Change::Rows(ADDED_HEAD))?;
    }
    Ok(planned)
}

/// The header of the merged checkpoint.
fn header(planned: &[Planned]) -> Vec<u8> {
    header_of(planned.iter().map(|tensor| (tensor.name.as_str(), tensor.dtype, tensor.shape.as_slice())))
}

/// The header of a safetensors file with these tensors, preceded by its length.
pub(super) fn header_of<'a>(entries: impl Iterator<Item = (&'a str, Dtype, &'a [usize])>) -> Vec<u8> {
    let mut tensors = Map::new();
    tensors.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut at = 0;
    for (name, dtype, shape) in entries {
        let length = shape.iter().product::<usize>() * width(dtype);
        let dtype = match dtype {
            Dtype::F16 => "F16",
            Dtype::BF16 => "BF16",
            _ => "F32",
        };
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, at + length] });
        tensors.insert(name.to_owned(), entry);
        at += length;
    }
    let mut text = Value::Object(tensors).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text].concat()
}

pub(super) fn width(dtype: Dtype) -> usize {
    if matches!(dtype, Dtype::F16 | Dtype::BF16) { 2 } else { 4 }
}

/// The bytes of a tensor as they are stored, of a number type that can be written.
pub(super) fn bytes_of<'a>(files: &'a TensorFiles, name: &str) -> Result<&'a [u8], NnError> {
    let (dtype, _, raw) = files.raw(name)?;
    if !matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
        let (path, name) = (files.file_of(name), name.to_owned());
        return Err(CheckpointError::TensorType { path, name, dtype: format!("{dtype:?}") }.into());
    }
    Ok(raw)
}

/// The bytes of a tensor after its change.
fn bytes(tensor: &Planned, files: &TensorFiles, adapter: &Adapter) -> Result<Vec<u8>, NnError> {
    let (dtype, shape, _) = files.raw(&tensor.from)?;
    let raw = bytes_of(files, &tensor.from)?;
    match &tensor.change {
        Change::None => Ok(raw.to_vec()),
        Change::Rows(rows) => Ok([raw, &rounded(&adapter.weights[*rows].values, dtype)].concat()),
        Change::Weight(place) | Change::Bias(place) => {
            let mut values = files.values(&tensor.from, shape)?;
            let file = files.file_of(&tensor.from);
            let take = |name: &str| adapter.tensor(place.site, name, &file);
            let kind = kind(adapter.spec.kind);
            match &tensor.change {
                Change::Bias(_) => kind.merge_bias(*place, &take, &mut values)?,
                _ => kind.merge(&adapter.spec, *place, &take, &mut values)?,
            }
            Ok(rounded(&values, dtype))
        }
    }
}

/// Converts values to a number type.
fn rounded(values: &[f32], dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}
