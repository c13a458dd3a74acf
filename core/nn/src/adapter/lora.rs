//! The weights of one expert: low-rank pairs (Hu et al. 2021), named as in PEFT, and the rows of its added tokens.
//! Covers their initial values and their files.

use std::path::Path;

use burn::tensor::{DType, Device, Tensor};
use cadre_checkpoint::{BackboneShape, CheckpointError, TARGETS, Target, TargetEntry};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use cadre_store::{Seed, write_atomic};

use super::spec::AdapterSpec;
use crate::error::NnError;
use crate::weights::{self, Weight, WeightMap};

/// Newest version of `adapter.json` that is read and written.
const FORMAT_VERSION: u32 = 1;

/// Name of the embedding rows of added tokens, `[added tokens, hidden]`.
pub(crate) const ADDED_EMBEDDING: &str = "added_tokens.embed_tokens.weight";
/// Name of the head rows of added tokens, `[added tokens, hidden]`.
pub(crate) const ADDED_HEAD: &str = "added_tokens.lm_head.weight";

/// Standard deviation of the noise on an added token's row, relative to that of the table it is added to.
const ADDED_NOISE: f32 = 0.1;

/// Maximum number of table elements downloaded from the device at once.
const ROWS_ELEMENTS: usize = 1 << 20;

/// An expert in host memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Adapter {
    pub(crate) spec: AdapterSpec,
    pub(crate) weights: WeightMap,
}

/// The contents of `adapter.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AdapterFile {
    format_version: u32,
    kind: AdapterKind,
    adapter: AdapterSpec,
    /// Sizes of the backbone that the expert was trained on.
    vocabulary: usize,
    hidden: usize,
    layers: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AdapterKind {
    Lora,
}

impl Adapter {
    /// Names and shapes of an expert's weights, in the order of the forward pass.
    pub(crate) fn names(spec: &AdapterSpec, shape: &BackboneShape) -> Vec<(String, Vec<usize>)> {
        let mut names = Vec::new();
        if spec.added_tokens > 0 {
            names.push((ADDED_EMBEDDING.to_owned(), vec![spec.added_tokens, shape.hidden]));
        }
        for (layer, target) in sites(spec, shape) {
            let (a, b) = pair(layer, target);
            let (out, into) = (entry(target).widths)(shape);
            names.push((a, vec![spec.rank, into]));
            names.push((b, vec![out, spec.rank]));
        }
        if spec.added_tokens > 0 {
            names.push((ADDED_HEAD.to_owned(), vec![spec.added_tokens, shape.hidden]));
        }
        names
    }

    /// Names of the A and B matrices of a projection.
    pub(crate) fn pair_names(layer: usize, target: Target) -> (String, String) {
        pair(layer, target)
    }

    /// Initial values. `A` is uniform within ±1/√in (Kaiming initialisation with a = √5, as in PEFT) and `B` is zero,
    /// so the expert initially computes the same as the backbone. An added token starts at the mean of the embedding
    /// rows (head rows) that the spec names, or at the mean of all rows plus normal noise of a tenth of the table's
    /// standard deviation, so that several tokens start apart.
    ///
    /// # Errors
    /// The backend failed.
    pub(crate) fn start(
        spec: &AdapterSpec,
        shape: &BackboneShape,
        embedding: &Tensor<2>,
        head: &Tensor<2>,
    ) -> Result<Self, NnError> {
        let mut weights = WeightMap::new();
        for (name, sizes) in Self::names(spec, shape) {
            let mut rng = ChaCha8Rng::seed_from_u64(Seed(spec.seed).derive(&name).0);
            let count: usize = sizes.iter().product();
            let values = if name == ADDED_EMBEDDING {
                added_rows(embedding, spec, &mut rng)?
            } else if name == ADDED_HEAD {
                added_rows(head, spec, &mut rng)?
            } else if name.ends_with("lora_A.weight") {
                let bound = 1.0 / (sizes[1] as f32).sqrt();
                (0..count).map(|_| rng.random_range(-bound..bound)).collect()
            } else {
                vec![0.0; count]
            };
            weights.insert(name, Weight { shape: sizes, values });
        }
        Ok(Self { spec: spec.clone(), weights })
    }

