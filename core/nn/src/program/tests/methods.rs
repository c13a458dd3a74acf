//! Programs of published methods: the same bits as the same code written natively in burn, outputs and gradients. The
//! programs are also run on golden cases (`golden.rs`).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device};
use cadre_contract::program::{Binary, Reduction, Unary};

use super::super::operations::root;
use super::super::timing::{GateInputs, GateSizes, gate_program, native_gate};
use super::*;

/// A builder whose operations return one value.
pub(super) struct Trace(pub(super) Builder);

impl Trace {
    pub(super) fn new(inputs: &[(&str, &[usize])]) -> Self {
        let inputs = inputs.iter().map(|(name, shape)| (named(name), TensorType::float(sizes(shape))));
        Self(Builder::new(inputs, vec![], ProgramLimits::default()).unwrap())
    }

    pub(super) fn op(&mut self, op: Op, args: &[Value]) -> Value {
        self.0.apply(op, args).unwrap()[0]
    }

    fn unary(&mut self, op: Unary, x: Value) -> Value {
        self.op(Op::Unary(op), &[x])
    }

    pub(super) fn binary(&mut self, op: Binary, a: Value, b: Value) -> Value {
        self.op(Op::Binary(op), &[a, b])
    }

    pub(super) fn scalar(&mut self, op: Binary, x: Value, number: f64) -> Value {
        self.op(Op::Scalar(op, number.into()), &[x])
    }

    fn all(&mut self, reduction: Reduction, x: Value) -> Value {
        self.op(Op::ReduceAll(reduction), &[x])
    }

    pub(super) fn finish(self, outputs: &[(&str, Value)]) -> Program {
        self.0.finish(outputs.iter().map(|(name, value)| out(name, *value)).collect()).unwrap()
    }
}

fn sizes(shape: &[usize]) -> Vec<u32> {
    shape.iter().map(|size| *size as u32).collect()
}

/// O-LoRA's penalty (Wang et al. 2023). Inputs: the earlier A `[in, rank]`, then the new A and B.
pub(super) fn o_lora(
    old: &[[usize; 2]],
    a: [usize; 2],
    b: [usize; 2],
    lambda: [f64; 2],
    absolute: bool,
) -> Program {
    let names: Vec<String> = (0..old.len()).map(|at| format!("old{at}")).collect();
    let mut inputs: Vec<(&str, &[usize])> =
        names.iter().zip(old).map(|(name, shape)| (name.as_str(), &shape[..])).collect();
    inputs.extend([("new_a", &a[..]), ("new_b", &b[..])]);
    let mut trace = Trace::new(&inputs);
    let (new_a, new_b) = (old.len() as Value, old.len() as Value + 1);
    let mut total = trace.op(Op::Full(vec![1], 0.0.into()), &[]);
    for earlier in 0..old.len() as Value {
        let turned = trace.op(Op::Transpose(0, 1), &[earlier]);
        let overlap = trace.op(Op::Matmul, &[turned, new_a]);
        let size = trace.unary(if absolute { Unary::Abs } else { Unary::Square }, overlap);
        let sum = trace.all(Reduction::Sum, size);
        let term = trace.scalar(Binary::Mul, sum, lambda[0]);
        total = trace.binary(Binary::Add, total, term);
    }
    if lambda[1] != 0.0 {
        let (of_a, of_b) = (trace.all(Reduction::Norm, new_a), trace.all(Reduction::Norm, new_b));
        let norms = trace.binary(Binary::Add, of_a, of_b);
        let term = trace.scalar(Binary::Mul, norms, lambda[1]);
        total = trace.binary(Binary::Add, total, term);
    }
    trace.finish(&[("penalty", total)])
}

fn native_o_lora(
    old: &[Tensor<2>],
    a: Tensor<2>,
    b: Tensor<2>,
    lambda: [f32; 2],
    absolute: bool,
) -> Tensor<1> {
    let mut total = Tensor::<1>::full([1], 0.0, &device());
    for earlier in old {
        let overlap = earlier.clone().swap_dims(0, 1).matmul(a.clone());
        let size = if absolute { overlap.abs() } else { overlap.square() };
        total = total + size.sum().mul_scalar(lambda[0]);
    }
    let norms = root(a.square().sum()) + root(b.square().sum());
    total + norms.mul_scalar(lambda[1])
}

