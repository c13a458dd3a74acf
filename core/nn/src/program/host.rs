//! Programs on host arrays: for checks of methods against cases, and for merges of experts on disk.

use std::sync::Arc;

use burn::tensor::Device;
use cadre_contract::program::{ElementKind, OutputRole, Program, TensorType};

use super::runner::{RunOptions, Runner};
use super::value::AnyTensor;
use crate::error::NnError;
use crate::workers::Workers;

/// An array in host memory, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Sizes, 1 to 4.
    pub shape: Vec<u32>,
    /// The elements.
    pub values: HostValues,
}

/// Elements of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum HostValues {
    /// f32.
    Float(Vec<f32>),
    /// Integers.
    Int(Vec<i64>),
    /// Truth values.
    Bool(Vec<bool>),
}

impl HostTensor {
    /// A float array.
    #[must_use]
    pub fn floats(shape: Vec<u32>, values: Vec<f32>) -> Self {
        Self { shape, values: HostValues::Float(values) }
    }

    /// Kind and shape.
    #[must_use]
    pub fn kind(&self) -> TensorType {
        let kind = match self.values {
            HostValues::Float(_) => ElementKind::Float,
            HostValues::Int(_) => ElementKind::Int,
            HostValues::Bool(_) => ElementKind::Bool,
        };
        TensorType { kind, shape: self.shape.clone() }
    }

    /// The elements as f64; `true` is 1.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.values {
            HostValues::Float(values) => values.iter().map(|value| f64::from(*value)).collect(),
            HostValues::Int(values) => values.iter().map(|value| *value as f64).collect(),
            HostValues::Bool(values) => values.iter().map(|value| f64::from(u8::from(*value))).collect(),
        }
    }

    /// The transpose of a float matrix; other arrays are returned as they are.
    #[must_use]
    pub fn transposed(self) -> Self {
        match (self.shape.as_slice(), &self.values) {
            (&[rows, columns], HostValues::Float(values)) => {
                let (height, width) = (rows as usize, columns as usize);
                let mut turned = Vec::with_capacity(values.len());
                for column in 0..width {
                    turned.extend((0..height).map(|row| values[row * width + column]));
                }
                Self::floats(vec![columns, rows], turned)
            }
            _ => self,
        }
    }

    /// The elements of a float array; none for other kinds.
    #[must_use]
    pub fn into_floats(self) -> Vec<f32> {
        match self.values {
            HostValues::Float(values) => values,
            HostValues::Int(_) | HostValues::Bool(_) => Vec::new(),
        }
    }

    fn sizes(&self) -> Vec<usize> {
        self.shape.iter().map(|size| *size as usize).collect()
    }

    fn upload(self, device: &Device) -> AnyTensor {
        let sizes = self.sizes();
        match self.values {
            HostValues::Float(values) => AnyTensor::floats(values, &sizes, device),
            HostValues::Int(values) => AnyTensor::ints(values, &sizes, device),
            HostValues::Bool(values) => AnyTensor::bools(values, &sizes, device),
        }
    }

    fn download(tensor: &AnyTensor) -> Result<Self, NnError> {
        let failed = |problem| NnError::Compute { problem };
        let shape = tensor.shape().iter().map(|size| *size as u32).collect();
        let values = match tensor.kind() {
            ElementKind::Float => HostValues::Float(tensor.to_floats().map_err(failed)?),
            ElementKind::Int => HostValues::Int(tensor.to_ints().map_err(failed)?),
            ElementKind::Bool => HostValues::Bool(tensor.to_bools().map_err(failed)?),
        };
        Ok(Self { shape, values })
    }
}

/// Outputs and gradients of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    /// The outputs, in the program's order.
    pub outputs: Vec<HostTensor>,
    /// Gradient of the loss term with respect to each input, in the program's order; `None` where none was wanted or
    /// none reaches.
    pub gradients: Vec<Option<HostTensor>>,
}

