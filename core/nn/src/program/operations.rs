//! The operations of a program as calls of burn. Their meaning must be that of `cadre_contract::program::Op`, in values
//! and in gradients, also where burn differs.

use burn::tensor::activation::{gelu, log_softmax, relu, sigmoid, silu, softmax};
use burn::tensor::{Bool, Device, IndexingUpdateOp, Int, Tensor};
use cadre_contract::program::{Binary, ElementKind, Op, Reduction, Unary};

use super::runner::{Experts, Products};
use super::value::{AnyTensor, any, float, pair};
use super::{decompositions, draws, order};
use crate::kernel::{fused, linear_by_row};

/// What operations need besides their arguments.
pub(super) struct Surroundings<'a> {
    pub(super) device: &'a Device,
    pub(super) experts: &'a Experts<'a>,
    pub(super) products: Products,
    pub(super) seed: u64,
    /// The program's constants, on the device.
    pub(super) constants: &'a [AnyTensor],
}

/// Arguments in order.
struct Args(std::vec::IntoIter<AnyTensor>);

impl Args {
    fn next(&mut self) -> Result<AnyTensor, String> {
        self.0.next().ok_or_else(|| "an argument is missing".to_owned())
    }
}

/// Applies an operation. Indices of gather, scatter-add and select must be inside their dimension.
///
/// # Errors
/// What failed: a matrix that cannot be decomposed, or the backend.
pub(super) fn apply(
    op: &Op,
    args: Vec<AnyTensor>,
    around: &Surroundings<'_>,
) -> Result<Vec<AnyTensor>, String> {
    let device = around.device;
    if let Op::Cat(dim) = op {
        return Ok(vec![cat(args, usize::from(*dim))?]);
    }
    let mut args = Args(args.into_iter());
    let one = match op {
        Op::Unary(op) => unary(*op, args.next()?),
        Op::Binary(op) => binary(*op, args.next()?, args.next()?),
        Op::Scalar(op, number) => scalar(*op, args.next()?, number.get()),
        Op::Matmul => matmul(args.next()?, args.next()?, around.products),
        Op::Reduce(reduction, dim) => reduce(*reduction, args.next()?, usize::from(*dim)),
        Op::ReduceAll(reduction) => reduce_all(*reduction, args.next()?),
        Op::Softmax(dim) => float!(args.next()?, x => softmax(x, usize::from(*dim))),
        Op::LogSoftmax(dim) => float!(args.next()?, x => log_softmax(x, usize::from(*dim))),
        Op::LayerNorm(epsilon) => float!(args.next()?, x => layer_norm(x, epsilon.get() as f32)),
        Op::CumSum(dim) => float!(args.next()?, x => x.cumsum(usize::from(*dim))),
        Op::Transpose(a, b) => {
            Ok(any!(args.next()?, x => x.swap_dims(usize::from(*a), usize::from(*b)).into()))
        }
        Op::Reshape(shape) => Ok(args.next()?.reshaped(&sizes(shape))),
        Op::Expand(shape) => Ok(args.next()?.expanded(&sizes(shape))),
        Op::Slice { dim, start, end } => {
            let (start, length) = (*start as usize, (end - start) as usize);
            Ok(any!(args.next()?, x => x.narrow(usize::from(*dim), start, length).into()))
        }
        Op::TopK { k, dim } => {
            return ordered(args.next()?, usize::from(*dim), Some(*k as usize), true, device);
        }
        Op::Sort { dim, descending } => {
            return ordered(args.next()?, usize::from(*dim), None, *descending, device);
        }
        Op::Largest(k) => order::largest(&args.next()?, *k as usize, device),
        Op::ArgMax(dim) => order::first(&args.next()?, usize::from(*dim), 1, true, device),
        Op::Gather(dim) => gather(args.next()?, usize::from(*dim), args.next()?),
        Op::ScatterAdd(dim) => scatter_add(args.next()?, usize::from(*dim), args.next()?, args.next()?),
        Op::Select(dim) => select(args.next()?, usize::from(*dim), args.next()?),
        Op::Choose => choose(args.next()?, args.next()?, args.next()?),
        Op::Full(shape, number) => Ok(full(&sizes(shape), number.get() as f32, device)),
        Op::Constant(index) => {
            around.constants.get(*index as usize).cloned().ok_or_else(|| "the constant is missing".to_owned())
        }
        Op::Arange(count) => Ok(Tensor::<1, Int>::arange(0..i64::from(*count), device).into()),
        Op::Uniform { stream, shape } => {
            let shape = sizes(shape);
            let values = draws::uniform(around.seed, stream, shape.iter().product());
            Ok(AnyTensor::floats(values, &shape, device))
        }
        Op::Expert(index) => match args.next()? {
            AnyTensor::Float2(x) => Ok(AnyTensor::from((around.experts)(usize::from(*index), x)).in_f32()),
            other => Err(other.unexpected()),
        },
        Op::Svd => return decompositions::svd(&args.next()?, device),
        Op::Qr => return decompositions::qr(&args.next()?, device),
        Op::Solve => decompositions::solve(&args.next()?, &args.next()?, device),
        Op::Cat(_) => unreachable!("handled above"),
    };
    Ok(vec![one?])
}

