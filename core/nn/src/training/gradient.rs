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

/// Adds up values in index order that arrive in any order.
struct InOrder {
    next: usize,
    sum: StepGradient,
    waiting: BTreeMap<usize, StepGradient>,
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
    let sums = Mutex::new(InOrder {
        next: 0,
        sum: StepGradient { loss: 0.0, gradients: Vec::new() },
        waiting: BTreeMap::new(),
    });
    workers.each(micros.len(), &|number| {
        let found = match activations {
            Activations::Kept => one(trainee, parameters, &micros[number])?,
            Activations::Recomputed => recompute::gradient(trainee, parameters, &micros[number])?,
        };
        let mut sums = sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sums.waiting.insert(number, found);
        sums.advance();
        Ok(())
    })?;
    Ok(sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).sum)
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

impl InOrder {
    fn advance(&mut self) {
        while let Some(found) = self.waiting.remove(&self.next) {
            self.next += 1;
            self.sum.loss += found.loss;
            if self.sum.gradients.is_empty() {
                self.sum.gradients = found.gradients;
            } else {
                for (sum, more) in self.sum.gradients.iter_mut().zip(&found.gradients) {
                    add(sum, more);
                }
            }
        }
    }
}

vectorised! {
    fn add(sum: &mut [f32], more: &[f32]) {
        for (sum, more) in sum.iter_mut().zip(more) {
            *sum += more;
        }
    }
}
