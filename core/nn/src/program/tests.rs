//! Programs against a naive interpreter, central differences and native code.

mod fuzz;
mod golden;
mod gradients;
mod meaning;
mod methods;
mod rows;

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use cadre_contract::program::{
    Builder, ElementKind, ExpertType, Op, Output, OutputRole, Program, ProgramLimits, Source, TensorType,
    Value,
};

use super::interpreter::Host;
use super::{AnyTensor, RunOptions, Runner};
use crate::error::NnError;

/// Reproducible random numbers.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// Uniform in [-2, 2), an f32.
    fn float(&mut self) -> f64 {
        f64::from((self.next() >> 40) as f32 / 4_194_304.0 - 2.0)
    }

    fn floats(&mut self, shape: &[usize]) -> Host {
        Host::fill(ElementKind::Float, shape, |_| self.float())
    }
}

fn device() -> Device {
    Device::flex()
}

fn named(name: &str) -> Source {
    Source::Case(name.to_owned())
}

fn out(name: &str, value: Value) -> Output {
    Output { role: OutputRole::Case(name.to_owned()), value }
}

/// A builder with inputs `0`, `1`, … of these types, and two experts from 4 to 3.
fn builder(types: &[TensorType]) -> Builder {
    let inputs = types.iter().enumerate().map(|(at, of)| (named(&at.to_string()), of.clone()));
    let experts = vec![ExpertType { input: 4, output: 3 }; 2];
    Builder::new(inputs, experts, ProgramLimits { elements: 4096, ..ProgramLimits::default() }).unwrap()
}

fn type_of(host: &Host) -> TensorType {
    TensorType { kind: host.kind, shape: host.shape.iter().map(|size| *size as u32).collect() }
}

/// A program of one operation on these inputs; every result is an output.
fn single(op: &Op, inputs: &[Host]) -> Result<Program, cadre_contract::program::Refused> {
    let mut program = builder(&inputs.iter().map(type_of).collect::<Vec<_>>());
    let args: Vec<Value> = (0..inputs.len() as Value).collect();
    let made = program.apply(op.clone(), &args)?;
    program.finish(made.into_iter().enumerate().map(|(at, value)| out(&at.to_string(), value)).collect())
}

fn upload(host: &Host) -> AnyTensor {
    let device = device();
    match host.kind {
        ElementKind::Float => {
            AnyTensor::floats(host.data.iter().map(|x| *x as f32).collect(), &host.shape, &device)
        }
        ElementKind::Int => {
            AnyTensor::ints(host.data.iter().map(|x| *x as i64).collect(), &host.shape, &device)
        }
        ElementKind::Bool => {
            AnyTensor::bools(host.data.iter().map(|x| *x == 1.0).collect(), &host.shape, &device)
        }
    }
}

fn download(tensor: &AnyTensor) -> Host {
    let data = match tensor.kind() {
        ElementKind::Float => tensor.to_floats().unwrap().into_iter().map(f64::from).collect(),
        ElementKind::Int => tensor.to_ints().unwrap().into_iter().map(|x| x as f64).collect(),
        ElementKind::Bool => truths(tensor),
    };
    Host::new(tensor.kind(), &tensor.shape(), data)
}

fn truths(tensor: &AnyTensor) -> Vec<f64> {
    match tensor {
        AnyTensor::Bool1(x) => x.clone().int().inner().try_into_vec_as::<i64>().unwrap(),
        AnyTensor::Bool2(x) => x.clone().int().inner().try_into_vec_as::<i64>().unwrap(),
        AnyTensor::Bool3(x) => x.clone().int().inner().try_into_vec_as::<i64>().unwrap(),
        AnyTensor::Bool4(x) => x.clone().int().inner().try_into_vec_as::<i64>().unwrap(),
        _ => panic!("not bool"),
    }
    .into_iter()
    .map(|x| x as f64)
    .collect()
}

fn bits(tensor: &AnyTensor) -> Vec<u32> {
    tensor.to_floats().unwrap().into_iter().map(f32::to_bits).collect()
}

