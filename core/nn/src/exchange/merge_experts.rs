//! Merges several experts into a backbone with a function of the caller's, one tensor at a time, and writes the result
//! as a full checkpoint.

use std::path::Path;

use cadre_checkpoint::{CheckpointFolder, LARGEST_CONFIG, TARGETS, Target, read_json};
use safetensors::tensor::Dtype;
use serde_json::{Map, Value, json};

use super::merge::{bytes_of, header_of, width, write_checkpoint};
use crate::adapter::{Adapter, AdapterKind, Place, Site, kind, on_input};
use crate::error::NnError;
use crate::program::HostTensor;

/// A weight that experts change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedTensor {
    /// Its name in the checkpoint.
    pub name: String,
    /// The layer, from 0.
    pub layer: usize,
    /// Number of layers.
    pub layers: usize,
    /// The projection.
    pub target: Target,
}

/// Maps a weight of the backbone `[out, in]` and what each expert adds to it (of the same shape, zeros for experts that
/// do not change it) to the merged weight. The number is that of all weights to merge.
pub type MergeTensor<'a, E> =
    dyn FnMut(&MergedTensor, usize, HostTensor, Vec<HostTensor>) -> Result<Vec<f32>, E> + 'a;

/// Merges the experts in these folders into the backbone in the folder `backbone`, and writes `config.json` and
/// `model.safetensors` to `to`. Weights that no expert changes are copied as they are; merged ones are stored in f32,
/// since what an expert adds can be smaller than a bf16 weight's last bit. Returns the number of merged tensors.
///
/// # Errors
/// Missing or damaged files, experts of another backbone or with added tokens, a merged weight of another size, errors of
/// `merge`, or a file that cannot be written.
pub fn merge_experts<E: From<NnError>>(
    backbone: &Path,
    experts: &[&Path],
    to: &Path,
    merge: &mut MergeTensor<'_, E>,
) -> Result<usize, E> {
    let CheckpointFolder { shape, files, .. } = CheckpointFolder::open(backbone).map_err(NnError::from)?;
    let mut adapters = Vec::with_capacity(experts.len());
    for folder in experts {
        let adapter = Adapter::read(folder, &shape)?;
        if adapter.spec.added_tokens > 0 {
            return Err(NnError::MergedTokens {
                path: (*folder).to_owned(),
                tokens: adapter.spec.added_tokens,
            }
            .into());
        }
        adapters.push(adapter);
    }
    let mut sites = Vec::new();
    for layer in 0..shape.layers {
        for entry in TARGETS {
            if adapters.iter().any(|adapter| adapter.spec.targets.contains(&entry.target)) {
                let name = format!("model.layers.{layer}.{}.weight", entry.module);
                sites.push(MergedTensor { name, layer, layers: shape.layers, target: entry.target });
            }
        }
    }
    // An expert of factors of outputs changes the bias too, which merges do not see.
    for (adapter, folder) in adapters.iter().zip(experts) {
        let scales = |site: &&MergedTensor| {
            let bias = site.name.replace(".weight", ".bias");
            adapter.spec.targets.contains(&site.target)
                && !on_input(site.target)
                && files.shape(&bias).is_some()
        };
        if adapter.spec.kind == AdapterKind::Ia3
            && let Some(site) = sites.iter().find(scales)
        {
            return Err(NnError::MergedBias { path: (*folder).to_owned(), name: site.name.clone() }.into());
        }
    }
    let site_of = |name: &str| sites.iter().find(|site| site.name == name);
    let mut entries = Vec::new();
    for name in files.names() {
        // A tied head that is stored as well is the embedding.
        if name == "lm_head.weight" && shape.tied {
            continue;
        }
        let (dtype, sizes, _) = files.raw(name).map_err(NnError::from)?;
        let dtype = if site_of(name).is_some() { Dtype::F32 } else { dtype };
        entries.push((name.to_owned(), dtype, sizes.to_vec()));
    }
    let mut keys: Map<String, Value> =
        read_json(&backbone.join("config.json"), LARGEST_CONFIG).map_err(NnError::from)?;
    // The head is separate if the backbone's files make it so, whatever the configuration says.
    if !shape.tied {
        keys.insert("tie_word_embeddings".into(), json!(false));
    }
    let listed = entries.iter().map(|(name, dtype, sizes)| (name.as_str(), *dtype, sizes.as_slice()));
    write_checkpoint::<E>(to, &header_of(listed), keys, |write| {
        for (name, dtype, sizes) in &entries {
            let Some(site) = site_of(name) else {
                write(bytes_of(&files, name)?)?;
                continue;
            };
            let &[wide, into] = sizes.as_slice() else {
                return Err(
                    NnError::MergedSize { name: name.clone(), found: sizes.len(), expected: 2 }.into()
                );
            };
            let shape = vec![wide as u32, into as u32];
            let base = files.values(name, sizes).map_err(NnError::from)?;
            let mut deltas = Vec::with_capacity(adapters.len());
            for (adapter, folder) in adapters.iter().zip(experts) {
                let values = delta(adapter, site, &base, [wide, into], folder)?;
                deltas.push(HostTensor::floats(shape.clone(), values));
            }
            let merged = merge(site, sites.len(), HostTensor::floats(shape, base), deltas)?;
            let expected = wide * into;
            if merged.len() != expected {
                return Err(NnError::MergedSize { name: name.clone(), found: merged.len(), expected }.into());
            }
            debug_assert_eq!(width(*dtype), 4);
            let bytes: Vec<u8> = merged.iter().flat_map(|value| value.to_le_bytes()).collect();
            write(&bytes)?;
        }
        Ok(())
    })?;
    Ok(sites.len())
}

/// What an adapter adds to a weight, `[out, in]`; zeros if it does not change it. `folder` is named in errors.
fn delta(
    adapter: &Adapter,
    tensor: &MergedTensor,
    base: &[f32],
    [out, into]: [usize; 2],
    folder: &Path,
) -> Result<Vec<f32>, NnError> {
    let spec = &adapter.spec;
    if !spec.targets.contains(&tensor.target) {
        return Ok(vec![0.0; out * into]);
    }
    let site = Site { layer: tensor.layer, target: tensor.target };
    let place = Place { site, out, into };
    let take = |name: &str| adapter.tensor(site, name, folder);
    // Kinds that add to the weight do so to zeros, which loses nothing; the others depend on it.
    let adds = matches!(spec.kind, AdapterKind::Lora | AdapterKind::Delta | AdapterKind::SparseDelta);
    let mut values = if adds { vec![0.0; out * into] } else { base.to_vec() };
    kind(spec.kind).merge(spec, place, &take, &mut values)?;
    if !adds {
        values.iter_mut().zip(base).for_each(|(value, base)| *value -= base);
    }
    Ok(values)
}
