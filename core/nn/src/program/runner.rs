//! Runs a program on burn, with or without gradients.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use cadre_contract::program::{ElementKind, Op, Output, OutputRole, Program, Unary};

use super::operations::{Surroundings, apply};
use super::value::AnyTensor;
use crate::error::NnError;

/// What an expert of the site (by index) adds for x `[n, in]`: `[n, out]`, its scale included.
pub(crate) type Experts<'a> = dyn Fn(usize, Tensor<2>) -> Tensor<2> + 'a;

/// How matrix products are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Products {
    /// The fastest way, with a gradient.
    #[default]
    Fastest,
    /// Each row independently, to the last bit: for answering, where results must not depend on the other rows of a
    /// batch. Without a gradient. In `a · b` the rows are those of `a`.
    ByRow,
}

/// How to run a program.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RunOptions {
    /// How matrix products are computed.
    pub(crate) products: Products,
    /// Seed of the draws: of stage, step, micro-batch and site, so that a recomputation draws the same.
    pub(crate) seed: u64,
}

/// A program, ready to run on a device any number of times, by any number of threads at once.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    program: Arc<Program>,
    device: Device,
    /// The constants, on the device.
    constants: Vec<AnyTensor>,
    /// For each value, the node after which it is not used again.
    last_uses: Vec<Option<usize>>,
    /// For each node, whether a gradient can flow through it to an output that carries one. Other nodes run outside
    /// autodiff: there they are faster, and the tape does not keep what no backward pass consumes.
    tracked: Vec<bool>,
    /// For each node with indices, whether they have to be checked.
    unchecked: Vec<bool>,
}

impl Runner {
    /// Prepares a program. Its constants are uploaded to the device.
    pub(crate) fn new(program: Arc<Program>, device: &Device) -> Self {
        let device = device.clone().inner();
        let constants = (0..)
            .map_while(|index| program.constant(index))
            .map(|(shape, values)| {
                let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
                AnyTensor::floats(values, &shape, &device)
            })
            .collect();
        let (last_uses, tracked) = (program.last_uses(), tracked_nodes(&program));
        let unchecked = unchecked_nodes(&program);
        Self { program, device, constants, last_uses, tracked, unchecked }
    }

    /// The program.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Runs the program on inputs in the order of [`Program::inputs`]; returns its outputs in their order. Inputs are
    /// given up, so that an input that is not held elsewhere is overwritten in place at its last use. Floats are
    /// computed in f32: inputs of another type are cast, and outputs are f32. An input outside autodiff gets no
    /// gradient. Statistics and buffers are returned outside autodiff.
    ///
    /// # Errors
    /// An input does not have the program's type, an index is outside its dimension, a matrix cannot be decomposed, an
    /// expert returns another shape, a gradient is requested of products by row, or the backend failed.
    pub(crate) fn run(
        &self,
        inputs: Vec<AnyTensor>,
        experts: &Experts<'_>,
        options: RunOptions,
    ) -> Result<Vec<AnyTensor>, NnError> {
        let mut values = self.admit(inputs, options.products)?;
        let around = Surroundings {
            device: &self.device,
            experts,
            products: options.products,
            seed: options.seed,
            constants: &self.constants,
        };
        let types = self.program.types();
        for (number, node) in self.program.nodes().iter().enumerate() {
            let failed = |problem: String| NnError::Program {
                place: format!("operation {number}, {}", node.op),
                problem,
            };
            if self.unchecked[number] {
                check_indices(&node.op, &node.args, &values).map_err(failed)?;
            }
            let mut args = Vec::with_capacity(node.args.len());
            for (place, arg) in node.args.iter().enumerate() {
                let again = node.args[place + 1..].contains(arg);
                let value =
                    take(&mut values, *arg as usize, !again && self.last_uses[*arg as usize] == Some(number))
                        .map_err(failed)?;
                args.push(if self.tracked[number] { value } else { value.inner() });
            }
            let results = apply(&node.op, args, &around).map_err(failed)?;
            for result in results {
                let expected = types.get(values.len());
                // Shapes follow from the program, except for what an expert returns.
                let fits = !matches!(node.op, Op::Expert(_))
                    || expected.is_some_and(|expected| result.is_of(expected.kind, &expected.shape));
                if !fits {
                    return Err(failed(format!("the expert returns the shape {:?}", result.shape())));
                }
                let used = self.last_uses[values.len()] != Some(number);
                values.push(used.then_some(result));
            }
        }
        self.outputs(values)
    }

