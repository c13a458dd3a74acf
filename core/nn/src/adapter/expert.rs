//! The weights of one expert: the tensors of its sites, named as in PEFT, and the rows of its added tokens. Covers their
//! initial values, their files and their place on a device.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{DType, Device, Tensor};
use cadre_checkpoint::{BackboneShape, CheckpointError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use cadre_store::{Seed, write_atomic};

use super::added::added_rows;
use super::kind::kind;
use super::site::{Place, SideTensors, Site, SiteParams, places};
use super::spec::{AdapterKind, AdapterSpec};
use crate::backbone::Backbone;
use crate::error::NnError;
use crate::weights::{self, Weight, WeightMap};

/// Newest version of `adapter.json` that is read and written. 1: only LoRA, without side tensors.
const FORMAT_VERSION: u32 = 2;

/// Name of the embedding rows of added tokens, `[added tokens, hidden]`.
pub(crate) const ADDED_EMBEDDING: &str = "added_tokens.embed_tokens.weight";
/// Name of the head rows of added tokens, `[added tokens, hidden]`.
pub(crate) const ADDED_HEAD: &str = "added_tokens.lm_head.weight";

/// An expert in host memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Adapter {
    pub(crate) spec: AdapterSpec,
    /// The trained tensors.
    pub(crate) weights: WeightMap,
    /// Side tensors by their full names; each belongs to a site of the adapter.
    pub(crate) side: WeightMap,
}

/// The contents of `adapter.json`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AdapterFile {
    format_version: u32,
    kind: AdapterKind,
    adapter: AdapterSpec,
    /// Names of the tensors that are not trained.
    #[serde(default)]
    side_tensors: Vec<String>,
    /// Sizes of the backbone that the expert was trained on.
    vocabulary: usize,
    hidden: usize,
    layers: usize,
}

impl Adapter {
    /// Names and shapes of an expert's trained weights, in the order of the forward pass.
    pub(crate) fn names(spec: &AdapterSpec, shape: &BackboneShape) -> Vec<(String, Vec<usize>)> {
        let mut names = Vec::new();
        if spec.added_tokens > 0 {
            names.push((ADDED_EMBEDDING.to_owned(), vec![spec.added_tokens, shape.hidden]));
        }
        for place in places(spec, shape) {
            let own = kind(spec.kind).trained(spec, place).into_iter();
            names.extend(own.map(|(name, sizes)| (place.site.name(name), sizes)));
        }
        if spec.added_tokens > 0 {
            names.push((ADDED_HEAD.to_owned(), vec![spec.added_tokens, shape.hidden]));
        }
        names
    }

    /// Initial values, with which the expert computes the same as the backbone. An added token starts at the mean of
    /// the embedding rows (head rows) that the spec names, or at the mean of all rows plus normal noise of a tenth of
    /// the table's standard deviation, so that several tokens start apart.
    ///
    /// # Errors
    /// The backend failed, or a kind that is not trained.
    pub(crate) fn start(spec: &AdapterSpec, backbone: &Backbone) -> Result<Self, NnError> {
        let (mut weights, mut side) = (WeightMap::new(), WeightMap::new());
        let rng = |name: &str| ChaCha8Rng::seed_from_u64(Seed(spec.seed).derive(name).0);
        if spec.added_tokens > 0 {
            let tables = [(ADDED_EMBEDDING, backbone.embedding()), (ADDED_HEAD, backbone.head())];
            for (name, table) in tables {
                let values = added_rows(&table, spec, &mut rng(name))?;
                weights
                    .insert(name.into(), Weight { shape: vec![spec.added_tokens, table.dims()[1]], values });
            }
        }
        let kind = kind(spec.kind);
        for place in places(spec, &backbone.shape) {
            let weight = backbone.weight(place.site);
            for (tensor, shape) in kind.trained(spec, place) {
                let name = place.site.name(tensor);
                let values = kind.start(tensor, &shape, weight, &mut rng(&name))?;
                weights.insert(name, Weight { shape, values });
            }
            let own = kind.start_side(spec, place, &mut rng(&place.site.prefix()));
            for ((tensor, _), weight) in kind.side(spec, place).into_iter().zip(own) {
                side.insert(place.site.name(tensor), weight);
            }
        }
        Ok(Self { spec: spec.clone(), weights, side })
    }