fn sizes(shape: &[u32]) -> Vec<usize> {
    shape.iter().map(|size| *size as usize).collect()
}

fn unary(op: Unary, x: AnyTensor) -> Result<AnyTensor, String> {
    match op {
        Unary::Neg => float!(x, x => x.neg()),
        Unary::Abs => float!(x, x => x.abs()),
        Unary::Sign => float!(x, x => x.sign()),
        Unary::Exp => float!(x, x => x.exp()),
        Unary::Log => float!(x, x => x.log()),
        Unary::Log1p => float!(x, x => x.log1p()),
        Unary::Sqrt => float!(x, x => x.sqrt()),
        Unary::Square => float!(x, x => x.square()),
        Unary::Recip => float!(x, x => x.recip()),
        Unary::Sigmoid => float!(x, x => sigmoid(x)),
        Unary::Tanh => float!(x, x => x.tanh()),
        Unary::Relu => float!(x, x => relu(x)),
        Unary::Silu => float!(x, x => silu(x)),
        Unary::Gelu => float!(x, x => exact_gelu(x)),
        Unary::Floor => float!(x, x => x.floor()),
        Unary::Round => float!(x, x => x.round()),
        Unary::Cos => float!(x, x => x.cos()),
        Unary::Sin => float!(x, x => x.sin()),
        Unary::Not => match x {
            AnyTensor::Bool1(x) => Ok(x.bool_not().into()),
            AnyTensor::Bool2(x) => Ok(x.bool_not().into()),
            AnyTensor::Bool3(x) => Ok(x.bool_not().into()),
            AnyTensor::Bool4(x) => Ok(x.bool_not().into()),
            other => Err(other.unexpected()),
        },
        Unary::ToFloat => match x {
            AnyTensor::Int1(x) => Ok(x.float().into()),
            AnyTensor::Int2(x) => Ok(x.float().into()),
            AnyTensor::Int3(x) => Ok(x.float().into()),
            AnyTensor::Int4(x) => Ok(x.float().into()),
            AnyTensor::Bool1(x) => Ok(x.float().into()),
            AnyTensor::Bool2(x) => Ok(x.float().into()),
            AnyTensor::Bool3(x) => Ok(x.float().into()),
            AnyTensor::Bool4(x) => Ok(x.float().into()),
            other => Err(other.unexpected()),
        }
        .map(AnyTensor::in_f32),
        Unary::ToInt => match x {
            AnyTensor::Float1(x) => Ok(x.int().into()),
            AnyTensor::Float2(x) => Ok(x.int().into()),
            AnyTensor::Float3(x) => Ok(x.int().into()),
            AnyTensor::Float4(x) => Ok(x.int().into()),
            AnyTensor::Bool1(x) => Ok(x.int().into()),
            AnyTensor::Bool2(x) => Ok(x.int().into()),
            AnyTensor::Bool3(x) => Ok(x.int().into()),
            AnyTensor::Bool4(x) => Ok(x.int().into()),
            other => Err(other.unexpected()),
        },
        Unary::Detach => Ok(x.inner()),
    }
}

/// x · Φ(x). Backends other than burn-flex differentiate the tanh approximation in their `gelu`.
fn exact_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if fused::takes(&x) {
        return gelu(x);
    }
    let twice = x.clone().mul_scalar(std::f32::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x.mul(twice).mul_scalar(0.5)
}

