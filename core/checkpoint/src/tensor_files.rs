//! Memory-mapped safetensors files of a folder. Tensors are converted from the mapping one by one, so that memory holds
//! the converted weights and at most one unconverted tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::{Mmap, UncheckedAdvice};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::error::CheckpointError;
use crate::json_file::read_json;

const ONE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Size limit of an index in bytes.
const LARGEST_INDEX: u64 = 256 << 20;

/// Bytes converted at a time; after each piece its mapped pages are released.
const PIECE: usize = 2 << 20;

/// The tensors of one or several files, by name.
#[derive(Debug)]
pub struct TensorFiles {
    files: Vec<Mapped>,
    tensors: BTreeMap<String, Place>,
}

#[derive(Debug)]
struct Mapped {
    path: PathBuf,
    bytes: Mmap,
}

/// The location of a tensor.
#[derive(Clone, Debug)]
struct Place {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    start: usize,
    length: usize,
}

/// The contents of `model.safetensors.index.json`.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl TensorFiles {
    /// Opens the weights of a folder: `model.safetensors`, or the shards that an index lists.
    ///
    /// # Errors
    /// No weights, a damaged file, a shard that is missing or not in the index, or a tensor that is in two shards or
    /// not in the one that the index gives.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let one = folder.join(ONE);
        let index_path = folder.join(INDEX);
        if one.is_file() {
            return Self::of(vec![one]);
        }
        if !index_path.is_file() {
            return Err(no_weights(folder));
        }
        let index: Index = read_json(&index_path, LARGEST_INDEX)?;
        let shards: BTreeSet<&String> = index.weight_map.values().collect();
        let mut paths = Vec::with_capacity(shards.len());
        for shard in shards {
            let plain = Path::new(shard).components().count() == 1 && shard.ends_with(".safetensors");
            let path = folder.join(shard);
            if !plain || !path.is_file() {
                return Err(CheckpointError::Shard {
                    path: index_path,
                    shard: shard.clone(),
                    problem: if plain { "is missing" } else { "is no safetensors file of this folder" },
                });
            }
            paths.push(path);
        }
        unlisted(folder, &index_path, &paths)?;
        let files = Self::of(paths)?;
        for (name, shard) in &index.weight_map {
            let path = folder.join(shard);
            let found = files.tensors.get(name).map(|place| &files.files[place.file].path);
            if found != Some(&path) {
                return Err(CheckpointError::MissingTensor { path, name: name.clone() });
            }
        }
        Ok(files)
    }

    /// Opens these files as one set of tensors.
    ///
    /// # Errors
    /// A file that is missing or damaged, or a tensor that is in two files.
    pub fn of(paths: Vec<PathBuf>) -> Result<Self, CheckpointError> {
        let mut files = Vec::with_capacity(paths.len());
        let mut tensors = BTreeMap::new();
        for path in paths {
            let access = |source| CheckpointError::File { path: path.clone(), source };
            let file = File::open(&path).map_err(access)?;
            // SAFETY: the mapping is read-only. Like every reader of a checkpoint, this relies on the file not being
            // truncated while it is mapped; writers of checkpoints write to a new file and rename it, they do not
            // truncate.
            let bytes = unsafe { Mmap::map(&file) }.map_err(access)?;
            let damaged = |source| CheckpointError::Weights { path: path.clone(), source };
            let (header, described) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
            let begin = header + size_of::<u64>();
            for (name, info) in described.tensors() {
                let (start, end) = info.data_offsets;
                let place = Place {
                    file: files.len(),
                    dtype: info.dtype,
                    shape: info.shape.clone(),
                    start: begin + start,
                    length: end.saturating_sub(start),
                };
                if tensors.insert(name.clone(), place).is_some() {
                    return Err(CheckpointError::TensorTwice { path: path.clone(), name });
                }
            }
            files.push(Mapped { path, bytes });
        }
        Ok(Self { files, tensors })
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor; `None` if it does not exist.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.shape.as_slice())
    }

    /// The file that has a tensor. If there is none, the folder or the only file.
    pub fn file_of(&self, name: &str) -> PathBuf {
        self.find(name).map_or_else(|_| self.path(), |(file, _)| file.path.clone())
    }

    /// The number type, shape and bytes of a tensor, as stored in the file.
    ///
    /// # Errors
    /// The tensor does not exist.
    pub fn raw(&self, name: &str) -> Result<(Dtype, &[usize], &[u8]), CheckpointError> {
        let (file, place) = self.find(name)?;
        Ok((place.dtype, &place.shape, &file.bytes[place.start..][..place.length]))
    }

    /// Whether this file is one of the mapped files.
    pub(crate) fn reads(&self, path: &Path) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Whether two tensors of the same shape have equal values.
    ///
    /// # Errors
    /// A tensor does not exist or has an unsupported number type.
    pub(crate) fn same(&self, one: &str, other: &str) -> Result<bool, CheckpointError> {
        let ((file, place), (other_file, other_place)) = (self.find(one)?, self.find(other)?);
        if place.shape != other_place.shape {
            return Ok(false);
        }
        if place.dtype != other_place.dtype {
            return Ok(self.values(one, &place.shape)? == self.values(other, &other_place.shape)?);
        }
        for at in (0..place.length).step_by(PIECE) {
            let piece = |file: &Mapped, place: &Place| {
                let length = PIECE.min(place.length - at);
                file.bytes[place.start + at..][..length].to_vec()
            };
            if piece(file, place) != piece(other_file, other_place) {
                return Ok(false);
            }
            give_back(file);
            give_back(other_file);
        }
        Ok(true)
    }

    /// Checks that a tensor exists and has this shape and a supported number type.
    ///
    /// # Errors
    /// The tensor does not exist, or has another shape or an unsupported number type.
    pub fn expect(&self, name: &str, shape: &[usize]) -> Result<(), CheckpointError> {
        self.checked(name, shape).map(drop)
    }

    /// The values of a tensor, row-major.
    ///
    /// # Errors
    /// The tensor does not exist, or has another shape or an unsupported number type.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let (file, place) = self.checked(name, shape)?;
        convert(file, place, name, |value| value, bf16::to_f32)
    }

    /// The values of a tensor as bfloat16, row-major. Values of other types are rounded.
    ///
    /// # Errors
    /// As [`Self::values`].
    pub fn bf16_values(&self, name: &str, shape: &[usize]) -> Result<Vec<bf16>, CheckpointError> {
        let (file, place) = self.checked(name, shape)?;
        convert(file, place, name, bf16::from_f32, |value: bf16| value)
    }

    fn find(&self, name: &str) -> Result<(&Mapped, &Place), CheckpointError> {
        match self.tensors.get(name) {
            Some(place) => Ok((&self.files[place.file], place)),
            None => Err(CheckpointError::MissingTensor { path: self.path(), name: name.into() }),
        }
    }

    fn checked(&self, name: &str, shape: &[usize]) -> Result<(&Mapped, &Place), CheckpointError> {
        let (file, place) = self.find(name)?;
        if place.shape != shape {
            return Err(CheckpointError::TensorShape {
                path: file.path.clone(),
                name: name.into(),
                found: place.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        if !matches!(place.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(CheckpointError::TensorType {
                path: file.path.clone(),
                name: name.into(),
                dtype: format!("{:?}", place.dtype),
            });
        }
        Ok((file, place))
    }

    /// The only file, or the folder if there are several.
    fn path(&self) -> PathBuf {
        match self.files.as_slice() {
            [one] => one.path.clone(),
            [first, ..] => first.path.parent().map_or_else(PathBuf::new, Path::to_path_buf),
            [] => PathBuf::new(),
        }
    }
}

/// Refuses shards in the folder that the index does not list: either the index or the set of shards is incomplete.
fn unlisted(folder: &Path, index: &Path, listed: &[PathBuf]) -> Result<(), CheckpointError> {
    let access = |source| CheckpointError::File { path: folder.into(), source };
    for entry in std::fs::read_dir(folder).map_err(access)? {
        let path = entry.map_err(access)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let shard = name.starts_with("model-") && name.ends_with(".safetensors") && name.contains("-of-");
        if shard && !listed.contains(&path) {
            return Err(CheckpointError::Shard {
                path: index.into(),
                shard: name,
                problem: "is in the folder, but the index does not name it",
            });
        }
    }
    Ok(())
}

/// Returns all mapped pages of a file to the system. The whole file is released because the system maps more pages
/// around a page that is read, including pages before it that were released earlier.
fn give_back(file: &Mapped) {
    // SAFETY: the mapping is file-backed and read-only, so a released page is read from the file again on the next
    // access.
    if let Err(error) = unsafe { file.bytes.unchecked_advise(UncheckedAdvice::DontNeed) } {
        tracing::debug!(%error, "mapped pages stay in memory");
    }
}

/// The error for a folder without supported weights; it lists the unsupported ones.
fn no_weights(folder: &Path) -> CheckpointError {
    const OTHERS: [&str; 7] = ["safetensors", "bin", "pt", "pth", "gguf", "h5", "msgpack"];
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.rsplit_once('.').is_some_and(|(_, ending)| OTHERS.contains(&ending)))
        .collect();
    found.sort();
    CheckpointError::NoWeights { folder: folder.into(), found }
}

/// Converts the values of a tensor. After each piece the mapped pages are released, because they count as this
/// process's memory until then.
fn convert<T>(
    file: &Mapped,
    place: &Place,
    name: &str,
    of_f32: impl Fn(f32) -> T,
    of_bf16: impl Fn(bf16) -> T,
) -> Result<Vec<T>, CheckpointError> {
    let width = match place.dtype {
        Dtype::F32 => 4,
        Dtype::F16 | Dtype::BF16 => 2,
        other => {
            let (path, dtype) = (file.path.clone(), format!("{other:?}"));
            return Err(CheckpointError::TensorType { path, name: name.into(), dtype });
        }
    };
    let mut values = Vec::with_capacity(place.length / width);
    let mut at = 0;
    while at < place.length {
        let length = PIECE.min(place.length - at);
        let piece = &file.bytes[place.start + at..][..length];
        match place.dtype {
            Dtype::F32 => {
                values.extend(piece.as_chunks().0.iter().map(|bytes| of_f32(f32::from_le_bytes(*bytes))));
            }
            Dtype::F16 => {
                let wide = |bytes: &[u8; 2]| of_f32(f16::from_le_bytes(*bytes).to_f32());
                values.extend(piece.as_chunks().0.iter().map(wide));
            }
            _ => values.extend(piece.as_chunks().0.iter().map(|bytes| of_bf16(bf16::from_le_bytes(*bytes)))),
        }
        give_back(file);
        at += length;
    }
    Ok(values)
}