/// Which rule TIES uses; see `reference.py`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TiesRule {
    Mergekit,
    Paper,
    Peft,
}

/// How a TIES merge is done.
pub(super) struct Ties<'a> {
    pub(super) weights: &'a [f64],
    pub(super) density: &'a [f64],
    pub(super) scale: f64,
    pub(super) normalize: bool,
    pub(super) rule: TiesRule,
}

impl Ties<'_> {
    /// Entries of a delta that stay; `None` keeps all.
    fn kept(&self, delta: usize, entries: usize) -> Option<u64> {
        let density = self.density[delta];
        let least = u64::from(self.rule == TiesRule::Mergekit);
        (density < 1.0).then(|| ((density * entries as f64) as u64).max(least))
    }

    /// The merge (Yadav et al. 2023). Inputs: the base, then the deltas, all of one shape.
    pub(super) fn program(&self, shape: &[usize]) -> Program {
        let count = self.weights.len();
        let entries: usize = shape.iter().product();
        let names: Vec<String> = (0..count).map(|at| format!("delta{at}")).collect();
        let mut inputs: Vec<(&str, &[usize])> = vec![("base", shape)];
        inputs.extend(names.iter().map(|name| (name.as_str(), shape)));
        let mut trace = Trace::new(&inputs);
        let t = &mut trace;
        let one = [&[1], shape].concat();
        let whole = [&[count], shape].concat();
        let mut trimmed = vec![];
        for delta in 0..count {
            let mut value = delta as Value + 1;
            if let Some(kept) = self.kept(delta, entries) {
                let size = t.unary(Unary::Abs, value);
                let mask = t.op(Op::Largest(kept), &[size]);
                let zeros = t.op(Op::Full(sizes(shape), 0.0.into()), &[]);
                value = t.op(Op::Choose, &[mask, value, zeros]);
            }
            trimmed.push(t.op(Op::Reshape(sizes(&one)), &[value]));
        }
        let stack = t.op(Op::Cat(0), &trimmed);
        let mut ones = vec![1; shape.len() + 1];
        ones[0] = count;
        let weights: Vec<f32> = self.weights.iter().map(|weight| *weight as f32).collect();
        let weights = t.0.constant(sizes(&ones), &weights).unwrap();
        let weighted = t.binary(Binary::Mul, stack, weights);
        let elected_from = if self.rule == TiesRule::Mergekit { weighted } else { stack };
        let total = t.op(Op::Reduce(Reduction::Sum, 0), &[elected_from]);
        let (agrees, summed) = match self.rule {
            TiesRule::Paper => {
                let sign = t.unary(Unary::Sign, total);
                let majority = t.all(Reduction::Sum, sign);
                let majority = t.unary(Unary::Sign, majority);
                let majority = t.op(Op::Reshape(vec![1; one.len()]), &[majority]);
                let majority = t.op(Op::Expand(sizes(&one)), &[majority]);
                let none = t.scalar(Binary::Eq, sign, 0.0);
                let elected = t.op(Op::Choose, &[none, majority, sign]);
                let plus = t.scalar(Binary::Gt, elected, 0.0);
                let plus = t.op(Op::Expand(sizes(&whole)), &[plus]);
                let (above, below) = (t.scalar(Binary::Gt, stack, 0.0), t.scalar(Binary::Lt, stack, 0.0));
                (t.op(Op::Choose, &[plus, above, below]), stack)
            }
            _ => {
                let plus = t.scalar(Binary::Ge, total, 0.0);
                let plus = t.unary(Unary::ToFloat, plus);
                let twice = t.scalar(Binary::Mul, plus, 2.0);
                let elected = t.scalar(Binary::Sub, twice, 1.0);
                let sign = t.unary(Unary::Sign, elected_from);
                (t.binary(Binary::Eq, sign, elected), weighted)
            }
        };
        let agrees = t.unary(Unary::ToFloat, agrees);
        let agreeing = t.binary(Binary::Mul, summed, agrees);
        let mut mixed = t.op(Op::Reduce(Reduction::Sum, 0), &[agreeing]);
        if self.rule == TiesRule::Mergekit {
            if self.normalize {
                let shares = t.binary(Binary::Mul, weights, agrees);
                let divisor = t.op(Op::Reduce(Reduction::Sum, 0), &[shares]);
                let none = t.scalar(Binary::Eq, divisor, 0.0);
                let full = t.op(Op::Full(sizes(&one), 1.0.into()), &[]);
                let divisor = t.op(Op::Choose, &[none, full, divisor]);
                mixed = t.binary(Binary::Div, mixed, divisor);
            }
        } else {
            let divisor = t.op(Op::Reduce(Reduction::Sum, 0), &[agrees]);
            let divisor = t.scalar(Binary::Maximum, divisor, 1.0);
            mixed = t.binary(Binary::Div, mixed, divisor);
        }
        let mixed = t.scalar(Binary::Mul, mixed, self.scale);
        let mixed = t.op(Op::Reshape(sizes(shape)), &[mixed]);
        let merged = t.binary(Binary::Add, 0, mixed);
        trace.finish(&[("merged", merged)])
    }

    /// The rule of mergekit in burn's own calls, for matrices.
    fn native(&self, base: Tensor<2>, deltas: &[Tensor<2>], device: &Device) -> Tensor<2> {
        let [rows, columns] = base.dims();
        let trimmed: Vec<Tensor<3>> = deltas
            .iter()
            .enumerate()
            .map(|(at, delta)| {
                let kept = self.kept(at, rows * columns).unwrap_or((rows * columns) as u64) as usize;
                let size = delta.clone().abs().reshape([rows * columns]);
                let cut = size.sort_descending(0).narrow(0, kept - 1, 1).reshape([1, 1]);
                let removed: Tensor<2, Bool> = delta.clone().abs().lower(cut.expand([rows, columns]));
                delta.clone().mask_fill(removed, 0.0).reshape([1, rows, columns])
            })
            .collect();
        let stack = Tensor::cat(trimmed, 0);
        let weights: Vec<f32> = self.weights.iter().map(|weight| *weight as f32).collect();
        let AnyTensor::Float3(weights) = AnyTensor::floats(weights, &[deltas.len(), 1, 1], device) else {
            unreachable!()
        };
        let weighted = stack * weights.clone();
        let plus = weighted.clone().sum_dim(0).greater_equal_scalar(0.0).float();
        let elected = plus.mul_scalar(2.0).sub_scalar(1.0).expand(weighted.dims());
        let agrees = weighted.clone().sign().equal(elected).float();
        let mixed = (weighted * agrees.clone()).sum_dim(0);
        let divisor = (weights * agrees).sum_dim(0);
        let none = divisor.clone().equal_scalar(0.0);
        let mixed = (mixed / divisor.mask_fill(none, 1.0)).mul_scalar(self.scale as f32);
        base + mixed.reshape([rows, columns])
    }
}