/// Runs a program without experts on the CPU. With `gradients`, the gradient of its loss term is computed for all float
/// inputs that it reaches. Uses one thread: burn-flex divides sums of millions of elements among its threads, and the
/// last bits would depend on their number.
///
/// # Errors
/// Inputs of other types, an index out of range, a matrix that cannot be decomposed, or a failure of the backend.
pub fn evaluate(
    program: &Arc<Program>,
    inputs: Vec<HostTensor>,
    seed: u64,
    gradients: bool,
) -> Result<Evaluated, NnError> {
    Workers::new(1)?.wide(|| on_one_thread(program, inputs, seed, gradients))
}

fn on_one_thread(
    program: &Arc<Program>,
    inputs: Vec<HostTensor>,
    seed: u64,
    gradients: bool,
) -> Result<Evaluated, NnError> {
    let device = Device::flex();
    let no_experts = |index: usize, x: burn::tensor::Tensor<2>| {
        debug_assert!(false, "the program calls expert {index}");
        x
    };
    let runner = Runner::new(Arc::clone(program), &device);
    let loss = program.outputs().iter().position(|output| output.role == OutputRole::LossTerm);
    let loss = loss.filter(|_| gradients);
    let reached = loss.map(|loss| program.reaches(loss)).unwrap_or_default();
    let mut found = vec![None; inputs.len()];
    // The runner frees inputs after their last use: only leaves are kept, for their gradients.
    let mut leaves = Vec::new();
    let uploaded = inputs.into_iter().enumerate().map(|(index, input)| {
        let tensor = input.upload(&device);
        if reached.get(index) != Some(&true) {
            return tensor;
        }
        let leaf = tensor.leaf();
        leaves.push((index, leaf.clone()));
        leaf
    });
    let uploaded = uploaded.collect();
    let outputs = runner.run(uploaded, &no_experts, RunOptions { seed, ..RunOptions::default() })?;
    if let Some(loss) = loss
        && let AnyTensor::Float1(loss) = &outputs[loss]
        && !leaves.is_empty()
    {
        let mut tape = loss.backward();
        for (index, leaf) in &leaves {
            found[*index] = leaf.take_gradient(&mut tape).as_ref().map(HostTensor::download).transpose()?;
        }
    }
    let outputs =
        outputs.into_iter().map(|output| HostTensor::download(&output.inner())).collect::<Result<_, _>>()?;
    Ok(Evaluated { outputs, gradients: found })
}

#[cfg(test)]
mod tests {
    use cadre_contract::program::{Builder, Op, Output, ProgramLimits, Reduction, Source};

    use super::*;

    /// The bits of the sum and the product of large arrays, computed by a caller with this many threads.
    fn bits(threads: usize) -> Vec<u32> {
        let count = 5_000_000_u32;
        let inputs = [(Source::Base, TensorType::float([count]))];
        let mut program = Builder::new(inputs, vec![], ProgramLimits::default()).unwrap();
        let sum = program.apply(Op::ReduceAll(Reduction::Sum), &[0]).unwrap()[0];
        let norm = program.apply(Op::ReduceAll(Reduction::Norm), &[0]).unwrap()[0];
        let output = |name: &str, value| Output { role: OutputRole::Case(name.to_owned()), value };
        let program = Arc::new(program.finish(vec![output("sum", sum), output("norm", norm)]).unwrap());
        let values: Vec<f32> = (0..count).map(|at| ((at % 9973) as f32).sin() * 1e3).collect();
        let input = HostTensor::floats(vec![count], values);
        let found =
            Workers::new(threads).unwrap().wide(|| evaluate(&program, vec![input], 0, false)).unwrap();
        found
            .outputs
            .iter()
            .flat_map(|output| output.to_f64())
            .map(|value| (value as f32).to_bits())
            .collect()
    }

    #[test]
    fn large_sums_do_not_depend_on_the_callers_threads() {
        let one = bits(1);
        assert_eq!(one, bits(2));
        assert_eq!(one, bits(5));
    }

    #[test]
    fn a_matrix_is_transposed() {
        let matrix = HostTensor::floats(vec![2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let turned = matrix.clone().transposed();
        assert_eq!(turned, HostTensor::floats(vec![3, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(turned.transposed(), matrix);
    }
}