    /// Checks and casts the inputs. Unused ones are dropped.
    fn admit(&self, inputs: Vec<AnyTensor>, products: Products) -> Result<Vec<Option<AnyTensor>>, NnError> {
        let wrong = |place: String, problem: String| NnError::Program { place, problem };
        let sources = self.program.inputs();
        if inputs.len() != sources.len() {
            let problem = format!("got {}, expected {}", inputs.len(), sources.len());
            return Err(wrong("inputs".into(), problem));
        }
        let mut values = Vec::with_capacity(self.program.types().len());
        for (index, input) in inputs.into_iter().enumerate() {
            let expected = &self.program.types()[index];
            if !input.is_of(expected.kind, &expected.shape) {
                let problem = format!("got {:?}{:?}, expected {expected}", input.kind(), input.shape());
                return Err(wrong(format!("input {}", sources[index]), problem));
            }
            if products == Products::ByRow && input.is_tracked() {
                let problem = "products by row have no gradient".to_owned();
                return Err(wrong(format!("input {}", sources[index]), problem));
            }
            values.push(self.last_uses[index].map(|_| input.in_f32()));
        }
        Ok(values)
    }

    fn outputs(&self, mut values: Vec<Option<AnyTensor>>) -> Result<Vec<AnyTensor>, NnError> {
        let outputs = self.program.outputs();
        let mut found = Vec::with_capacity(outputs.len());
        for (place, output) in outputs.iter().enumerate() {
            let again = outputs[place + 1..].iter().any(|later| later.value == output.value);
            let value = take(&mut values, output.value as usize, !again)
                .map_err(|problem| NnError::Program { place: format!("output {}", output.role), problem })?;
            found.push(if carries_gradient(output) { value } else { value.inner() });
        }
        Ok(found)
    }
}

/// Runs a program once; see [`Runner::run`].
///
/// # Errors
/// As [`Runner::run`].
pub(crate) fn run(
    program: &Arc<Program>,
    inputs: Vec<AnyTensor>,
    experts: &Experts<'_>,
    device: &Device,
    options: RunOptions,
) -> Result<Vec<AnyTensor>, NnError> {
    Runner::new(program.clone(), device).run(inputs, experts, options)
}

/// A value of an output that is NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NotFinite {
    /// The output.
    pub(crate) role: OutputRole,
    /// Row-major index of the first such element.
    pub(crate) index: usize,
    /// Its value.
    pub(crate) value: f32,
}

/// The first value of the outputs of a run that is not finite. Logits may be -∞, which removes a token. Downloads all
/// float outputs.
///
/// # Errors
/// The backend failed.
pub(crate) fn first_not_finite(
    program: &Program,
    outputs: &[AnyTensor],
) -> Result<Option<NotFinite>, NnError> {
    for (output, value) in program.outputs().iter().zip(outputs) {
        if value.kind() != ElementKind::Float {
            continue;
        }
        let values = value.to_floats().map_err(|problem| NnError::Compute { problem })?;
        let wrong = |value: &f32| match output.role {
            OutputRole::Logits => value.is_nan() || *value == f32::INFINITY,
            _ => !value.is_finite(),
        };
        if let Some(index) = values.iter().position(wrong) {
            return Ok(Some(NotFinite { role: output.role.clone(), index, value: values[index] }));
        }
    }
    Ok(None)
}