fn binary(op: Binary, a: AnyTensor, b: AnyTensor) -> Result<AnyTensor, String> {
    let rank = a.shape().len().max(b.shape().len());
    let (a, b) = (a.with_rank(rank), b.with_rank(rank));
    macro_rules! compare {
        ($method:ident) => {{
            // Of integers and floats; backends need not broadcast comparisons.
            let (a, b) = broadcast(a, b);
            pair!((a, b), [
                (Float1, Float1), (Float2, Float2), (Float3, Float3), (Float4, Float4),
                (Int1, Int1), (Int2, Int2), (Int3, Int3), (Int4, Int4),
            ], (a, b) => a.$method(b))
        }};
    }
    macro_rules! equal {
        ($method:ident) => {{
            let (a, b) = broadcast(a, b);
            pair!((a, b), [
                (Float1, Float1), (Float2, Float2), (Float3, Float3), (Float4, Float4),
                (Int1, Int1), (Int2, Int2), (Int3, Int3), (Int4, Int4),
                (Bool1, Bool1), (Bool2, Bool2), (Bool3, Bool3), (Bool4, Bool4),
            ], (a, b) => a.$method(b))
        }};
    }
    match op {
        Binary::Add => pair!(floats(a, b), (a, b) => a.add(b)),
        Binary::Sub => pair!(floats(a, b), (a, b) => a.sub(b)),
        Binary::Mul => pair!(floats(a, b), (a, b) => a.mul(b)),
        Binary::Div => pair!(floats(a, b), (a, b) => a.div(b)),
        Binary::Pow => pair!(floats(a, b), (a, b) => a.powf(b)),
        Binary::Maximum | Binary::Minimum => {
            let (a, b) = broadcast(a, b);
            pair!(floats(a, b), (a, b) => extreme(a, b, op == Binary::Maximum))
        }
        Binary::And => {
            let (a, b) = broadcast(a, b);
            pair!(bools(a, b), (a, b) => a.bool_and(b))
        }
        Binary::Or => {
            let (a, b) = broadcast(a, b);
            pair!(bools(a, b), (a, b) => a.bool_or(b))
        }
        Binary::Eq => equal!(equal),
        Binary::Ne => equal!(not_equal),
        Binary::Gt => compare!(greater),
        Binary::Ge => compare!(greater_equal),
        Binary::Lt => compare!(lower),
        Binary::Le => compare!(lower_equal),
    }
}

/// The larger or smaller one; equal elements are the first's, with their gradient, and NaN of either one stays.
fn extreme<const D: usize>(a: Tensor<D>, b: Tensor<D>, larger: bool) -> Tensor<D> {
    let (left, right) = (a.clone().inner(), b.clone().inner());
    let second = match larger {
        true => left.lower(right.clone()),
        false => left.greater(right.clone()),
    };
    let second = second.bool_or(right.is_nan());
    a.mask_where(second, b)
}

/// Expands two tensors of one rank to their common shape.
fn broadcast(a: AnyTensor, b: AnyTensor) -> (AnyTensor, AnyTensor) {
    let (one, other) = (a.shape(), b.shape());
    if one == other {
        return (a, b);
    }
    let shape: Vec<usize> = one.iter().zip(&other).map(|(one, other)| *one.max(other)).collect();
    (a.expanded(&shape), b.expanded(&shape))
}

fn scalar(op: Binary, x: AnyTensor, number: f64) -> Result<AnyTensor, String> {
    let value = number as f32;
    macro_rules! compare {
        ($method:ident) => {
            match x {
                AnyTensor::Int1(x) => Ok(x.$method(number as i64).into()),
                AnyTensor::Int2(x) => Ok(x.$method(number as i64).into()),
                AnyTensor::Int3(x) => Ok(x.$method(number as i64).into()),
                AnyTensor::Int4(x) => Ok(x.$method(number as i64).into()),
                other => float!(other, x => x.$method(value)),
            }
        };
    }
    match op {
        Binary::Add => float!(x, x => x.add_scalar(value)),
        Binary::Sub => float!(x, x => x.sub_scalar(value)),
        Binary::Mul => float!(x, x => x.mul_scalar(value)),
        Binary::Div => float!(x, x => x.div_scalar(value)),
        Binary::Pow => float!(x, x => power(x, value)),
        Binary::Maximum => float!(x, x => {
            let mask = x.clone().inner().lower_scalar(value);
            x.mask_fill(mask, value)
        }),
        Binary::Minimum => float!(x, x => {
            let mask = x.clone().inner().greater_scalar(value);
            x.mask_fill(mask, value)
        }),
        Binary::Eq => compare!(equal_scalar),
        Binary::Ne => compare!(not_equal_scalar),
        Binary::Gt => compare!(greater_scalar),
        Binary::Ge => compare!(greater_equal_scalar),
        Binary::Lt => compare!(lower_scalar),
        Binary::Le => compare!(lower_equal_scalar),
        Binary::And | Binary::Or => Err(x.unexpected()),
    }
}

