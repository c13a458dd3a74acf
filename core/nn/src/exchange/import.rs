//! Imports a PEFT adapter (LoRA, DoRA, IA3) as an expert. Supports scaling by rank or by its square root, rank and alpha
//! patterns, and modules that are missing in some layers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::peft_config::PeftConfig;
use super::peft_targets::Sites;
use super::{CONFIG, EMBEDDING, HEAD, PREFIX, TOKENS, WEIGHTS};
use crate::adapter::{
    ADDED_EMBEDDING, ADDED_HEAD, Adapter, AdapterKind, AdapterSpec, FACTORS, LORA_A, LORA_B, MAGNITUDE,
    Scaling, Site, on_input,
};
use crate::error::NnError;
use crate::weights::{Weight, WeightMap};
use cadre_checkpoint::{BackboneShape, CheckpointError, TARGETS, Target, TensorFiles};

/// The result of an import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedAdapter {
    /// The spec of the resulting expert.
    pub spec: AdapterSpec,
    /// Number of weights in the file.
    pub parameters: u64,
    /// Remarks for the user, such as names in `target_modules` that match no module.
    pub remarks: Vec<String>,
}

/// One update, as stored in the file.
struct Pair {
    a: Vec<f32>,
    b: Vec<f32>,
    /// The trained norms of the weight's rows, for DoRA.
    magnitude: Option<Vec<f32>>,
    rank: usize,
    scale: f64,
}

/// Embedding and head rows of the added tokens, each row-major.
type AddedRows = (Vec<f32>, Vec<f32>);

type Pairs = BTreeMap<Site, Pair>;

/// Reads the PEFT adapter in the folder `adapter` for the backbone in the folder `backbone` and writes it to `out` as
/// an expert.
///
/// If modules differ in rank or scale, ranks are padded with zeros and scales are multiplied into the B matrices. A
/// module without an update in some layer gets an update of zeros. Neither changes the function that the adapter
/// computes. (DoRA's update of zeros depends on the backbone's weights, so DoRA must be in every layer.)
///
/// # Errors
/// Missing or damaged files; another kind of adapter; a setting that is unsupported or unknown; modules that the
/// backbone does not have, or that differ from those of the weights; a tensor that nothing reads; an adapter of another
/// backbone; values that are not finite.
pub fn import_adapter(backbone: &Path, adapter: &Path, out: &Path) -> Result<ImportedAdapter, NnError> {
    let shape = BackboneShape::of_folder(backbone)?;
    let (adapter, imported) = read(&shape, adapter)?;
    for remark in &imported.remarks {
        tracing::warn!(remark, "adapter");
    }
    adapter.write(out, &shape)?;
    Ok(imported)
}

/// Reads and checks an adapter as [`import_adapter`] does, without writing anything.
///
/// # Errors
/// As [`import_adapter`].
pub fn check_adapter(shape: &BackboneShape, adapter: &Path) -> Result<ImportedAdapter, NnError> {
    read(shape, adapter).map(|(_, imported)| imported)
}