/// Whether the gradient of an output is wanted.
fn carries_gradient(output: &Output) -> bool {
    !matches!(output.role, OutputRole::Statistic(_) | OutputRole::Buffer(_))
}

/// The value, moved at its last use: an operation overwrites a tensor that nobody else holds.
fn take(values: &mut [Option<AnyTensor>], value: usize, last: bool) -> Result<AnyTensor, String> {
    let found = match last {
        true => values[value].take(),
        false => values[value].clone(),
    };
    found.ok_or_else(|| format!("%{value} is gone"))
}

/// For each node, whether a gradient can flow through it to an output that carries one.
fn tracked_nodes(program: &Program) -> Vec<bool> {
    let mut reached = vec![false; program.types().len()];
    for output in program.outputs().iter().filter(|output| carries_gradient(output)) {
        reached[output.value as usize] = true;
    }
    let mut tracked = vec![false; program.nodes().len()];
    let mut next = program.types().len();
    for (number, node) in program.nodes().iter().enumerate().rev() {
        next -= node.op.results();
        tracked[number] =
            (0..node.op.results()).any(|result| reached[next + result] && node.op.passes_gradient(result));
        if tracked[number] {
            for arg in &node.args {
                reached[*arg as usize] |= program.types()[*arg as usize].kind == ElementKind::Float;
            }
        }
    }
    tracked
}

/// For each node, whether it takes indices that may be outside the dimension: all but those that are made by top-k,
/// sort, argmax or arange within a large enough dimension.
fn unchecked_nodes(program: &Program) -> Vec<bool> {
    let size = |value: u32, dim: u8| program.types()[value as usize].shape[usize::from(dim)];
    // Below which number all elements of an integer value are, if that is known.
    let mut bounds: Vec<Option<u32>> = vec![None; program.inputs().len()];
    let mut unchecked = Vec::with_capacity(program.nodes().len());
    for node in program.nodes() {
        let bound = |arg: usize| bounds[node.args[arg] as usize];
        let (made, check) = match &node.op {
            Op::TopK { dim, .. } | Op::Sort { dim, .. } => {
                (vec![None, Some(size(node.args[0], *dim))], false)
            }
            Op::ArgMax(dim) => (vec![Some(size(node.args[0], *dim))], false),
            Op::Arange(count) => (vec![Some(*count)], false),
            Op::Transpose(..)
            | Op::Reshape(_)
            | Op::Expand(_)
            | Op::Slice { .. }
            | Op::Unary(Unary::Detach) => (vec![bound(0)], false),
            Op::Cat(_) => {
                let all: Option<Vec<u32>> = (0..node.args.len()).map(bound).collect();
                (vec![all.and_then(|all| all.into_iter().max())], false)
            }
            Op::Gather(dim) | Op::ScatterAdd(dim) | Op::Select(dim) => {
                let inside = bound(1).is_some_and(|bound| bound <= size(node.args[0], *dim));
                (vec![bound(0)], !inside)
            }
            op => (vec![None; op.results()], false),
        };
        bounds.extend(made);
        unchecked.push(check);
    }
    unchecked
}

/// Backends differ in what they do with an index outside a dimension: burn-flex panics, others read another place.
fn check_indices(op: &Op, args: &[u32], values: &[Option<AnyTensor>]) -> Result<(), String> {
    let (Op::Gather(dim) | Op::ScatterAdd(dim) | Op::Select(dim)) = op else { return Ok(()) };
    let value =
        |arg: usize| values[args[arg] as usize].as_ref().ok_or_else(|| "an argument is gone".to_owned());
    let size = value(0)?.shape()[usize::from(*dim)] as i64;
    match value(1)?.to_ints()?.into_iter().find(|index| !(0..size).contains(index)) {
        Some(index) => Err(format!("index {index} is outside dimension {dim}, whose size is {size}")),
        None => Ok(()),
    }
}
