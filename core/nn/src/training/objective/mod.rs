//! What an objective adds to a training: loss terms over parameters, changes of the gradient, and changes after the
//! update. An objective must be a pure function of what it is given, so that a resumed training repeats it.

mod apply;

use std::collections::BTreeSet;

use burn::tensor::{Device, Tensor};
use cadre_store::Digest;

use super::named::{NamedTensor, TensorName, TensorsByName};
use super::parameters::{Parameter, Parameters};
use crate::error::NnError;

pub(super) use apply::{ActiveObjectives, AddedTerms};

/// Something that shapes a training besides the loss of its examples. Its tensors are f32, whatever the precision of the
/// model, and in the orientation of the store: A `[rank, in]`, B `[out, rank]`; a vector is one row. Every method runs on
/// one thread, so its results do not depend on the number of threads.
pub(crate) trait Objective: Send + Sync {
    /// Name for error messages.
    fn name(&self) -> &str;

    /// Everything that the results depend on besides the arguments, such as settings and a digest of the code. Part of
    /// the identity of checkpoints.
    fn identity(&self) -> serde_json::Value;

    /// The moments that the objective takes part in. Nothing is uploaded for the others.
    fn moments(&self) -> Moments;

    /// Initial values of the buffers that the objective keeps, for a training of these weights. A buffer of the same
    /// name in [`TrainingInputs::buffers`] replaces the initial values.
    fn buffers(&self, _trained: &[WeightShape<'_>]) -> Vec<NamedTensor> {
        Vec::new()
    }

    /// A loss term over parameters, `[1]`, already weighted; `None` adds nothing. Called once per optimizer step. The
    /// trained weights are on a tape of their own; all other tensors are constants.
    ///
    /// # Errors
    /// A tensor that the term needs is missing, or the backend failed.
    fn term(&self, _at: &StepContext<'_>, _of: &TermTensors<'_>) -> Result<Option<Tensor<1>>, NnError> {
        Ok(None)
    }

    /// The gradient to use in place of the whole gradient of one weight, terms included, before clipping; `None` keeps
    /// it. Nothing is on a tape.
    ///
    /// # Errors
    /// A tensor that the change needs is missing, or the backend failed.
    fn gradient(
        &self,
        _at: &StepContext<'_>,
        _of: &GradientTensors<'_>,
    ) -> Result<Option<Tensor<2>>, NnError> {
        Ok(None)
    }

    /// What replaces one weight, and buffers, after its update. Called for one weight after the other; each call is
    /// given the buffers as the previous one left them. Nothing is on a tape.
    ///
    /// # Errors
    /// A tensor that the change needs is missing, or the backend failed.
    fn after_step(&self, _at: &StepContext<'_>, _of: &SteppedTensors<'_>) -> Result<Stepped, NnError> {
        Ok(Stepped::default())
    }
}

/// The moments of a step that an objective takes part in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moments {
    /// Whether [`Objective::term`] is called.
    pub(crate) term: bool,
    /// Whether [`Objective::gradient`] is called.
    pub(crate) gradient: bool,
    /// Whether [`Objective::after_step`] is called.
    pub(crate) after_step: bool,
}

/// Name and shape of a trained weight.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by objectives, which only tests have so far"))]
pub(crate) struct WeightShape<'a> {
    pub(crate) name: &'a TensorName,
    /// One or two sizes.
    pub(crate) shape: &'a [usize],
}

/// The numbers of an optimizer step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepContext<'a> {
    /// The step, counted from 1.
    pub(crate) step: u64,
    /// Total number of steps.
    pub(crate) steps: u64,
    pub(crate) learning_rate: f64,
    /// Loss of the step's examples, without terms, in nats per token.
    pub(crate) loss: f32,
    /// Where tensors are made.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by objectives, which only tests have so far"))]
    pub(crate) device: &'a Device,
}

/// What a loss term is given.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by objectives, which only tests have so far"))]
pub(crate) struct TermTensors<'a> {
    /// The trained weights, on the tape.
    pub(crate) trained: &'a TensorsByName,
    /// The weights of earlier experts, oldest first.
    pub(crate) earlier: &'a [TensorsByName],
    pub(crate) buffers: &'a TensorsByName,
}

/// What a change of a gradient is given.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by objectives, which only tests have so far"))]
pub(crate) struct GradientTensors<'a> {
    pub(crate) name: &'a TensorName,
    pub(crate) weight: Tensor<2>,
    pub(crate) gradient: Tensor<2>,
    pub(crate) buffers: &'a TensorsByName,
}