/// Reads a PEFT adapter as an expert, with the report of the import.
fn read(shape: &BackboneShape, adapter: &Path) -> Result<(Adapter, ImportedAdapter), NnError> {
    let config_path = adapter.join(CONFIG);
    let config = PeftConfig::read(&config_path)?;
    let path = adapter.join(WEIGHTS);
    let files = TensorFiles::of(vec![path.clone()])?;
    let mut remarks = Vec::new();
    let sites = match &config.targets {
        Some(targets) => {
            let (sites, unknown) = targets.of(shape, &config_path)?;
            if !unknown.is_empty() {
                remarks.push(format!(
                    "{}: `target_modules` names {}, which no module of this backbone has",
                    config_path.display(),
                    unknown.join(", ")
                ));
            }
            Some(sites)
        }
        None => {
            remarks.push(format!(
                "{}: without `target_modules`, the modules are those of {WEIGHTS}",
                config_path.display()
            ));
            None
        }
    };
    let mut unread: BTreeSet<String> = files.names().map(str::to_owned).collect();
    if config.kind == AdapterKind::Ia3 {
        return read_ia3(shape, &config, &files, &path, sites.as_ref(), remarks);
    }
    let pairs = pairs(&files, &config, shape, &path, &mut unread)?;
    if let Some(sites) = &sites {
        same_modules(&pairs.keys().copied().collect(), sites, &path)?;
    }
    let size = |pair: &Pair| pair.a.len() + pair.b.len() + pair.magnitude.as_ref().map_or(0, Vec::len);
    let mut parameters: usize = pairs.values().map(size).sum();
    let targets: Vec<Target> = TARGETS
        .iter()
        .map(|entry| entry.target)
        .filter(|target| pairs.keys().any(|site| site.target == *target))
        .collect();
    let added = added_rows(&files, &config, shape, &path, &mut unread)?;
    if let Some(name) = unread.into_iter().next() {
        return Err(CheckpointError::ExtraTensor { path, name }.into());
    }
    let rank = pairs.values().map(|pair| pair.rank).max().unwrap_or(0);
    let whole = pairs.len() == targets.len() * shape.layers;
    if config.kind == AdapterKind::Dora && !whole {
        let problem = "DoRA is supported only where a module has an update in every layer".to_owned();
        return Err(NnError::AdapterTargets { path, problem });
    }
    let like = pairs.values().next().map(|pair| (pair.rank, pair.scale));
    let alike = whole && pairs.values().all(|pair| Some((pair.rank, pair.scale)) == like);
    let scale = like.filter(|_| alike).map_or(1.0, |(_, scale)| scale);
    let spec = AdapterSpec {
        kind: config.kind,
        rank,
        alpha: scale * rank as f64,
        scaling: Scaling::Rank,
        dropout: config.dropout,
        density: 0.0,
        targets,
        added_tokens: added.as_ref().map_or(0, |(embedding, _)| embedding.len() / shape.hidden),
        added_start: Vec::new(),
        seed: 0,
    };
    spec.check()?;
    let mut weights = WeightMap::new();
    for (name, sizes) in Adapter::names(&spec, shape) {
        weights.insert(name, Weight { values: vec![0.0; sizes.iter().product()], shape: sizes });
    }
    for (site, pair) in &pairs {
        if let Some(a) = weights.get_mut(&site.name(LORA_A)) {
            a.values[..pair.a.len()].copy_from_slice(&pair.a);
        }
        if let Some(b) = weights.get_mut(&site.name(LORA_B)) {
            let factor = if alike { 1.0 } else { pair.scale as f32 };
            for (to, from) in b.values.chunks_exact_mut(rank).zip(pair.b.chunks_exact(pair.rank)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = factor * from);
            }
        }
        if let (Some(to), Some(from)) = (weights.get_mut(&site.name(MAGNITUDE)), &pair.magnitude) {
            to.values.clone_from(from);
        }
    }
    if let Some((embedding, head)) = added {
        parameters += embedding.len() + head.len();
        for (name, values) in [(ADDED_EMBEDDING, embedding), (ADDED_HEAD, head)] {
            weights.insert(name.into(), Weight { shape: vec![spec.added_tokens, shape.hidden], values });
        }
    }
    let imported = ImportedAdapter { spec: spec.clone(), parameters: parameters as u64, remarks };
    Ok((Adapter { spec, weights, side: WeightMap::new() }, imported))
}

/// Reads an IA3 adapter. A module without factors in some layer gets factors of 1.
fn read_ia3(
    shape: &BackboneShape,
    config: &PeftConfig,
    files: &TensorFiles,
    path: &Path,
    sites: Option<&Sites>,
    remarks: Vec<String>,
) -> Result<(Adapter, ImportedAdapter), NnError> {
    let mut found = BTreeMap::new();
    for name in files.names() {
        let no_place = || CheckpointError::ExtraTensor { path: path.into(), name: name.into() };
        let module = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(&format!(".{FACTORS}")));
        let module = module.ok_or_else(no_place)?;
        let site = site(module, shape).ok_or_else(no_place)?;
        config.check_feedforward(module, on_input(site.target))?;
        let place = site.place(shape);
        let sizes = if on_input(site.target) { [1, place.into] } else { [place.out, 1] };
        found.insert(site, finite(files, name, &sizes, path)?);
    }
    if let Some(sites) = sites {
        same_modules(&found.keys().copied().collect(), sites, path)?;
    }
    let targets = TARGETS.iter().map(|entry| entry.target);
    let spec = AdapterSpec {
        kind: AdapterKind::Ia3,
        rank: 0,
        alpha: 0.0,
        targets: targets.filter(|target| found.keys().any(|site| site.target == *target)).collect(),
        ..AdapterSpec::default()
    };
    spec.check()?;
    let parameters = found.values().map(|factors| factors.len() as u64).sum();
    let mut weights = WeightMap::new();
    for (name, sizes) in Adapter::names(&spec, shape) {
        weights.insert(name, Weight { values: vec![1.0; sizes.iter().product()], shape: sizes });
    }
    for (site, factors) in found {
        if let Some(weight) = weights.get_mut(&site.name(FACTORS)) {
            weight.values = factors;
        }
    }
    let imported = ImportedAdapter { spec: spec.clone(), parameters, remarks };
    Ok((Adapter { spec, weights, side: WeightMap::new() }, imported))
}

/// Checks that the configuration selects exactly the modules that the file has updates of.
fn same_modules(found: &BTreeSet<Site>, sites: &Sites, path: &Path) -> Result<(), NnError> {
    let wrong = |problem: String| Err(NnError::AdapterTargets { path: path.into(), problem });
    if let Some((name, _)) = sites.iter().find(|(_, site)| !found.contains(site)) {
        return wrong(format!("it has no update of `{name}`, which `target_modules` in {CONFIG} selects"));
    }
    let meant: BTreeSet<Site> = sites.values().copied().collect();
    if let Some(Site { layer, target }) = found.iter().find(|site| !meant.contains(site)) {
        let module = TARGETS.iter().find(|entry| entry.target == *target).map_or("", |entry| entry.module);
        return wrong(format!(
            "it has an update of `model.layers.{layer}.{module}`, which `target_modules` in {CONFIG} does not select"
        ));
    }
    Ok(())
}

