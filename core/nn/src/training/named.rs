//! Names of tensors by projection, and tensors in host memory that go into a training or come out of one: the weights
//! of earlier experts, buffers, statistics.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use cadre_checkpoint::TARGETS;
use serde::{Deserialize, Serialize};

use crate::adapter::Site;
use crate::error::NnError;
use crate::weights::{Weight, upload};

/// Identifies a tensor. `a` and `b` are the matrices of a low-rank update in the orientation of the store:
/// A `[rank, in]`, B `[out, rank]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TensorName {
    /// The projection that the tensor belongs to, or `None` for tensors of the whole model.
    pub site: Option<Site>,
    /// Name within the site, such as `a`; without a site, the name in the file of weights.
    pub name: String,
}

/// A tensor in host memory.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Identifies it among the tensors of its list.
    pub name: TensorName,
    /// One or two sizes, none of them 0.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

impl TensorName {
    /// A tensor of a projection.
    pub fn of_site(site: Site, name: &str) -> Self {
        Self { site: Some(site), name: name.into() }
    }

    /// A tensor of the whole model.
    pub fn of_model(name: &str) -> Self {
        Self { site: None, name: name.into() }
    }

    /// The name of the tensor that a file of weights calls `name`: of a backbone in Hugging Face's layout, or of an
    /// expert in PEFT's.
    pub(crate) fn of_weight(name: &str) -> Self {
        let found = TARGETS.iter().find_map(|entry| {
            let (before, tensor) = name.split_once(&format!(".{}.", entry.module))?;
            let layer = before.rsplit_once("layers.")?.1.parse().ok()?;
            Some((Site { layer, target: entry.target }, tensor))
        });
        match found {
            Some((site, "lora_A.weight")) => Self::of_site(site, "a"),
            Some((site, "lora_B.weight")) => Self::of_site(site, "b"),
            Some((site, tensor)) => Self::of_site(site, tensor),
            None => Self::of_model(name),
        }
    }

    /// The name of a statistic or buffer about this tensor, such as `a.fisher`.
    pub fn about(&self, statistic: &str) -> Self {
        Self { site: self.site, name: format!("{}.{statistic}", self.name) }
    }
}

impl std::fmt::Display for TensorName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.site {
            Some(Site { layer, target }) => write!(f, "layer {layer} {target:?} {}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

impl NamedTensor {
    /// Returns the tensor as a weight.
    ///
    /// # Errors
    /// The sizes do not match the values.
    pub(crate) fn weight(&self) -> Result<Weight, NnError> {
        let count: usize = self.shape.iter().product();
        if !matches!(self.shape.len(), 1 | 2) || count == 0 || count != self.values.len() {
            let (shape, values) = (&self.shape, self.values.len());
            let problem =
                format!("shape {shape:?} with {values} values; expected one or two sizes that match");
            return Err(NnError::NamedTensor { name: self.name.to_string(), problem });
        }
        Ok(Weight { shape: self.shape.clone(), values: self.values.clone() })
    }
}

/// Tensors on a device by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct TensorsByName(pub(crate) BTreeMap<TensorName, Tensor<2>>);

impl TensorsByName {
    /// Uploads tensors as they are in host memory: f32, a vector as one row.
    ///
    /// # Errors
    /// A name occurs twice, or a shape does not match its values.
    pub(crate) fn upload(tensors: &[NamedTensor], device: &Device) -> Result<Self, NnError> {
        let mut found = BTreeMap::new();
        for tensor in tensors {
            let weight = tensor.weight()?;
            let placed = upload(weight.values.clone(), weight.sizes(), device);
            if found.insert(tensor.name.clone(), placed).is_some() {
                return Err(twice(&tensor.name));
            }
        }
        Ok(Self(found))
    }

    /// The tensor with this name.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by objectives, which only tests have so far"))]
    pub(crate) fn get(&self, name: &TensorName) -> Option<Tensor<2>> {
        self.0.get(name).cloned()
    }
}

pub(super) fn twice(name: &TensorName) -> NnError {
    NnError::NamedTensor { name: name.to_string(), problem: "the name is given twice".into() }
}

#[cfg(test)]
mod tests {
    use cadre_checkpoint::Target;

    use super::*;

    #[test]
    fn names_of_files_are_split_into_site_and_name() {
        let site = Site { layer: 12, target: Target::Gate };
        let peft = "base_model.model.model.layers.12.mlp.gate_proj.lora_A.weight";
        assert_eq!(TensorName::of_weight(peft), TensorName::of_site(site, "a"));
        let whole = TensorName::of_weight("model.layers.12.mlp.gate_proj.weight");
        assert_eq!((whole.to_string(), whole.site), ("layer 12 Gate weight".into(), Some(site)));
        let norm = "model.layers.1.input_layernorm.weight";
        assert_eq!(TensorName::of_weight(norm), TensorName::of_model(norm));
        assert_eq!(TensorName::of_site(site, "b").about("fisher"), TensorName::of_site(site, "b.fisher"));
    }

    #[test]
    fn sizes_that_do_not_match_are_refused() {
        let tensor = |shape: &[usize]| NamedTensor {
            name: TensorName::of_model("x"),
            shape: shape.to_vec(),
            values: vec![1.0; 6],
        };
        assert!(tensor(&[2, 3]).weight().is_ok() && tensor(&[6]).weight().is_ok());
        for shape in [&[][..], &[5], &[2, 2], &[1, 2, 3]] {
            let error = tensor(shape).weight().unwrap_err();
            assert!(matches!(error, NnError::NamedTensor { .. }), "{error}");
        }
        let error = TensorsByName::upload(&[tensor(&[6]), tensor(&[6])], &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("twice"), "{error}");
    }
}