/// burn 0.22 panics for a whole exponent outside of 64 bits, also an infinite one; then the exponent is a tensor.
fn power<const D: usize>(x: Tensor<D>, exponent: f32) -> Tensor<D> {
    if exponent.abs() < 1e9 {
        return x.powf_scalar(exponent);
    }
    let exponents = Tensor::full(x.dims(), exponent, &x.device().inner());
    x.powf(exponents)
}

fn matmul(a: AnyTensor, b: AnyTensor, products: Products) -> Result<AnyTensor, String> {
    if products == Products::Fastest {
        return pair!((a, b), [(Float2, Float2), (Float3, Float3), (Float4, Float4)], (a, b) => a.matmul(b));
    }
    let (one, other) = (a.shape(), b.shape());
    if let (AnyTensor::Float2(a), AnyTensor::Float2(b)) = (&a, &b) {
        return Ok(linear_by_row(a.clone(), b.clone().transpose()).into());
    }
    // A batch of products: each of them by row.
    let rank = one.len();
    let batch: Vec<usize> =
        one[..rank - 2].iter().zip(&other[..rank - 2]).map(|(one, other)| *one.max(other)).collect();
    let flat = |tensor: AnyTensor, from: &[usize]| {
        let matrix = &from[rank - 2..];
        let flat = tensor.expanded(&[&batch[..], matrix].concat());
        flat.reshaped(&[batch.iter().product(), matrix[0], matrix[1]])
    };
    let (AnyTensor::Float3(a), AnyTensor::Float3(b)) = (flat(a, &one), flat(b, &other)) else {
        return Err("matrices of another kind".into());
    };
    let (rows, inner, columns) = (one[rank - 2], one[rank - 1], other[rank - 1]);
    let products = (0..a.dims()[0])
        .map(|at| {
            let x = a.clone().narrow(0, at, 1).reshape([rows, inner]);
            let weight = b.clone().narrow(0, at, 1).reshape([inner, columns]).transpose();
            linear_by_row(x, weight)
        })
        .collect();
    let product = AnyTensor::from(Tensor::<2>::cat(products, 0));
    Ok(product.reshaped(&[&batch[..], &[rows, columns]].concat()))
}

fn reduce(reduction: Reduction, x: AnyTensor, dim: usize) -> Result<AnyTensor, String> {
    match reduction {
        Reduction::Sum => float!(x, x => x.sum_dim(dim)),
        Reduction::Mean => float!(x, x => x.mean_dim(dim)),
        // burn takes the lowest index among equal elements, in its gradient too, and NaN if there is one.
        Reduction::Max => float!(x, x => x.max_dim(dim)),
        Reduction::Min => float!(x, x => x.min_dim(dim)),
        Reduction::Norm => float!(x, x => root(x.square().sum_dim(dim))),
    }
}

fn reduce_all(reduction: Reduction, x: AnyTensor) -> Result<AnyTensor, String> {
    match reduction {
        Reduction::Sum => float!(x, x => x.sum()),
        Reduction::Mean => float!(x, x => x.mean()),
        Reduction::Max => float!(x, x => x.max()),
        Reduction::Min => float!(x, x => x.min()),
        Reduction::Norm => float!(x, x => root(x.square().sum())),
    }
}

/// The square root of a sum of squares. Its gradient at 0 is 0, where the one of `sqrt` is infinite and the chain rule
/// would make NaN of it.
pub(super) fn root<const D: usize>(sum: Tensor<D>) -> Tensor<D> {
    if !sum.is_tracked() {
        return sum.sqrt();
    }
    let zero: Tensor<D, Bool> = sum.clone().inner().equal_scalar(0.0);
    sum.mask_fill(zero.clone(), 1.0).sqrt().mask_fill(zero, 0.0)
}

pub(super) fn layer_norm<const D: usize>(x: Tensor<D>, epsilon: f32) -> Tensor<D> {
    let centred = x.clone() - x.mean_dim(D - 1);
    let variance = centred.clone().square().mean_dim(D - 1);
    centred / variance.add_scalar(epsilon).sqrt()
}

