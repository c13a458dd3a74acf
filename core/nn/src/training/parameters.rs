//! The weights of a training with their roles: master copies in f32 on the host, with their optimizer state.

use std::collections::BTreeSet;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::named::{NamedTensor, TensorName, TensorsByName, twice};
use crate::error::NnError;
use crate::weights::{Weight, WeightMap, upload};

/// What a training does with a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// A weight of the model that the optimizer updates.
    Trained,
    /// A weight of the model that keeps its initial value. It has no gradient and no optimizer state.
    Frozen,
    /// Not a weight of the model. Only objectives read and replace it.
    Buffer,
}

/// One tensor of a training.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Name in the file of weights; empty for a buffer.
    pub(crate) name: String,
    pub(crate) key: TensorName,
    pub(crate) role: Role,
    pub(crate) weight: Weight,
    /// Running mean of the gradient (`first`) and of its square, as in AdamW; empty unless the weight is trained.
    pub(crate) first: Vec<f32>,
    pub(crate) second: Vec<f32>,
    /// The values with the lowest validation loss; empty before the first, and where they are not kept.
    pub(crate) best: Vec<f32>,
    /// Whether weight decay applies.
    pub(crate) decays: bool,
}

/// All tensors of a training: the model's weights in the order of the forward pass, then the buffers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(pub(crate) Vec<Parameter>);

impl Parameters {
    /// `names` gives the order of the weights; all of them are trained. Vectors (norms) are not decayed.
    pub(crate) fn new(names: &[(String, Vec<usize>)], mut weights: WeightMap) -> Self {
        let take = |(name, _): &(String, Vec<usize>)| {
            let weight = weights.remove(name)?;
            let zeros = vec![0.0; weight.values.len()];
            let decays = weight.shape.len() > 1;
            Some(Parameter {
                name: name.clone(),
                key: TensorName::of_weight(name),
                role: Role::Trained,
                weight,
                first: zeros.clone(),
                second: zeros,
                best: Vec::new(),
                decays,
            })
        };
        Self(names.iter().filter_map(take).collect())
    }

    /// Freezes weights.
    ///
    /// # Errors
    /// A name is not that of a trained weight, or nothing is left to train.
    pub(crate) fn freeze(&mut self, names: &BTreeSet<TensorName>) -> Result<(), NnError> {
        for name in names {
            let Some(parameter) = self.trained_mut().find(|parameter| parameter.key == *name) else {
                let problem = "it cannot be frozen: the training has no such weight".into();
                return Err(NnError::NamedTensor { name: name.to_string(), problem });
            };
            parameter.role = Role::Frozen;
            parameter.first = Vec::new();
            parameter.second = Vec::new();
        }
        if self.trained().next().is_none() {
            let range = "fewer than all weights of the expert";
            return Err(NnError::Setting { field: "frozen", value: names.len() as f64, range });
        }
        Ok(())
    }

    /// Adds a buffer.
    ///
    /// # Errors
    /// There is a buffer of that name, or the sizes do not match the values.
    pub(crate) fn add_buffer(&mut self, buffer: &NamedTensor) -> Result<(), NnError> {
        if self.has_buffer(&buffer.name) {
            return Err(twice(&buffer.name));
        }
        self.0.push(Parameter {
            name: String::new(),
            key: buffer.name.clone(),
            role: Role::Buffer,
            weight: buffer.weight()?,
            first: Vec::new(),
            second: Vec::new(),
            best: Vec::new(),
            decays: false,
        });
        Ok(())
    }

    /// Whether there is a buffer of this name.
    pub(crate) fn has_buffer(&self, name: &TensorName) -> bool {
        self.of(Role::Buffer).any(|buffer| buffer.key == *name)
    }

    /// The buffer of this name.
    pub(crate) fn buffer_mut(&mut self, name: &TensorName) -> Option<&mut Weight> {
        let mut buffers = self.0.iter_mut().filter(|parameter| parameter.role == Role::Buffer);
        buffers.find(|buffer| buffer.key == *name).map(|buffer| &mut buffer.weight)
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Parameter> {
        self.0.iter().filter(move |parameter| parameter.role == role)
    }

    /// The trained weights, in the order of the forward pass.
    pub(crate) fn trained(&self) -> impl Iterator<Item = &Parameter> {
        self.of(Role::Trained)
    }

    /// The trained weights, in the order of the forward pass.
    pub(crate) fn trained_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        self.0.iter_mut().filter(|parameter| parameter.role == Role::Trained)
    }

    /// Number of trained scalars.
    pub(crate) fn count(&self) -> u64 {
        self.trained().map(|parameter| parameter.weight.values.len() as u64).sum()
    }

    /// Saves the current values as those with the lowest validation loss.
    pub(crate) fn note_best(&mut self) {
        for parameter in self.trained_mut() {
            parameter.best.clone_from(&parameter.weight.values);
        }
    }

    /// Restores the saved values, if there are any. Buffers keep the values of the last step.
    pub(crate) fn take_best(&mut self) {
        for parameter in self.trained_mut().filter(|parameter| !parameter.best.is_empty()) {
            parameter.weight.values = std::mem::take(&mut parameter.best);
        }
    }

    /// Uploads the trained weights to a device.
    pub(crate) fn upload(&self, device: &Device) -> Vec<Tensor<2>> {
        self.trained().map(|parameter| parameter.on(device)).collect()
    }

    /// Uploads the frozen weights to a device: for each weight of the model its tensor, or `None` if it is trained.
    pub(crate) fn upload_frozen(&self, device: &Device) -> Vec<Option<Tensor<2>>> {
        let weights = self.0.iter().filter(|parameter| parameter.role != Role::Buffer);
        weights.map(|weight| (weight.role == Role::Frozen).then(|| weight.on(device))).collect()
    }

    /// Uploads the buffers to a device.
    pub(crate) fn upload_buffers(&self, device: &Device) -> TensorsByName {
        TensorsByName(self.of(Role::Buffer).map(|buffer| (buffer.key.clone(), buffer.on(device))).collect())
    }

    /// The buffers in host memory.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "returned to callers with objectives, which only tests have so far")
    )]
    pub(crate) fn buffers(&self) -> Vec<NamedTensor> {
        self.of(Role::Buffer)
            .map(|Parameter { key, weight, .. }| NamedTensor {
                name: key.clone(),
                shape: weight.shape.clone(),
                values: weight.values.clone(),
            })
            .collect()
    }

    /// The model's weights by name.
    pub(crate) fn into_weights(self) -> WeightMap {
        let weights = self.0.into_iter().filter(|parameter| parameter.role != Role::Buffer);
        weights.map(|parameter| (parameter.name, parameter.weight)).collect()
    }
}

impl Parameter {
    fn on(&self, device: &Device) -> Tensor<2> {
        upload(self.weight.values.clone(), self.weight.sizes(), device)
    }
}