/// All updates in the file. A tensor that is neither an update nor rows of tokens is an error. Names of tensors that
/// are read are removed from `unread`.
fn pairs(
    files: &TensorFiles,
    config: &PeftConfig,
    shape: &BackboneShape,
    path: &Path,
    unread: &mut BTreeSet<String>,
) -> Result<Pairs, NnError> {
    let mut pairs = Pairs::new();
    for name in files.names() {
        if name.ends_with(TOKENS) {
            continue;
        }
        let no_place = || CheckpointError::ExtraTensor { path: path.into(), name: name.into() };
        let (module, which) =
            name.strip_prefix(PREFIX).and_then(|name| name.rsplit_once(".lora_")).ok_or_else(no_place)?;
        let site = site(module, shape).ok_or_else(no_place)?;
        match which {
            "A.weight" => {}
            // Read with its A matrix.
            "magnitude_vector" if config.kind == AdapterKind::Dora => continue,
            "B.weight" if files.shape(&format!("{PREFIX}{module}.lora_A.weight")).is_some() => continue,
            "B.weight" => {
                let name = format!("{PREFIX}{module}.lora_A.weight");
                return Err(CheckpointError::MissingTensor { path: path.into(), name }.into());
            }
            _ => return Err(no_place().into()),
        }
        let rank = files.shape(name).and_then(|sizes| sizes.first()).copied().unwrap_or(0);
        let scale = config.scale(module, rank)?;
        let place = site.place(shape);
        let b_name = format!("{PREFIX}{module}.lora_B.weight");
        let a = finite(files, name, &[rank, place.into], path)?;
        let b = finite(files, &b_name, &[place.out, rank], path)?;
        unread.remove(name);
        unread.remove(&b_name);
        let mut magnitude = None;
        if config.kind == AdapterKind::Dora {
            let name = format!("{PREFIX}{module}.{MAGNITUDE}");
            magnitude = Some(finite(files, &name, &[place.out], path)?);
            unread.remove(&name);
        }
        pairs.insert(site, Pair { a, b, magnitude, rank, scale });
    }
    Ok(pairs)
}

/// The layer and target of a module's name.
fn site(module: &str, shape: &BackboneShape) -> Option<Site> {
    let (layer, module) = module.strip_prefix("model.layers.")?.split_once('.')?;
    let layer: usize = layer.parse().ok().filter(|layer| *layer < shape.layers)?;
    TARGETS.iter().find(|entry| entry.module == module).map(|entry| Site { layer, target: entry.target })
}

/// Embedding and head rows of the added tokens, in the order of their ids.
fn added_rows(
    files: &TensorFiles,
    config: &PeftConfig,
    shape: &BackboneShape,
    path: &Path,
    unread: &mut BTreeSet<String>,
) -> Result<Option<AddedRows>, NnError> {
    let (mut embedding, mut head) = (None, None);
    for (table, ids) in &config.tokens {
        let table = table.as_deref().unwrap_or(EMBEDDING);
        let (into, name) = match table.rsplit('.').next() {
            Some(EMBEDDING) => (&mut embedding, format!("{PREFIX}model.{EMBEDDING}.{TOKENS}")),
            Some(HEAD) => (&mut head, format!("{PREFIX}{HEAD}.{TOKENS}")),
            _ => return Err(unsupported(path, table)),
        };
        let values = finite(files, &name, &[ids.len(), shape.hidden], path)?;
        unread.remove(&name);
        let mut rows: Vec<(usize, &[f32])> =
            ids.iter().copied().zip(values.chunks_exact(shape.hidden)).collect();
        rows.sort_by_key(|(id, _)| *id);
        if !rows.iter().map(|(id, _)| *id).eq(shape.vocabulary..shape.vocabulary + ids.len()) {
            return Err(unsupported(path, "ids other than those right after the backbone's vocabulary"));
        }
        *into = Some(rows.into_iter().flat_map(|(_, row)| row.iter().copied()).collect::<Vec<f32>>());
    }
    let Some(embedding) = embedding.filter(|rows| !rows.is_empty()) else {
        return match head {
            Some(rows) if !rows.is_empty() => {
                Err(unsupported(path, "rows of the head without rows of the embedding"))
            }
            _ => Ok(None),
        };
    };
    let head = match head {
        Some(head) if head.len() == embedding.len() => head,
        // The backbone uses one table for both.
        None if shape.tied => embedding.clone(),
        _ => return Err(unsupported(path, "rows of the embedding without rows of the head")),
    };
    Ok(Some((embedding, head)))
}

fn finite(files: &TensorFiles, name: &str, shape: &[usize], path: &Path) -> Result<Vec<f32>, NnError> {
    let values = files.values(name, shape)?;
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(NnError::NotFinite { path: path.into(), name: name.into() }),
    }
}

fn unsupported(path: &Path, value: &str) -> NnError {
    CheckpointError::Unsupported { path: path.into(), key: "trainable_token_indices", value: value.into() }
        .into()
}
