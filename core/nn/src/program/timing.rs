//! What a program costs against the same code written natively: the routing gate of PHATGOOSE (Muqeeth et al. 2024) with
//! stacked experts, in both forms, and a measurement of the two.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, IndexingUpdateOp, Tensor};
use cadre_contract::program::{
    Binary, Builder, Op, Output, OutputRole, Program, ProgramLimits, Reduction, Refused, Source, TensorType,
};

use super::operations::layer_norm;
use super::runner::{RunOptions, Runner};
use super::value::AnyTensor;
use crate::error::NnError;

/// Sizes of a gate.
#[derive(Clone, Copy, Debug)]
pub(super) struct GateSizes {
    pub(super) rows: usize,
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) experts: usize,
    pub(super) rank: usize,
    /// Experts per row.
    pub(super) top: usize,
}

/// The gate as a program. Inputs: x, the base output, the experts' vectors v `[experts, in]`, and their matrices a
/// `[experts, in, rank]` and b `[experts, rank, out]`. Outputs: the output and the weights.
pub(super) fn gate_program(sizes: GateSizes, scales: &[f32], epsilon: f64) -> Result<Program, Refused> {
    let GateSizes { rows, input, output, experts, rank, top } = sizes;
    let [rows, input, output, experts, rank, top] =
        [rows, input, output, experts, rank, top].map(|size| size as u32);
    let parameter = |name: &str| Source::Parameter(name.into());
    let inputs = [
        (Source::X, TensorType::float([rows, input])),
        (Source::BaseOut, TensorType::float([rows, output])),
        (parameter("v"), TensorType::float([experts, input])),
        (parameter("a"), TensorType::float([experts, input, rank])),
        (parameter("b"), TensorType::float([experts, rank, output])),
    ];
    let mut program = Builder::new(inputs, vec![], ProgramLimits::default())?;
    let (x, base_out, v, a, b) = (0, 1, 2, 3, 4);
    let mut apply = |op: Op, args: &[u32]| program.apply(op, args);
    let x_norm = apply(Op::LayerNorm(1e-5.into()), &[x])?[0];
    let v_norm = apply(Op::LayerNorm(1e-5.into()), &[v])?[0];
    let v_norm = apply(Op::Transpose(0, 1), &[v_norm])?[0];
    let scores = apply(Op::Matmul, &[x_norm, v_norm])?[0];
    let scores = apply(Op::Scalar(Binary::Div, f64::from(input).sqrt().into()), &[scores])?[0];
    let shares = apply(Op::Softmax(1), &[scores])?[0];
    let kept = apply(Op::TopK { k: top, dim: 1 }, &[shares])?;
    let sum = apply(Op::Reduce(Reduction::Sum, 1), &[kept[0]])?[0];
    let sum = apply(Op::Scalar(Binary::Add, epsilon.into()), &[sum])?[0];
    let share = apply(Op::Binary(Binary::Div), &[kept[0], sum])?[0];
    let zeros = apply(Op::Full(vec![rows, experts], 0.0.into()), &[])?[0];
    let weights = apply(Op::ScatterAdd(1), &[zeros, kept[1], share])?[0];
    let stacked = apply(Op::Reshape(vec![1, rows, input]), &[x])?[0];
    let narrow = apply(Op::Matmul, &[stacked, a])?[0];
    let each = apply(Op::Matmul, &[narrow, b])?[0];
    let factors = program.constant(vec![experts, 1, 1], scales)?;
    let mut apply = |op: Op, args: &[u32]| program.apply(op, args);
    let each = apply(Op::Binary(Binary::Mul), &[each, factors])?[0];
    let turned = apply(Op::Transpose(0, 1), &[weights])?[0];
    let turned = apply(Op::Reshape(vec![experts, rows, 1]), &[turned])?[0];
    let weighted = apply(Op::Binary(Binary::Mul), &[each, turned])?[0];
    let mixed = apply(Op::Reduce(Reduction::Sum, 0), &[weighted])?[0];
    let mixed = apply(Op::Reshape(vec![rows, output]), &[mixed])?[0];
    let y = apply(Op::Binary(Binary::Add), &[base_out, mixed])?[0];
    program.finish(vec![
        Output { role: OutputRole::Output, value: y },
        Output { role: OutputRole::Weights, value: weights },
    ])
}

/// Inputs of the native gate, in the order of the program's.
#[derive(Clone, Debug)]
pub(super) struct GateInputs {
    pub(super) x: Tensor<2>,
    pub(super) base_out: Tensor<2>,
    pub(super) v: Tensor<2>,
    pub(super) a: Tensor<3>,
    pub(super) b: Tensor<3>,
}

impl GateInputs {
    /// Waves of different lengths: no equal scores.
    pub(super) fn new(sizes: GateSizes, device: &Device) -> Self {
        let GateSizes { rows, input, output, experts, rank, .. } = sizes;
        let wave = |shape: &[usize], pace: f32| {
            let count = shape.iter().product();
            let values = (0..count).map(|at: usize| (at as f32 * pace + 0.3).sin()).collect();
            AnyTensor::floats(values, shape, device)
        };
        let (AnyTensor::Float2(x), AnyTensor::Float2(base_out), AnyTensor::Float2(v)) =
            (wave(&[rows, input], 0.37), wave(&[rows, output], 0.61), wave(&[experts, input], 0.83))
        else {
            unreachable!("matrices were requested")
        };
        let (AnyTensor::Float3(a), AnyTensor::Float3(b)) =
            (wave(&[experts, input, rank], 0.29), wave(&[experts, rank, output], 0.47))
        else {
            unreachable!("tensors of rank 3 were requested")
        };
        Self { x, base_out, v, a, b }
    }

