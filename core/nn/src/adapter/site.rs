//! The sites of an adapter: projections of layers, and the tensors that an expert holds for each.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use cadre_checkpoint::{BackboneShape, TARGETS, Target, TargetEntry};
use serde::{Deserialize, Serialize};

use super::kind::Body;
use super::spec::AdapterSpec;

/// A projection of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Site {
    /// Index of the layer.
    pub layer: usize,
    /// The projection.
    pub target: Target,
}

/// A site with the widths of its projection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) out: usize,
    pub(crate) into: usize,
}

/// Side tensors by name: tensors that belong to an expert's site but are not trained with it.
pub(crate) type SideTensors = BTreeMap<String, Tensor<2>>;

/// What an expert holds for a site.
#[derive(Clone, Debug)]
pub(crate) struct SiteParams {
    pub(crate) body: Body,
    /// The file's side tensors of the site. Its kind has already read its own.
    #[cfg_attr(not(test), expect(dead_code, reason = "gates read them"))]
    pub(crate) side: SideTensors,
}

impl Site {
    /// The name of the site in files, as in PEFT.
    pub(crate) fn prefix(self) -> String {
        format!("base_model.model.model.layers.{}.{}", self.layer, entry(self.target).module)
    }

    /// The full name of a tensor of the site.
    pub(crate) fn name(self, tensor: &str) -> String {
        format!("{}.{tensor}", self.prefix())
    }

    pub(crate) fn place(self, shape: &BackboneShape) -> Place {
        let (out, into) = (entry(self.target).widths)(shape);
        Place { site: self, out, into }
    }
}

/// The places that an adapter changes, in the order of the forward pass.
pub(crate) fn places(spec: &AdapterSpec, shape: &BackboneShape) -> Vec<Place> {
    let targets = || TARGETS.iter().map(|entry| entry.target).filter(|target| spec.targets.contains(target));
    (0..shape.layers)
        .flat_map(|layer| targets().map(move |target| Site { layer, target }))
        .map(|site| site.place(shape))
        .collect()
}

fn entry(target: Target) -> &'static TargetEntry {
    match TARGETS.iter().find(|entry| entry.target == target) {
        Some(entry) => entry,
        None => unreachable!("every target is in the table"),
    }
}