    /// Reads `adapter.json` and `adapter.safetensors` from a folder.
    ///
    /// # Errors
    /// Missing or damaged files, a newer format, or an adapter of another backbone.
    pub(crate) fn read(folder: &Path, shape: &BackboneShape) -> Result<Self, NnError> {
        let path = folder.join("adapter.json");
        let text =
            std::fs::read(&path).map_err(|source| CheckpointError::File { path: path.clone(), source })?;
        let json = |source| CheckpointError::Json { path: path.clone(), source };
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(json)?;
        let found = value.get("format-version").and_then(serde_json::Value::as_u64).unwrap_or(0) as u32;
        if found > FORMAT_VERSION {
            return Err(NnError::FormatVersion { path, found, supported: FORMAT_VERSION });
        }
        let file: AdapterFile = serde_json::from_value(value).map_err(json)?;
        let sizes = [
            ("vocabulary", file.vocabulary, shape.vocabulary),
            ("hidden", file.hidden, shape.hidden),
            ("layers", file.layers, shape.layers),
        ];
        for (field, found, expected) in sizes {
            if found != expected {
                return Err(NnError::ForeignAdapter { path: folder.into(), field, found, expected });
            }
        }
        let spec = file.adapter;
        spec.check()?;
        let path = folder.join("adapter.safetensors");
        let mut all = weights::read(&path)?;
        let mut weights = WeightMap::new();
        for (name, sizes) in Self::names(&spec, shape) {
            weights::expect(&all, &name, &sizes, &path)?;
            if let Some(entry) = all.remove_entry(&name) {
                weights.insert(entry.0, entry.1);
            }
        }
        if let Some(name) = all.into_keys().next() {
            return Err(CheckpointError::ExtraTensor { path, name }.into());
        }
        Ok(Self { spec, weights })
    }

    /// Writes both files, the weights first.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn write(&self, folder: &Path, shape: &BackboneShape) -> Result<(), NnError> {
        let path = folder.join("adapter.safetensors");
        write_atomic(&path, &weights::bytes(&self.weights, &path)?)?;
        let file = AdapterFile {
            format_version: FORMAT_VERSION,
            kind: AdapterKind::Lora,
            adapter: self.spec.clone(),
            vocabulary: shape.vocabulary,
            hidden: shape.hidden,
            layers: shape.layers,
        };
        let path = folder.join("adapter.json");
        let mut text = serde_json::to_vec_pretty(&file)
            .map_err(|source| CheckpointError::Json { path: path.clone(), source })?;
        text.push(b'\n');
        Ok(write_atomic(&path, &text)?)
    }

    /// Uploads the weights to a device.
    ///
    /// # Errors
    /// The weights do not match the adapter's spec.
    pub(crate) fn tensors(
        &self,
        shape: &BackboneShape,
        device: &Device,
        dtype: DType,
    ) -> Result<AdapterTensors, NnError> {
        let tensors: Vec<Tensor<2>> = Self::names(&self.spec, shape)
            .iter()
            .map(|(name, _)| self.weights[name].tensor(device, dtype))
            .collect();
        AdapterTensors::of(&self.spec, shape, &tensors)
    }
}

/// An expert on a device.
#[derive(Clone, Debug)]
pub(crate) struct AdapterTensors {
    pub(crate) scale: f32,
    /// (layer, target, A `[rank, in]`, B `[out, rank]`).
    pub(crate) pairs: Vec<(usize, Target, Tensor<2>, Tensor<2>)>,
    /// Embedding and head rows of the added tokens, each `[added tokens, hidden]`.
    pub(crate) added: Option<(Tensor<2>, Tensor<2>)>,
    pub(crate) added_tokens: usize,
}