    /// Leaves that require a gradient: all but x and the base output, as in training.
    pub(super) fn trained(self) -> Self {
        Self {
            v: self.v.autodiff().require_grad(),
            a: self.a.autodiff().require_grad(),
            b: self.b.autodiff().require_grad(),
            ..self
        }
    }

    pub(super) fn values(self) -> Vec<AnyTensor> {
        vec![self.x.into(), self.base_out.into(), self.v.into(), self.a.into(), self.b.into()]
    }
}

/// The gate in burn's own calls.
pub(super) fn native_gate(
    sizes: GateSizes,
    inputs: GateInputs,
    factors: Tensor<3>,
    epsilon: f64,
    device: &Device,
) -> (Tensor<2>, Tensor<2>) {
    let GateSizes { rows, input, output, experts, top, .. } = sizes;
    let GateInputs { x, base_out, v, a, b } = inputs;
    let v = layer_norm(v, 1e-5).swap_dims(0, 1);
    let scores = layer_norm(x.clone(), 1e-5).matmul(v).div_scalar((input as f64).sqrt() as f32);
    let (kept, which) = softmax(scores, 1).topk_with_indices(top, 1);
    let sum = kept.clone().sum_dim(1).add_scalar(epsilon as f32);
    let zeros = Tensor::<2>::full([rows, experts], 0.0, device);
    let weights = zeros.scatter(1, which, kept / sum, IndexingUpdateOp::Add);
    let each = x.reshape([1, rows, input]).matmul(a).matmul(b) * factors;
    let turned = weights.clone().swap_dims(0, 1).reshape([experts, rows, 1]);
    let mixed = (each * turned).sum_dim(0).reshape([rows, output]);
    (base_out + mixed, weights)
}

/// Times of the gate at a number of rows: medians, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProgramTime {
    /// Number of rows (tokens).
    pub rows: usize,
    /// Whether the time includes the backward pass.
    pub backward: bool,
    /// Time of the program.
    pub program: f64,
    /// Time of the same code written natively.
    pub native: f64,
    /// Median over the rounds of the program's time divided by the native time beside it.
    pub ratio: f64,
}

/// Measures PHATGOOSE's routing gate (width 576, 8 experts of rank 8, top 2) as a program and natively on the CPU,
/// alternating, for these numbers of rows.
///
/// # Errors
/// A size is 0, or the backend failed.
pub fn time_programs(rows: &[usize], rounds: usize) -> Result<Vec<ProgramTime>, NnError> {
    let mut times = Vec::new();
    for rows in rows {
        for backward in [false, true] {
            times.push(time(*rows, backward, rounds)?);
        }
    }
    Ok(times)
}

fn time(rows: usize, backward: bool, rounds: usize) -> Result<ProgramTime, NnError> {
    let device = Device::flex();
    let sizes = GateSizes { rows, input: 576, output: 576, experts: 8, rank: 8, top: 2 };
    let refused = |refused: Refused| NnError::Program { place: "gate".into(), problem: refused.to_string() };
    let program = gate_program(sizes, &[2.0; 8], 1e-6).map_err(refused)?;
    let runner = Runner::new(Arc::new(program), &device);
    let inputs = GateInputs::new(sizes, &device);
    let factors = Tensor::<3>::full([8, 1, 1], 2.0, &device);
    // As in a decoder: x and the base output are made in each pass, the parameters are held.
    let fresh = || {
        let inputs = if backward { inputs.clone().trained() } else { inputs.clone() };
        GateInputs { x: inputs.x.mul_scalar(1.0), base_out: inputs.base_out.mul_scalar(1.0), ..inputs }
    };
    let finish = |y: Tensor<2>| {
        if backward {
            drop(y.sum().backward());
        }
    };
    let repeats = (2048 / rows.max(1)).clamp(1, 64);
    let (mut program_times, mut native_times, mut ratios) = (vec![], vec![], vec![]);
    for round in 0..rounds.max(1) + 2 {
        let mut seconds = [0.0; 2];
        for turn in 0..2 {
            let native = (turn + round) % 2 == 0;
            let given: Vec<GateInputs> = (0..repeats).map(|_| fresh()).collect();
            let start = Instant::now();
            for inputs in given {
                match native {
                    true => finish(native_gate(sizes, inputs, factors.clone(), 1e-6, &device).0),
                    false => {
                        let outputs = runner.run(inputs.values(), &|_, x| x, RunOptions::default())?;
                        if let Some(AnyTensor::Float2(y)) = outputs.into_iter().next() {
                            finish(y);
                        }
                    }
                }
            }
            seconds[usize::from(native)] = start.elapsed().as_secs_f64() / repeats as f64;
        }
        // The first rounds warm up.
        if round >= 2 {
            program_times.push(seconds[0]);
            native_times.push(seconds[1]);
            ratios.push(seconds[0] / seconds[1]);
        }
    }
    Ok(ProgramTime {
        rows,
        backward,
        program: median(program_times),
        native: median(native_times),
        ratio: median(ratios),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
