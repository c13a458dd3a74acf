//! The gradient of a micro-batch with little memory (Chen et al. 2016, "Training deep nets with sublinear memory
//! cost"). The forward pass keeps only the input of every layer; the backward pass recomputes one layer at a time, on a
//! tape of its own. The operations, and the order in which gradients are added, must be those of a single tape over
//! everything, so that the results on the CPU are the same to the last bit.

use burn::tensor::{Gradients, Tensor};

use super::gradient::{StepGradient, leaves};
use super::micro::Micro;
use super::trainee::Trainee;
use crate::error::NnError;
use crate::weights::download;

/// Loss and gradients of a micro-batch.
///
/// # Errors
/// The backend failed.
pub(super) fn gradient(
    trainee: &dyn Trainee,
    parameters: &[Tensor<2>],
    micro: &Micro,
) -> Result<StepGradient, NnError> {
    let leaves = leaves(parameters);
    let plain = trainee.model(parameters, micro.rows)?;
    let tracked = trainee.model(&leaves, micro.rows)?;
    let mut sums = Sums { leaves: &leaves, gradients: leaves.iter().map(|_| None).collect() };

    let entered = tracked.enter(micro);
    // If no embedding is trained, nothing below the first update needs a gradient.
    let entry_trained = entered.is_tracked();
    let mut x = entered.clone().inner();
    // The last layer is not recomputed: its backward runs together with that of the loss, while its tape still exists.
    let last = tracked.layers() - 1;
    let mut inputs = Vec::with_capacity(last);
    for number in 0..last {
        inputs.push(x.clone());
        x = plain.layer(number, x, micro);
    }

    let input = start(x, last > 0 || entry_trained);
    let loss = tracked.loss_of(tracked.layer(last, input.clone(), micro), micro);
    let mut found = loss.backward();
    let loss = download(loss.inner())?;
    let mut above = input.grad_remove(&mut found);
    sums.add(&mut found)?;
    drop(found);

    for (number, x) in inputs.into_iter().enumerate().rev() {
        let Some(gradient) = above.take() else { break };
        let input = start(x, number > 0 || entry_trained);
        let value = tracked.layer(number, input.clone(), micro);
        // All weights of the first layer may be frozen.
        if !value.is_tracked() {
            break;
        }
        let mut found = drive(value, gradient);
        above = input.grad_remove(&mut found);
        sums.add(&mut found)?;
    }
    if let Some(gradient) = above.filter(|_| entry_trained) {
        sums.add(&mut drive(entered, gradient))?;
    }
    Ok(StepGradient { loss: f64::from(loss[0]), gradients: sums.finish() })
}

/// The input of a layer: a leaf of a tape if its gradient is needed.
fn start(x: Tensor<2>, wanted: bool) -> Tensor<2> {
    if wanted { x.autodiff().require_grad() } else { x }
}

/// Runs the backward pass from a value whose gradient is known: that of `Σ value · gradient`.
fn drive(value: Tensor<2>, gradient: Tensor<2>) -> Gradients {
    (value * gradient).sum().backward()
}

/// Gradients of the parameters, from several tapes.
struct Sums<'a> {
    leaves: &'a [Tensor<2>],
    gradients: Vec<Option<Vec<f32>>>,
}

impl Sums<'_> {
    /// Adds the gradients of one tape. A parameter is on one tape, or on two if it is the matrix of a tied head.
    fn add(&mut self, found: &mut Gradients) -> Result<(), NnError> {
        for (leaf, sum) in self.leaves.iter().zip(&mut self.gradients) {
            let Some(gradient) = leaf.grad_remove(found) else { continue };
            let gradient = download(gradient)?;
            match sum {
                None => *sum = Some(gradient),
                Some(sum) => sum.iter_mut().zip(gradient).for_each(|(sum, more)| *sum += more),
            }
        }
        Ok(())
    }

    fn finish(self) -> Vec<Vec<f32>> {
        let whole = |(leaf, sum): (&Tensor<2>, Option<Vec<f32>>)| {
            sum.unwrap_or_else(|| vec![0.0; leaf.shape().num_elements()])
        };
        self.leaves.iter().zip(self.gradients).map(whole).collect()
    }
}

#[cfg(test)]
mod tests;