/// Emulated fine-tuning (Mitchell et al. 2023). Inputs: logits of the large, the small tuned and the small base model.
fn eft(rows: usize, vocabulary: usize, beta: f64) -> Program {
    let shape = [rows, vocabulary];
    let mut trace = Trace::new(&[("large", &shape), ("tuned", &shape), ("base", &shape)]);
    let [large, tuned, base] = [0, 1, 2].map(|logits| trace.op(Op::LogSoftmax(1), &[logits]));
    let change = trace.binary(Binary::Sub, tuned, base);
    let change = trace.scalar(Binary::Mul, change, beta);
    let sum = trace.binary(Binary::Add, large, change);
    let mixed = trace.op(Op::LogSoftmax(1), &[sum]);
    trace.finish(&[("logits", mixed)])
}

fn matrix(tensor: &AnyTensor) -> Tensor<2> {
    match tensor {
        AnyTensor::Float2(tensor) => tensor.clone(),
        other => panic!("{other:?} is no matrix"),
    }
}

fn same(found: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert!(found.iter().any(|value| *value != 0.0), "{what}: gradient {at} is 0");
        assert!(bits(found) == bits(expected), "{what}: gradient {at} differs");
    }
}

#[test]
fn phatgoose_has_the_bits_of_native_code() {
    for rows in [1, 16, 256] {
        let sizes = GateSizes { rows, input: 64, output: 48, experts: 6, rank: 4, top: 2 };
        let program = gate_program(sizes, &[2.0; 6], 1e-6).unwrap();
        let factors = Tensor::<3>::full([6, 1, 1], 2.0, &device());
        let inputs = GateInputs::new(sizes, &device());
        let found = run(&program, inputs.clone().values(), RunOptions::default()).unwrap();
        let (output, weights) = native_gate(sizes, inputs.clone(), factors.clone(), 1e-6, &device());
        assert_eq!(bits(&found[0]), bits(&output.into()), "output of {rows} rows");
        assert_eq!(bits(&found[1]), bits(&weights.into()), "weights of {rows} rows");

        let cotangents = [Draws(3).floats(&[rows, 48]), Draws(4).floats(&[rows, 6])];
        let leaves: Vec<AnyTensor> = inputs.values().iter().map(leaf).collect();
        let found = run(&program, leaves.clone(), RunOptions::default()).unwrap();
        let from_program = gradients(&leaves, loss(&found, &cotangents));
        let [x, base_out, v] = [0, 1, 2].map(|at| matrix(&leaves[at]));
        let (AnyTensor::Float3(a), AnyTensor::Float3(b)) = (leaves[3].clone(), leaves[4].clone()) else {
            unreachable!()
        };
        let (output, weights) =
            native_gate(sizes, GateInputs { x, base_out, v, a, b }, factors, 1e-6, &device());
        let native = gradients(&leaves, loss(&[output.into(), weights.into()], &cotangents));
        same(&from_program, &native, &format!("{rows} rows"));
    }
}