    /// Reads `adapter.json` and `adapter.safetensors` from a folder.
    ///
    /// # Errors
    /// Missing or damaged files, a newer format, an unknown kind, a tensor that the kind does not have and the file
    /// does not list, or an adapter of another backbone.
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
        let wrong = |problem| Err(NnError::AdapterFile { path: path.clone(), problem });
        if file.kind != file.adapter.kind {
            let (top, inner) = (file.kind.name(), file.adapter.kind.name());
            return wrong(format!("`kind` is \"{top}\", but `adapter` describes \"{inner}\""));
        }
        if found < 2 && (file.kind != AdapterKind::Lora || !file.side_tensors.is_empty()) {
            return wrong(format!("format-version {found} has only \"lora\", without side tensors"));
        }
        let spec = file.adapter;
        spec.check()?;
        let path = folder.join("adapter.safetensors");
        let mut all = weights::read(&path)?;
        let mut take = |name: &str| all.remove_entry(name);
        let mut weights = WeightMap::new();
        for (name, sizes) in Self::names(&spec, shape) {
            let (name, weight) = found_weight(take(&name), &name, Some(&sizes), &path)?;
            weights.insert(name, weight);
        }
        let places = places(&spec, shape);
        let mut side = WeightMap::new();
        for name in &file.side_tensors {
            let of_site = |place: &Place| name.starts_with(&format!("{}.", place.site.prefix()));
            if !places.iter().any(of_site) {
                let problem = format!("the side tensor `{name}` belongs to no site of the adapter");
                return Err(NnError::AdapterFile { path: folder.join("adapter.json"), problem });
            }
            let (name, weight) = found_weight(take(name), name, None, &path)?;
            side.insert(name, weight);
        }
        if let Some(name) = all.into_keys().next() {
            return Err(CheckpointError::ExtraTensor { path, name }.into());
        }
        let adapter = Self { spec, weights, side };
        adapter.check_side(&places, &path)?;
        Ok(adapter)
    }

    /// Checks that the side tensors which the kind needs are there, with their shapes and values.
    fn check_side(&self, places: &[Place], path: &Path) -> Result<(), NnError> {
        let kind = kind(self.spec.kind);
        for place in places {
            for (tensor, sizes) in kind.side(&self.spec, *place) {
                weights::expect(&self.side, &place.site.name(tensor), &sizes, path)?;
            }
            if let Some(problem) =
                kind.side_problem(*place, &|tensor| self.tensor(place.site, tensor, path))?
            {
                let problem = format!("`{}`: {problem}", place.site.prefix());
                return Err(NnError::AdapterFile { path: path.into(), problem });
            }
        }
        Ok(())
    }

    /// A trained or side tensor of a site; `path` is named in the error.
    ///
    /// # Errors
    /// There is no such tensor.
    pub(crate) fn tensor(&self, site: Site, tensor: &str, path: &Path) -> Result<&Weight, NnError> {
        let name = site.name(tensor);
        match self.weights.get(&name).or_else(|| self.side.get(&name)) {
            Some(weight) => Ok(weight),
            None => Err(CheckpointError::MissingTensor { path: path.into(), name }.into()),
        }
    }

    /// Writes both files, the weights first.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn write(&self, folder: &Path, shape: &BackboneShape) -> Result<(), NnError> {
        let path = folder.join("adapter.safetensors");
        let bytes = if self.side.is_empty() {
            weights::bytes(&self.weights, &path)?
        } else {
            let mut all = self.weights.clone();
            all.extend(self.side.clone());
            weights::bytes(&all, &path)?
        };
        write_atomic(&path, &bytes)?;
        let file = AdapterFile {
            format_version: FORMAT_VERSION,
            kind: self.spec.kind,
            adapter: self.spec.clone(),
            side_tensors: self.side.keys().cloned().collect(),
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

    /// Uploads the expert to the device of its backbone. `dtype` is the number type of the trained tensors; side tensors
    /// stay f32.
    ///
    /// # Errors
    /// The weights do not match the adapter's spec.
    pub(crate) fn tensors(
        &self,
        backbone: &Backbone,
        device: &Device,
        dtype: DType,
    ) -> Result<AdapterTensors, NnError> {
        let tensors: Vec<Tensor<2>> = Self::names(&self.spec, &backbone.shape)
            .iter()
            .map(|(name, _)| self.weights[name].tensor(device, dtype))
            .collect();
        AdapterTensors::of(&self.spec, backbone, &tensors, &self.side_tensors(&backbone.shape, device))
    }

    /// Uploads the side tensors, by site and by name below the site.
    pub(crate) fn side_tensors(&self, shape: &BackboneShape, device: &Device) -> SitesSide {
        let mut sites = SitesSide::new();
        for Place { site, .. } in places(&self.spec, shape) {
            let prefix = format!("{}.", site.prefix());
            let own = self.side.iter().filter_map(|(name, weight)| {
                Some((name.strip_prefix(&prefix)?.to_owned(), weight.tensor(device, DType::F32)))
            });
            let own: SideTensors = own.collect();
            if !own.is_empty() {
                sites.insert(site, own);
            }
        }
        sites
    }
}

