//! AdamW (Loshchilov & Hutter 2019) as in `torch.optim.AdamW`, and clipping by the norm of the whole gradient as in
//! `clip_grad_norm_`. Runs on the host in f32, so that every backend takes the same steps.

use rayon::prelude::*;

use super::parameters::Parameters;
use crate::kernel::simd::vectorised;

/// PyTorch's defaults.
const BETA_FIRST: f64 = 0.9;
const BETA_SECOND: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// Elements per parallel job and per partial sum of the norm; fixed, so that the sum does not depend on the number of
/// threads.
const JOB: usize = 1 << 14;

/// L2 norm of the whole gradient.
pub(crate) fn norm(gradients: &[Vec<f32>]) -> f64 {
    let partial = |gradient: &Vec<f32>| -> Vec<f64> { gradient.par_chunks(JOB).map(squares).collect() };
    gradients.iter().flat_map(partial).sum::<f64>().sqrt()
}

vectorised! {
    fn squares(values: &[f32]) -> f64 {
        let mut lanes = [0.0f64; 8];
        let (whole, rest) = values.as_chunks::<8>();
        for chunk in whole {
            for lane in 0..8 {
                lanes[lane] += f64::from(chunk[lane]) * f64::from(chunk[lane]);
            }
        }
        let rest: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
        lanes.iter().sum::<f64>() + rest
    }
}

/// The factor that clips a gradient of this norm to `limit`; 1 if `limit` is 0.
pub(crate) fn clip_factor(norm: f64, limit: f64) -> f32 {
    if limit > 0.0 { (limit / (norm + 1e-6)).min(1.0) as f32 } else { 1.0 }
}

/// One AdamW step on the trained weights, which `gradients` follows. `step` counts from 1; gradients are multiplied by
/// `factor` first.
pub(crate) fn update(
    parameters: &mut Parameters,
    gradients: &[Vec<f32>],
    factor: f32,
    step: u64,
    learning_rate: f64,
    weight_decay: f64,
) {
    let exponent = step as f64;
    let corrected_first = 1.0 - BETA_FIRST.powf(exponent);
    let corrected_second = 1.0 - BETA_SECOND.powf(exponent);
    for (parameter, gradient) in parameters.trained_mut().zip(gradients) {
        let decay = if parameter.decays { 1.0 - learning_rate * weight_decay } else { 1.0 };
        let constants = Constants {
            factor,
            decay: decay as f32,
            size: (learning_rate / corrected_first) as f32,
            root: corrected_second.sqrt() as f32,
        };
        parameter
            .weight
            .values
            .par_chunks_mut(JOB)
            .zip(parameter.first.par_chunks_mut(JOB))
            .zip(parameter.second.par_chunks_mut(JOB))
            .zip(gradient.par_chunks(JOB))
            .for_each(|(((weight, first), second), gradient)| {
                apply(weight, first, second, gradient, constants)
            });
    }
}

#[derive(Clone, Copy)]
struct Constants {
    factor: f32,
    decay: f32,
    size: f32,
    root: f32,
}

vectorised! {
    fn apply(weight: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], constants: Constants) {
        let Constants { factor, decay, size, root } = constants;
        let states = weight.iter_mut().zip(first).zip(second);
        for (((weight, first), second), gradient) in states.zip(gradient) {
            let gradient = gradient * factor;
            *first += (gradient - *first) * (1.0 - BETA_FIRST) as f32;
            *second = *second * BETA_SECOND as f32 + gradient * gradient * (1.0 - BETA_SECOND) as f32;
            let denominator = second.sqrt() / root + EPSILON as f32;
            *weight = *weight * decay - size * (*first / denominator);
        }
    }
}
