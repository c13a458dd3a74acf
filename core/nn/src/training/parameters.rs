//! The trained weights: master copies in f32 on the host, with their optimizer state.

use burn::tensor::{Device, Tensor};

use crate::weights::{Weight, WeightMap, upload};

/// One trained weight.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) weight: Weight,
    /// Running mean of the gradient (`first`) and of its square, as in AdamW.
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    /// The values with the lowest validation loss; empty before the first, and where they are not kept.
    pub(crate) best: Vec<f32>,
    /// Whether weight decay applies.
    pub(crate) decays: bool,
}

/// All trained weights, in the order of the forward pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(pub(crate) Vec<Parameter>);

impl Parameters {
    /// `names` gives the order of the parameters. Vectors (norms) are not decayed.
    pub(crate) fn new(names: &[(String, Vec<usize>)], mut weights: WeightMap) -> Self {
        let take = |(name, _): &(String, Vec<usize>)| {
            let weight = weights.remove(name)?;
            let zeros = vec![0.0; weight.values.len()];
            let decays = weight.shape.len() > 1;
            Some(Parameter {
                name: name.clone(),
                weight,
                first: zeros.clone(),
                second: zeros,
                best: Vec::new(),
                decays,
            })
        };
        Self(names.iter().filter_map(take).collect())
    }

    /// Number of trained scalars.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|parameter| parameter.weight.values.len() as u64).sum()
    }

    /// Saves the current values as those with the lowest validation loss.
    pub(crate) fn note_best(&mut self) {
        for parameter in &mut self.0 {
            parameter.best.clone_from(&parameter.weight.values);
        }
    }

    /// Restores the saved values, if there are any.
    pub(crate) fn take_best(&mut self) {
        for parameter in self.0.iter_mut().filter(|parameter| !parameter.best.is_empty()) {
            parameter.weight.values = std::mem::take(&mut parameter.best);
        }
    }

    /// Uploads the weights to a device.
    pub(crate) fn upload(&self, device: &Device) -> Vec<Tensor<2>> {
        let put =
            |parameter: &Parameter| upload(parameter.weight.values.clone(), parameter.weight.sizes(), device);
        self.0.iter().map(put).collect()
    }

    /// The weights by name.
    pub(crate) fn into_weights(self) -> WeightMap {
        self.0.into_iter().map(|parameter| (parameter.name, parameter.weight)).collect()
    }
}
