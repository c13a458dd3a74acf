//! The gradient of one optimizer step. Workers compute micro-batches; their gradients must be added in the order of the
//! micro-batches, whichever finishes first.

use std::collections::BTreeMap;
use std::sync::Mutex;

use burn::tensor::Tensor;

use super::micro::Micro;
use super::recompute;
use super::trainee::Trainee;
use crate::error::NnError;
use crate::kernel::simd::vectorised;
use crate::weights::download;
use crate::workers::Workers;

/// Loss and gradients of one step.
#[derive(Debug, PartialEq)]
pub(crate) struct StepGradient {
    pub(crate) loss: f64,
    /// One vector per parameter, in the order of the parameters.
    pub(crate) gradients: Vec<Vec<f32>>,
}

/// What the forward pass of a micro-batch keeps for its backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activations {
    /// Everything that the backward pass needs.
    Kept,
    /// Only the inputs of the layers; the rest is recomputed.
    Recomputed,
}

/// Passes on values in the order of their numbers that arrive in any order.
pub(super) struct InOrder<T> {
    next: usize,
    waiting: BTreeMap<usize, T>,
}

/// Computes the gradient over all micro-batches at the current parameters.
///
/// # Errors
/// The backend failed.
pub(crate) fn gradient(
    trainee: &dyn Trainee,
    parameters: &[Tensor<2>],
    micros: &[Micro],
    workers: &Workers,
    activations: Activations,
) -> Result<StepGradient, NnError> {
    let sums = Mutex::new((InOrder::default(), StepGradient { loss: 0.0, gradients: Vec::new() }));
    workers.each(micros.len(), &|number| {
        let found = of_micro(trainee, parameters, &micros[number], activations)?;
        let mut sums = sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (order, sum) = &mut *sums;
        order.put(number, found, &mut |found| sum.add(found));
        Ok(())
    })?;
    Ok(sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).1)
}

/// Computes the loss and the gradient of one micro-batch.
///
/// # Errors
/// The backend failed.
pub(super) fn of_micro(
    trainee: &dyn Trainee,
    parameters: &[Tensor<2>],
    micro: &Micro,
    activations: Activations,
) -> Result<StepGradient, NnError> {
    match activations {
        Activations::Kept => one(trainee, parameters, micro),
        Activations::Recomputed => recompute::gradient(trainee, parameters, micro),
    }
}

/// Separate leaves for one micro-batch, so that its graph is independent of those of other workers.
pub(super) fn leaves(parameters: &[Tensor<2>]) -> Vec<Tensor<2>> {
    parameters.iter().map(|tensor| tensor.clone().autodiff().require_grad()).collect()
}

fn one(trainee: &dyn Trainee, parameters: &[Tensor<2>], micro: &Micro) -> Result<StepGradient, NnError> {
    let leaves = leaves(parameters);
    let loss = trainee.model(&leaves, micro.rows)?.loss(micro);
    let mut found = loss.backward();
    let mut gradients = Vec::with_capacity(leaves.len());
    for leaf in &leaves {
        gradients.push(match leaf.grad_remove(&mut found) {
            Some(gradient) => download(gradient)?,
            None => vec![0.0; leaf.shape().num_elements()],
        });
    }
    let loss = download(loss.inner())?;
    Ok(StepGradient { loss: f64::from(loss[0]), gradients })
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self { next: 0, waiting: BTreeMap::new() }
    }
}

impl<T> InOrder<T> {
    /// Adds a value, and calls `take` with all values whose turn it is.
    pub(super) fn put(&mut self, number: usize, value: T, take: &mut dyn FnMut(T)) {
        self.waiting.insert(number, value);
        while let Some(value) = self.waiting.remove(&self.next) {
            self.next += 1;
            take(value);
        }
    }
}

impl StepGradient {
    fn add(&mut self, more: Self) {
        self.loss += more.loss;
        if self.gradients.is_empty() {
            self.gradients = more.gradients;
        } else {
            for (sum, more) in self.gradients.iter_mut().zip(&more.gradients) {
                add(sum, more);
            }
        }
    }
}

vectorised! {
    pub(super) fn add(sum: &mut [f32], more: &[f32]) {
        for (sum, more) in sum.iter_mut().zip(more) {
            *sum += more;
        }
    }
}