#[test]
fn o_lora_has_the_bits_of_native_code() {
    for absolute in [true, false] {
        let (old, a, b) = ([[64, 4], [64, 8]], [64, 8], [8, 48]);
        let program = o_lora(&old, a, b, [0.5, 0.1], absolute);
        let mut draws = Draws(9);
        let mut given: Vec<AnyTensor> = old.iter().map(|shape| upload(&draws.floats(shape))).collect();
        given.extend([leaf(&upload(&draws.floats(&a))), leaf(&upload(&draws.floats(&b)))]);
        let found = run(&program, given.clone(), RunOptions::default()).unwrap();
        let [old0, old1, new_a, new_b] = [0, 1, 2, 3].map(|at| matrix(&given[at]));
        let native = AnyTensor::from(native_o_lora(&[old0, old1], new_a, new_b, [0.5, 0.1], absolute));
        assert_eq!(bits(&found[0]), bits(&native));
        let one = [Host::float(&[1], vec![1.0])];
        let of = |output: AnyTensor| gradients(&given[2..], loss(&[output], &one));
        same(&of(found[0].clone()), &of(native), "penalty");
    }
}

#[test]
fn ties_has_the_bits_of_native_code() {
    let ties = Ties {
        weights: &[1.0, 0.5, 0.25],
        density: &[0.2, 0.5, 1.0],
        scale: 0.7,
        normalize: true,
        rule: TiesRule::Mergekit,
    };
    let mut draws = Draws(21);
    let inputs: Vec<AnyTensor> = (0..4).map(|_| upload(&draws.floats(&[30, 17]))).collect();
    let found = run(&ties.program(&[30, 17]), inputs.clone(), RunOptions::default()).unwrap();
    let matrices: Vec<Tensor<2>> = inputs.iter().map(matrix).collect();
    let native = ties.native(matrices[0].clone(), &matrices[1..], &device());
    assert_eq!(bits(&found[0]), bits(&native.into()));
}

#[test]
fn emulated_fine_tuning_has_the_bits_of_native_code() {
    for rows in [1, 7] {
        let mut draws = Draws(33);
        let leaves: Vec<AnyTensor> = (0..3).map(|_| leaf(&upload(&draws.floats(&[rows, 300])))).collect();
        for given in [leaves.clone(), leaves.iter().map(|leaf| leaf.clone().inner()).collect()] {
            let found = run(&eft(rows, 300, 0.7), given.clone(), RunOptions::default()).unwrap();
            let [large, tuned, base] = [0, 1, 2].map(|at| log_softmax(matrix(&given[at]), 1));
            let native = AnyTensor::from(log_softmax(large + (tuned - base).mul_scalar(0.7), 1));
            assert_eq!(bits(&found[0]), bits(&native));
            if given[0].is_tracked() {
                let cotangent = [draws.floats(&[rows, 300])];
                let of = |output: AnyTensor| gradients(&given, loss(&[output], &cotangent));
                same(&of(found[0].clone()), &of(native), "logits");
            }
        }
    }
}