fn cat(parts: Vec<AnyTensor>, dim: usize) -> Result<AnyTensor, String> {
    macro_rules! cat {
        ($($variant:ident),*) => {
            match parts.first() {
                $(Some(AnyTensor::$variant(_)) => {
                    let mut tensors = Vec::with_capacity(parts.len());
                    for part in parts {
                        match part {
                            AnyTensor::$variant(tensor) => tensors.push(tensor),
                            other => return Err(other.unexpected()),
                        }
                    }
                    Ok(Tensor::cat(tensors, dim).into())
                })*
                None => Err("there is nothing to concatenate".into()),
            }
        };
    }
    cat!(Float1, Float2, Float3, Float4, Int1, Int2, Int3, Int4, Bool1, Bool2, Bool3, Bool4)
}

/// Values and indices of the first `k` elements along a dimension, or of all.
fn ordered(
    x: AnyTensor,
    dim: usize,
    k: Option<usize>,
    descending: bool,
    device: &Device,
) -> Result<Vec<AnyTensor>, String> {
    let k = k.unwrap_or(x.shape()[dim]);
    let indices = order::first(&x, dim, k, descending, device)?;
    Ok(vec![gather(x, dim, indices.clone())?, indices])
}

fn gather(x: AnyTensor, dim: usize, indices: AnyTensor) -> Result<AnyTensor, String> {
    if x.kind() == ElementKind::Bool {
        return as_integers(x, |x| gather(x, dim, indices));
    }
    pair!(indexed(x, indices), (x, indices) => x.gather(dim, indices))
}

fn scatter_add(x: AnyTensor, dim: usize, indices: AnyTensor, values: AnyTensor) -> Result<AnyTensor, String> {
    macro_rules! scatter {
        ($(($float:ident, $int:ident)),*) => {
            match (x, indices, values) {
                $((AnyTensor::$float(x), AnyTensor::$int(indices), AnyTensor::$float(values)) => {
                    Ok(x.scatter(dim, indices, values, IndexingUpdateOp::Add).into())
                })*
                (x, ..) => Err(x.unexpected()),
            }
        };
    }
    scatter!((Float1, Int1), (Float2, Int2), (Float3, Int3), (Float4, Int4))
}

/// Applies an operation to a bool tensor in integers: for some operations burn-flex 0.22 returns bool tensors whose
/// element type is an integer, at which a later `cat` panics.
fn as_integers(
    x: AnyTensor,
    apply: impl FnOnce(AnyTensor) -> Result<AnyTensor, String>,
) -> Result<AnyTensor, String> {
    scalar(Binary::Eq, apply(unary(Unary::ToInt, x)?)?, 1.0)
}

fn select(x: AnyTensor, dim: usize, indices: AnyTensor) -> Result<AnyTensor, String> {
    if x.kind() == ElementKind::Bool {
        return as_integers(x, |x| select(x, dim, indices));
    }
    let AnyTensor::Int1(indices) = indices else { return Err(indices.unexpected()) };
    Ok(any!(x, x => x.select(dim, indices).into()))
}

fn choose(mask: AnyTensor, yes: AnyTensor, no: AnyTensor) -> Result<AnyTensor, String> {
    if yes.kind() == ElementKind::Bool {
        let no = unary(Unary::ToInt, no)?;
        return as_integers(yes, |yes| choose(mask, yes, no));
    }
    macro_rules! choose {
        ($(($value:ident, $bool:ident)),*) => {
            match (mask, yes, no) {
                $((AnyTensor::$bool(mask), AnyTensor::$value(yes), AnyTensor::$value(no)) => {
                    Ok(no.mask_where(mask, yes).into())
                })*
                (mask, ..) => Err(mask.unexpected()),
            }
        };
    }
    choose!(
        (Float1, Bool1),
        (Float2, Bool2),
        (Float3, Bool3),
        (Float4, Bool4),
        (Int1, Bool1),
        (Int2, Bool2),
        (Int3, Bool3),
        (Int4, Bool4),
        (Bool1, Bool1),
        (Bool2, Bool2),
        (Bool3, Bool3),
        (Bool4, Bool4)
    )
}

fn full(shape: &[usize], number: f32, device: &Device) -> AnyTensor {
    let options = (device, burn::tensor::DType::F32);
    match *shape {
        [a] => Tensor::<1>::full([a], number, options).into(),
        [a, b] => Tensor::<2>::full([a, b], number, options).into(),
        [a, b, c] => Tensor::<3>::full([a, b, c], number, options).into(),
        [a, b, c, d] => Tensor::<4>::full([a, b, c, d], number, options).into(),
        _ => unreachable!("a program has ranks from 1 to 4"),
    }
}
