//! Statistics of the gradients of single examples, such as the Fisher information, without an update. They must not
//! depend on the number of threads.

use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;
use cadre_data::TokenExample;

use super::gradient::{Activations, InOrder, StepGradient, of_micro};
use super::micro::{divide, loss_weight};
use super::named::NamedTensor;
use super::parameters::Parameters;
use super::trainee::Trainee;
use crate::error::NnError;
use crate::workers::Workers;

/// Examples that are computed before the next ones start. This bounds the gradients in memory if one example takes much
/// longer than the others.
const BLOCK: usize = 16;

/// A mean over examples, for every weight: `1 / n · Σ f(weight, gradient of the example)`.
#[derive(Clone, Copy)]
pub struct Statistic<'a> {
    /// Name of the statistic: that of the weight `a` is `a.<name>`.
    pub name: &'a str,
    /// Adds one example to the sums of a weight, given the weight's values and its gradient, all of one length.
    pub add: &'a Accumulate<'a>,
}

/// Adds one example to sums: `(sums, weight, gradient)`.
type Accumulate<'a> = dyn Fn(&mut [f64], &[f32], &[f32]) + Sync + 'a;

impl Statistic<'static> {
    /// The diagonal of the empirical Fisher information: the mean of the squared gradients (Kirkpatrick et al. 2016).
    pub const FISHER: Self = Self { name: "fisher", add: &add_squares };
    /// The mean gradient.
    pub const GRADIENT: Self = Self { name: "gradient", add: &add_gradient };
}

impl std::fmt::Debug for Statistic<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statistic").field("name", &self.name).finish_non_exhaustive()
    }
}

fn add_squares(sums: &mut [f64], _: &[f32], gradient: &[f32]) {
    for (sum, gradient) in sums.iter_mut().zip(gradient) {
        *sum += f64::from(*gradient).powi(2);
    }
}

fn add_gradient(sums: &mut [f64], _: &[f32], gradient: &[f32]) {
    for (sum, gradient) in sums.iter_mut().zip(gradient) {
        *sum += f64::from(*gradient);
    }
}

/// Sums of statistics over examples.
pub(super) struct Sums<'a> {
    statistics: &'a [Statistic<'a>],
    /// For each statistic and each weight.
    sums: Vec<Vec<Vec<f64>>>,
    examples: u64,
}

impl<'a> Sums<'a> {
    pub(super) fn new(statistics: &'a [Statistic<'a>], parameters: &Parameters) -> Self {
        let zeros = || parameters.trained().map(|weight| vec![0.0; weight.weight.values.len()]).collect();
        Self { statistics, sums: statistics.iter().map(|_| zeros()).collect(), examples: 0 }
    }

    /// Adds the gradient of one example: one vector per weight.
    pub(super) fn add(&mut self, parameters: &Parameters, gradients: &[Vec<f32>]) {
        self.examples += 1;
        for (statistic, sums) in self.statistics.iter().zip(&mut self.sums) {
            for ((sums, weight), gradient) in sums.iter_mut().zip(parameters.trained()).zip(gradients) {
                (statistic.add)(sums, &weight.weight.values, gradient);
            }
        }
    }

    /// The means.
    ///
    /// # Errors
    /// A value is not finite.
    pub(super) fn means(self, parameters: &Parameters) -> Result<Vec<NamedTensor>, NnError> {
        let count = self.examples.max(1) as f64;
        let mut found = Vec::new();
        for (statistic, sums) in self.statistics.iter().zip(self.sums) {
            for (weight, sums) in parameters.trained().zip(sums) {
                let name = weight.key.about(statistic.name);
                let values: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
                if !values.iter().all(|value| value.is_finite()) {
                    let problem = "a value is not finite".into();
                    return Err(NnError::NamedTensor { name: name.to_string(), problem });
                }
                found.push(NamedTensor { name, shape: weight.weight.shape.clone(), values });
            }
        }
        Ok(found)
    }
}

/// A model whose gradients are observed.
pub(crate) struct Observed<'a> {
    pub(crate) trainee: &'a dyn Trainee,
    pub(crate) parameters: &'a Parameters,
    pub(crate) workers: &'a Workers,
    pub(crate) device: &'a Device,
    pub(crate) activations: Activations,
}

impl Observed<'_> {
    /// Computes the statistics over examples that all have a token with a loss. The loss of an example is that of a
    /// step with this example alone, without dropout.
    ///
    /// # Errors
    /// The backend failed, or a value is not finite.
    pub(crate) fn statistics(
        &self,
        examples: &[&TokenExample],
        statistics: &[Statistic<'_>],
    ) -> Result<Vec<NamedTensor>, NnError> {
        let tensors = self.parameters.upload(self.device);
        let mut sums = Sums::new(statistics, self.parameters);
        for block in examples.chunks(BLOCK) {
            let found = Mutex::new((InOrder::default(), &mut sums));
            self.workers.each(block.len(), &|number| {
                let example = block[number];
                let micros = divide(&[example], 1, loss_weight(example), None);
                let gradient = of_micro(self.trainee, &tensors, &micros[0], self.activations)?;
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                let (order, sums) = &mut *found;
                order.put(number, gradient, &mut |StepGradient { gradients, .. }| {
                    sums.add(self.parameters, &gradients);
                });
                Ok(())
            })?;
        }
        sums.means(self.parameters)
    }
}