impl AdapterTensors {
    /// Builds an expert from tensors in the order of [`Adapter::names`].
    ///
    /// # Errors
    /// The number of tensors differs from the number of names.
    pub(crate) fn of(
        spec: &AdapterSpec,
        shape: &BackboneShape,
        tensors: &[Tensor<2>],
    ) -> Result<Self, NnError> {
        let extra = usize::from(spec.added_tokens > 0);
        let expected = 2 * (sites(spec, shape).count() + extra);
        if tensors.len() != expected {
            return Err(NnError::TensorCount { found: tensors.len(), expected });
        }
        let inner = &tensors[extra..tensors.len() - extra];
        let pairs = sites(spec, shape)
            .zip(inner.chunks_exact(2))
            .map(|((layer, target), pair)| (layer, target, pair[0].clone(), pair[1].clone()))
            .collect();
        let added = (extra == 1).then(|| (tensors[0].clone(), tensors[tensors.len() - 1].clone()));
        Ok(Self { scale: spec.scale(), pairs, added, added_tokens: spec.added_tokens })
    }

    /// Rank of the updates.
    pub(crate) fn rank(&self) -> usize {
        self.pairs.iter().map(|(_, _, a, _)| a.dims()[0]).max().unwrap_or(0)
    }
}

/// Layers and targets of the updates, in the order of the forward pass.
fn sites<'a>(
    spec: &'a AdapterSpec,
    shape: &BackboneShape,
) -> impl Iterator<Item = (usize, Target)> + use<'a> {
    (0..shape.layers).flat_map(|layer| {
        TARGETS
            .iter()
            .filter(|entry| spec.targets.contains(&entry.target))
            .map(move |entry| (layer, entry.target))
    })
}

fn entry(target: Target) -> &'static TargetEntry {
    match TARGETS.iter().find(|entry| entry.target == target) {
        Some(entry) => entry,
        None => unreachable!("every target is in the table"),
    }
}

fn pair(layer: usize, target: Target) -> (String, String) {
    let at = format!("base_model.model.model.layers.{layer}.{}", entry(target).module);
    (format!("{at}.lora_A.weight"), format!("{at}.lora_B.weight"))
}

/// Initial rows of the added tokens: the mean of the rows that the spec names, or of all rows plus noise.
fn added_rows(table: &Tensor<2>, spec: &AdapterSpec, rng: &mut ChaCha8Rng) -> Result<Vec<f32>, NnError> {
    let [rows, width] = table.dims();
    if !spec.added_start.is_empty() {
        return named_rows(table, &spec.added_start);
    }
    let mut mean = vec![0.0f64; width];
    each_row(table, &mut |row| {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += f64::from(*value) / rows as f64;
        }
    })?;
    let mut spread = 0.0;
    each_row(table, &mut |row| {
        for (value, mean) in row.iter().zip(&mean) {
            spread += (f64::from(*value) - mean).powi(2);
        }
    })?;
    let deviation = (spread / (rows * width) as f64).sqrt() as f32;
    let mut added = Vec::with_capacity(spec.added_tokens * width);
    for _ in 0..spec.added_tokens {
        added.extend(mean.iter().map(|mean| *mean as f32 + ADDED_NOISE * deviation * normal(rng)));
    }
    Ok(added)
}

/// The mean row of each list of ids.
fn named_rows(table: &Tensor<2>, starts: &[Vec<u32>]) -> Result<Vec<f32>, NnError> {
    let [rows, width] = table.dims();
    let mut added = Vec::with_capacity(starts.len() * width);
    for (row, ids) in starts.iter().enumerate() {
        let mut mean = vec![0.0f64; width];
        for &id in ids {
            if id as usize >= rows {
                return Err(NnError::TokenId { row, id, known: rows });
            }
            let values = weights::download(table.clone().narrow(0, id as usize, 1))?;
            for (mean, value) in mean.iter_mut().zip(values) {
                *mean += f64::from(value) / ids.len() as f64;
            }
        }
        added.extend(mean.into_iter().map(|mean| mean as f32));
    }
    Ok(added)
}

/// Calls `take` with each row of a table, in order. Downloads only a few rows from the device at a time.
fn each_row(table: &Tensor<2>, take: &mut dyn FnMut(&[f32])) -> Result<(), NnError> {
    let [rows, width] = table.dims();
    let max_rows = (ROWS_ELEMENTS / width.max(1)).max(1);
    for first in (0..rows).step_by(max_rows) {
        let block = weights::download(table.clone().narrow(0, first, max_rows.min(rows - first)))?;
        block.chunks_exact(width).for_each(&mut *take);
    }
    Ok(())
}

/// A draw from the standard normal distribution (Box and Muller 1958).
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}