/// What a change after the update is given.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by objectives, which only tests have so far"))]
pub(crate) struct SteppedTensors<'a> {
    pub(crate) name: &'a TensorName,
    /// The weight before the update.
    pub(crate) before: Tensor<2>,
    /// The weight after the update, and after the changes of earlier objectives.
    pub(crate) after: Tensor<2>,
    /// The gradient that the update used, after clipping.
    pub(crate) gradient: Tensor<2>,
    pub(crate) buffers: &'a TensorsByName,
}

/// What an objective changes after an update.
#[derive(Debug, Default)]
pub(crate) struct Stepped {
    /// Replaces the weight; the optimizer state stays.
    pub(crate) weight: Option<Tensor<2>>,
    /// Replace buffers of the same name and shape.
    pub(crate) buffers: Vec<(TensorName, Tensor<2>)>,
}

/// The tensors that a training is given besides its examples and the initial weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingInputs {
    /// The weights of earlier experts, oldest first. They do not change.
    pub earlier: Vec<Vec<NamedTensor>>,
    /// Initial buffers, such as the Fisher information and the anchors of an earlier task.
    pub buffers: Vec<NamedTensor>,
    /// Weights of the expert that keep their initial values.
    pub frozen: BTreeSet<TensorName>,
}

/// The objectives of a training, in the order in which they are applied, and their tensors.
#[derive(Clone, Copy)]
pub(crate) struct Objectives<'a> {
    pub(crate) list: &'a [&'a dyn Objective],
    pub(crate) inputs: &'a TrainingInputs,
}

static NO_INPUTS: TrainingInputs =
    TrainingInputs { earlier: Vec::new(), buffers: Vec::new(), frozen: BTreeSet::new() };

impl<'a> Objectives<'a> {
    /// No objectives.
    pub(crate) fn none() -> Objectives<'static> {
        Objectives { list: &[], inputs: &NO_INPUTS }
    }

    /// Whether there are no objectives.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Freezes weights and adds the buffers to the parameters of a training.
    ///
    /// # Errors
    /// An unknown weight, a buffer that is given twice, or sizes that do not match the values.
    pub(crate) fn prepare(&self, parameters: &mut Parameters) -> Result<(), NnError> {
        parameters.freeze(&self.inputs.frozen)?;
        let name_and_shape = |parameter: &Parameter| (parameter.key.clone(), parameter.weight.shape.clone());
        let trained: Vec<(TensorName, Vec<usize>)> = parameters.trained().map(name_and_shape).collect();
        let shapes: Vec<WeightShape<'_>> =
            trained.iter().map(|(name, shape)| WeightShape { name, shape }).collect();
        for buffer in &self.inputs.buffers {
            parameters.add_buffer(buffer)?;
        }
        for buffer in self.list.iter().flat_map(|objective| objective.buffers(&shapes)) {
            if !self.inputs.buffers.iter().any(|given| given.name == buffer.name) {
                parameters.add_buffer(&buffer)?;
            }
        }
        Ok(())
    }

    /// Identifies the objectives and the weights of earlier experts.
    pub(crate) fn identity(&self) -> serde_json::Value {
        let objective =
            |objective: &&dyn Objective| serde_json::json!([objective.name(), objective.identity()]);
        let objectives: Vec<serde_json::Value> = self.list.iter().map(objective).collect();
        let earlier: Vec<Digest> = self.inputs.earlier.iter().map(|expert| digest(expert)).collect();
        serde_json::json!({ "objectives": objectives, "earlier": earlier })
    }

    /// Uploads the weights of earlier experts.
    ///
    /// # Errors
    /// A name occurs twice, or a shape does not match its values.
    pub(super) fn activate(&self, device: &'a Device) -> Result<ActiveObjectives<'a>, NnError> {
        let upload = |expert: &Vec<NamedTensor>| TensorsByName::upload(expert, device);
        let earlier = self.inputs.earlier.iter().map(upload).collect::<Result<_, _>>()?;
        Ok(ActiveObjectives { list: self.list, earlier, device })
    }
}

fn digest(tensors: &[NamedTensor]) -> Digest {
    let mut bytes = Vec::new();
    for NamedTensor { name, shape, values } in tensors {
        // The text cannot be mistaken for values: its length comes first.
        let head = format!("{name} {shape:?}");
        bytes.extend((head.len() as u64).to_le_bytes());
        bytes.extend(head.as_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    Digest::of_bytes(&bytes)
}
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
