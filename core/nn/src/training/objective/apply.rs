//! Calls the objectives of a training at the moments of a step, and checks what they return.

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor};

use super::{GradientTensors, Moments, Objective, StepContext, Stepped, SteppedTensors, TermTensors};
use crate::error::NnError;
use crate::training::gradient::leaves;
use crate::training::named::{TensorName, TensorsByName};
use crate::training::parameters::Parameters;
use crate::weights::{download, upload};
use crate::workers::Workers;

/// Objectives with their tensors on the device.
pub(in crate::training) struct ActiveObjectives<'a> {
    pub(super) list: &'a [&'a dyn Objective],
    pub(super) earlier: Vec<TensorsByName>,
    pub(super) device: &'a Device,
}

/// The sum of all loss terms.
#[derive(Debug, Default)]
pub(in crate::training) struct AddedTerms {
    pub(in crate::training) loss: f64,
    /// For each objective with a term, in their order: one gradient per trained weight, `None` where the term does not
    /// depend on it.
    pub(in crate::training) gradients: Vec<Vec<Option<Vec<f32>>>>,
}

impl ActiveObjectives<'_> {
    /// Whether there are no objectives.
    pub(in crate::training) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether an objective takes part in a moment.
    pub(in crate::training) fn any(&self, moment: fn(Moments) -> bool) -> bool {
        self.list.iter().any(|objective| moment(objective.moments()))
    }

    fn at(&self, moment: fn(Moments) -> bool) -> Vec<&dyn Objective> {
        self.list.iter().copied().filter(|objective| moment(objective.moments())).collect()
    }

    /// Computes the loss terms and their gradients. `tensors` are the trained weights.
    ///
    /// # Errors
    /// An objective failed, or its term is not `[1]`.
    pub(in crate::training) fn terms(
        &self,
        at: &StepContext<'_>,
        parameters: &Parameters,
        tensors: &[Tensor<2>],
        workers: &Workers,
    ) -> Result<AddedTerms, NnError> {
        let wanted = self.at(|moments| moments.term);
        let buffers = parameters.upload_buffers(self.device);
        let found = Mutex::new(wanted.iter().map(|_| None).collect::<Vec<_>>());
        workers.each_alone(wanted.len(), &|number| {
            let leaves = leaves(tensors);
            let names = parameters.trained().map(|parameter| parameter.key.clone());
            let trained = TensorsByName(names.zip(leaves.iter().cloned()).collect());
            let of = TermTensors { trained: &trained, earlier: &self.earlier, buffers: &buffers };
            let objective = wanted[number];
            let Some(term) = objective.term(at, &of)? else { return Ok(()) };
            if term.dims() != [1] {
                return Err(wrong(objective, &format!("its loss term is {:?}, expected [1]", term.dims())));
            }
            let mut gradients = leaves.iter().map(|_| None).collect::<Vec<_>>();
            if term.is_tracked() {
                let mut tape = term.backward();
                for (leaf, gradient) in leaves.iter().zip(&mut gradients) {
                    *gradient = leaf.grad_remove(&mut tape).map(download).transpose()?;
                }
            }
            let value = if term.is_tracked() { term.inner() } else { term };
            let value = download(value.reshape([1, 1]))?[0];
            found.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some((value, gradients));
            Ok(())
        })?;
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut added = AddedTerms::default();
        for (value, gradients) in found.into_iter().flatten() {
            added.loss += f64::from(value);
            added.gradients.push(gradients);
        }
        Ok(added)
    }

    /// Lets the objectives change the gradient, one after the other. `tensors` are the trained weights, which
    /// `gradients` follows.
    ///
    /// # Errors
    /// An objective failed, or returned a gradient of another shape.
    pub(in crate::training) fn gradient(
        &self,
        at: &StepContext<'_>,
        parameters: &Parameters,
        tensors: &[Tensor<2>],
        gradients: &mut [Vec<f32>],
        workers: &Workers,
    ) -> Result<(), NnError> {
        let wanted = self.at(|moments| moments.gradient);
        let buffers = parameters.upload_buffers(self.device);
        let names: Vec<&TensorName> = parameters.trained().map(|parameter| &parameter.key).collect();
        for objective in wanted {
            let changed = Mutex::new(names.iter().map(|_| None).collect::<Vec<_>>());
            workers.each_alone(names.len(), &|number| {
                let (name, weight) = (names[number], tensors[number].clone());
                let gradient = upload(gradients[number].clone(), weight.dims(), self.device);
                let sizes = weight.dims();
                let of = GradientTensors { name, weight, gradient, buffers: &buffers };
                let Some(gradient) = objective.gradient(at, &of)? else { return Ok(()) };
                let gradient = checked(objective, name, gradient, sizes)?;
                changed.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(gradient);
                Ok(())
            })?;
            let changed = changed.into_inner().unwrap_or_else(PoisonError::into_inner);
            for (gradient, changed) in gradients.iter_mut().zip(changed) {
                *gradient = changed.unwrap_or_else(|| std::mem::take(gradient));
            }
        }
        Ok(())
    }

    /// Lets the objectives replace weights and buffers after the update. `before` are the trained weights before it,
    /// `gradients`, multiplied by `factor`, what it used.
    ///
    /// # Errors
    /// An objective failed, or returned a tensor of another shape or a buffer that does not exist.
    pub(in crate::training) fn after_step(
        &self,
        at: &StepContext<'_>,
        parameters: &mut Parameters,
        before: &[Tensor<2>],
        gradients: &[Vec<f32>],
        factor: f32,
    ) -> Result<(), NnError> {
        let mut buffers = parameters.upload_buffers(self.device);
        let names: Vec<TensorName> = parameters.trained().map(|parameter| parameter.key.clone()).collect();
        for objective in self.at(|moments| moments.after_step) {
            for (number, name) in names.iter().enumerate() {
                let sizes = before[number].dims();
                let gradient = gradients[number].iter().map(|value| value * factor).collect();
                let Some(parameter) = parameters.trained_mut().nth(number) else { continue };
                let of = SteppedTensors {
                    name,
                    before: before[number].clone(),
                    after: upload(parameter.weight.values.clone(), sizes, self.device),
                    gradient: upload(gradient, sizes, self.device),
                    buffers: &buffers,
                };
                let Stepped { weight, buffers: replaced } = objective.after_step(at, &of)?;
                if let Some(weight) = weight {
                    parameter.weight.values = checked(objective, name, weight, sizes)?;
                }
                for (name, tensor) in replaced {
                    let Some(buffer) = parameters.buffer_mut(&name) else {
                        return Err(wrong(objective, &format!("there is no buffer `{name}`")));
                    };
                    buffer.values = checked(objective, &name, tensor.clone(), buffer.sizes())?;
                    buffers.0.insert(name, tensor);
                }
            }
        }
        Ok(())
    }
}

/// Downloads what an objective returned, if it has the expected sizes.
fn checked(
    objective: &dyn Objective,
    name: &TensorName,
    tensor: Tensor<2>,
    sizes: [usize; 2],
) -> Result<Vec<f32>, NnError> {
    if tensor.dims() != sizes {
        let problem = format!("`{name}` became {:?}, expected {sizes:?}", tensor.dims());
        return Err(wrong(objective, &problem));
    }
    download(tensor)
}

fn wrong(objective: &dyn Objective, problem: &str) -> NnError {
    NnError::Objective { objective: objective.name().into(), problem: problem.into() }
}