/// The same tensor as a leaf that requires a gradient; other kinds than float as they are.
fn leaf(tensor: &AnyTensor) -> AnyTensor {
    match tensor.clone() {
        AnyTensor::Float1(x) => x.autodiff().require_grad().into(),
        AnyTensor::Float2(x) => x.autodiff().require_grad().into(),
        AnyTensor::Float3(x) => x.autodiff().require_grad().into(),
        AnyTensor::Float4(x) => x.autodiff().require_grad().into(),
        other => other,
    }
}

/// Σ output · cotangent over the float outputs, as one number on the tape.
fn loss(outputs: &[AnyTensor], cotangents: &[Host]) -> Option<Tensor<1>> {
    let mut sum: Option<Tensor<1>> = None;
    for (output, cotangent) in outputs.iter().zip(cotangents) {
        if output.kind() != ElementKind::Float {
            continue;
        }
        let flat = [cotangent.data.len()];
        let (AnyTensor::Float1(output), AnyTensor::Float1(weights)) =
            (output.clone().reshaped(&flat), upload(cotangent).reshaped(&flat))
        else {
            unreachable!()
        };
        let term = (output * weights).sum();
        sum = Some(match sum {
            Some(sum) => sum + term,
            None => term,
        });
    }
    sum.filter(Tensor::is_tracked)
}

/// Gradients of [`loss`] with respect to the leaves; zeros where there is none.
fn gradients(leaves: &[AnyTensor], loss: Option<Tensor<1>>) -> Vec<Vec<f32>> {
    let zeros = |leaf: &AnyTensor| vec![0.0; leaf.shape().iter().product()];
    let Some(loss) = loss else { return leaves.iter().map(zeros).collect() };
    let found = loss.backward();
    let gradient = |leaf: &AnyTensor| -> Option<AnyTensor> {
        match leaf {
            AnyTensor::Float1(x) => x.grad(&found).map(Into::into),
            AnyTensor::Float2(x) => x.grad(&found).map(Into::into),
            AnyTensor::Float3(x) => x.grad(&found).map(Into::into),
            AnyTensor::Float4(x) => x.grad(&found).map(Into::into),
            _ => None,
        }
    };
    leaves
        .iter()
        .map(|leaf| gradient(leaf).map_or_else(|| zeros(leaf), |found| found.to_floats().unwrap()))
        .collect()
}

/// The experts of the tests: x times a fixed matrix, scaled by the index.
fn expert_weight(index: usize) -> Vec<f64> {
    (0..12).map(|at| f64::from((at as f32 * 0.7 + index as f32).sin())).collect()
}

fn experts(index: usize, x: Tensor<2>) -> Tensor<2> {
    let AnyTensor::Float2(weight) = upload(&Host::float(&[4, 3], expert_weight(index))) else {
        unreachable!()
    };
    x.matmul(weight)
}

fn host_experts(index: usize, x: &Host) -> Host {
    let weight = expert_weight(index);
    Host::fill(ElementKind::Float, &[x.shape[0], 3], |at| {
        (0..4).map(|inner| x.get(&[at[0], inner]) * weight[inner * 3 + at[1]]).sum()
    })
}

fn run(program: &Program, inputs: Vec<AnyTensor>, options: RunOptions) -> Result<Vec<AnyTensor>, NnError> {
    Runner::new(Arc::new(program.clone()), &device()).run(inputs, &experts, options)
}

fn run_plain(program: &Program, inputs: &[Host]) -> Vec<Host> {
    let found = run(program, inputs.iter().map(upload).collect(), RunOptions::default());
    found.unwrap_or_else(|error| panic!("{error}\n{program}")).iter().map(download).collect()
}

/// Whether a value of f32 arithmetic is close to one of f64: relative to `scale`, the size of the terms it is made of.
fn close(found: f64, expected: f64, scale: f64, tolerance: f64) -> bool {
    found == expected
        || (found.is_nan() && expected.is_nan())
        || (expected.abs() > 3.5e38 && found == expected.signum() * f64::INFINITY)
        || (found - expected).abs() <= tolerance * scale.max(expected.abs()).max(1.0)
}

fn assert_close(found: &Host, expected: &Host, tolerance: f64, what: &str) {
    assert_eq!((found.kind, &found.shape), (expected.kind, &expected.shape), "{what}");
    for (at, (found, wanted)) in found.data.iter().zip(&expected.data).enumerate() {
        assert!(close(*found, *wanted, 0.0, tolerance), "{what}: element {at} is {found}, expected {wanted}");
    }
}