/// The tensor of a file, after checking its shape if one is expected.
fn found_weight(
    found: Option<(String, Weight)>,
    name: &str,
    sizes: Option<&[usize]>,
    path: &Path,
) -> Result<(String, Weight), NnError> {
    let Some((name, weight)) = found else {
        return Err(CheckpointError::MissingTensor { path: path.into(), name: name.into() }.into());
    };
    match sizes {
        Some(sizes) if weight.shape != sizes => Err(CheckpointError::TensorShape {
            path: path.into(),
            name,
            found: weight.shape,
            expected: sizes.to_vec(),
        }
        .into()),
        _ => Ok((name, weight)),
    }
}

/// Side tensors by site.
pub(crate) type SitesSide = BTreeMap<Site, SideTensors>;

/// An expert on a device.
#[derive(Clone, Debug)]
pub(crate) struct AdapterTensors {
    /// What the expert holds for each of its sites, in the order of the forward pass.
    pub(crate) sites: BTreeMap<Site, SiteParams>,
    /// Embedding and head rows of the added tokens, each `[added tokens, hidden]`.
    pub(crate) added: Option<(Tensor<2>, Tensor<2>)>,
    pub(crate) added_tokens: usize,
}

impl AdapterTensors {
    /// Builds an expert from trained tensors in the order of [`Adapter::names`] and its side tensors.
    ///
    /// # Errors
    /// The number of tensors differs from the number of names.
    pub(crate) fn of(
        spec: &AdapterSpec,
        backbone: &Backbone,
        tensors: &[Tensor<2>],
        side: &SitesSide,
    ) -> Result<Self, NnError> {
        let kind = kind(spec.kind);
        let places = places(spec, &backbone.shape);
        let extra = usize::from(spec.added_tokens > 0);
        let counts: Vec<usize> = places.iter().map(|place| kind.trained(spec, *place).len()).collect();
        let expected = counts.iter().sum::<usize>() + 2 * extra;
        if tensors.len() != expected {
            return Err(NnError::TensorCount { found: tensors.len(), expected });
        }
        let mut rest = &tensors[extra..tensors.len() - extra];
        let mut sites = BTreeMap::new();
        for (place, count) in places.into_iter().zip(counts) {
            let (own, after) = rest.split_at(count);
            rest = after;
            let side = side.get(&place.site).cloned().unwrap_or_default();
            let missing = kind.side(spec, place).iter().any(|(name, _)| !side.contains_key(*name));
            if missing {
                return Err(NnError::TensorCount {
                    found: side.len(),
                    expected: kind.side(spec, place).len(),
                });
            }
            let body = kind.body(spec, place, backbone.weight(place.site), own, &side);
            sites.insert(place.site, SiteParams { body, side });
        }
        let added = (extra == 1).then(|| (tensors[0].clone(), tensors[tensors.len() - 1].clone()));
        Ok(Self { sites, added, added_tokens: spec.added_tokens })
    }

    /// The largest rank of the updates that are computed together with those of other experts.
    pub(crate) fn rank(&self) -> usize {
        self.sites.values().map(|site| site.body.joined_rank()).max().unwrap_or(0)
    }
}
