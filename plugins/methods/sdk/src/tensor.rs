//! Symbolic tensors that read like numpy. Each operation adds a node to the program that is being traced. An operation
//! that the host refuses ends the hook by a panic with the host's text and the file and line of the policy.

use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::bindings::cadre::method::tensors::{
    BinaryOp, Draws, Filled, Operation, Order, Reduction, Span, Top, UnaryOp, Values,
};
use crate::host;
pub use crate::host::Kind;

/// A tensor of the program that is being traced: shape and kind, no data. Valid in one call of a hook only. Has 1 to 4
/// dimensions, counted from 0. Operations with two operands broadcast as in numpy; reductions keep their dimension with
/// size 1, and reductions over all elements return `[1]`.
#[derive(Clone, Copy)]
pub struct Tensor(u32);

/// The second operand of an operation: a tensor, or a number (rounded to f32).
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// A tensor.
    Tensor(Tensor),
    /// A number; infinities are allowed, NaN is not.
    Number(f64),
}

impl From<Tensor> for Operand {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl From<f64> for Operand {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

#[track_caller]
fn apply(operation: &Operation, args: &[Tensor]) -> Vec<Tensor> {
    let args: Vec<u32> = args.iter().map(|tensor| tensor.0).collect();
    match host::apply(operation, &args) {
        Ok(results) => results.into_iter().map(Tensor).collect(),
        Err(problem) => panic!("{problem}"),
    }
}

/// The results of an operation that has `N` of them.
#[track_caller]
fn several<const N: usize>(operation: &Operation, args: &[Tensor]) -> [Tensor; N] {
    match apply(operation, args).try_into() {
        Ok(results) => results,
        Err(other) => panic!("the host returned {} results of {operation:?}, expected {N}", Vec::len(&other)),
    }
}

#[track_caller]
fn one(operation: &Operation, args: &[Tensor]) -> Tensor {
    let [result] = several(operation, args);
    result
}

/// Concatenation along a dimension.
#[track_caller]
pub fn cat(tensors: &[Tensor], dim: u32) -> Tensor {
    one(&Operation::Cat(dim), tensors)
}

/// Tensors of one shape as the slices of a new dimension.
#[track_caller]
pub fn stack(tensors: &[Tensor], dim: u32) -> Tensor {
    let widened: Vec<Tensor> = tensors.iter().map(|tensor| tensor.unsqueeze(dim)).collect();
    cat(&widened, dim)
}

/// The sum of tensors, added from the first to the last; 0 of shape `[1]` where there are none.
#[track_caller]
pub fn sum_of(tensors: impl IntoIterator<Item = Tensor>) -> Tensor {
    let mut total: Option<Tensor> = None;
    for tensor in tensors {
        total = Some(match total {
            Some(total) => total + tensor,
            None => tensor,
        });
    }
    total.unwrap_or_else(|| zeros(&[1]))
}

/// Elements of `yes` where `mask` is true, else those of `no`. Shapes are broadcast first.
#[track_caller]
pub fn choose(mask: Tensor, yes: impl Into<Operand>, no: impl Into<Operand>) -> Tensor {
    let operand = |operand: Operand| match operand {
        Operand::Tensor(tensor) => tensor,
        Operand::Number(number) => full(&[1], number),
    };
    let (yes, no) = (operand(yes.into()), operand(no.into()));
    let shape = broadcast(&broadcast(&mask.shape(), &yes.shape()), &no.shape());
    one(&Operation::Choose, &[mask.broadcast_to(&shape), yes.broadcast_to(&shape), no.broadcast_to(&shape)])
}

/// A tensor full of one number.
#[track_caller]
pub fn full(shape: &[u32], number: f64) -> Tensor {
    one(&Operation::Full(Filled { shape: shape.to_vec(), number }), &[])
}

/// A tensor of zeros.
#[track_caller]
pub fn zeros(shape: &[u32]) -> Tensor {
    full(shape, 0.0)
}

/// A tensor of ones.
#[track_caller]
pub fn ones(shape: &[u32]) -> Tensor {
    full(shape, 1.0)
}

/// A tensor of these values, row-major, rounded to f32.
#[track_caller]
pub fn constant(shape: &[u32], values: &[f64]) -> Tensor {
    let values = values.iter().map(|value| *value as f32).collect();
    one(&Operation::Constant(Values { shape: shape.to_vec(), values }), &[])
}

/// The integers from 0 below a count.
#[track_caller]
pub fn arange(count: u32) -> Tensor {
    one(&Operation::Arange(count), &[])
}

/// Draws from [0, 1). Each stream may be used once per hook.
#[track_caller]
pub fn uniform(stream: &str, shape: &[u32]) -> Tensor {
    one(&Operation::Uniform(Draws { name: stream.to_owned(), shape: shape.to_vec() }), &[])
}

/// What the expert at this index of the site adds for x `[tokens, in]`: `[tokens, out]`, its scale included, whatever
/// its kind.
#[track_caller]
pub fn expert(index: u32, x: Tensor) -> Tensor {
    one(&Operation::Expert(index), &[x])
}

/// numpy's broadcasting; sizes that do not fit are left to the host, which reports them.
fn broadcast(a: &[u32], b: &[u32]) -> Vec<u32> {
    let rank = a.len().max(b.len());
    let size = |shape: &[u32], at: usize| (at + shape.len()).checked_sub(rank).map_or(1, |own| shape[own]);
    (0..rank).map(|at| size(a, at).max(size(b, at))).collect()
}

impl Tensor {
    pub(crate) fn of(number: u32) -> Self {
        Self(number)
    }

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// Sizes.
    #[track_caller]
    pub fn shape(self) -> Vec<u32> {
        host::shape(self.0)
    }

    /// Size of one dimension.
    #[track_caller]
    pub fn size(self, dim: u32) -> u32 {
        let shape = self.shape();
        match shape.get(dim as usize) {
            Some(size) => *size,
            None => panic!("a tensor of shape {shape:?} has no dimension {dim}"),
        }
    }

    /// Number of dimensions.
    #[track_caller]
    pub fn rank(self) -> u32 {
        self.shape().len() as u32
    }

    /// Number of elements.
    #[track_caller]
    pub fn elements(self) -> u64 {
        self.shape().iter().map(|size| u64::from(*size)).product()
    }

    /// Kind of the elements.
    #[track_caller]
    pub fn kind(self) -> Kind {
        host::kind(self.0)
    }

    #[track_caller]
    fn unary(self, op: UnaryOp) -> Self {
        one(&Operation::Unary(op), &[self])
    }

    #[track_caller]
    fn binary(self, op: BinaryOp, other: Operand) -> Self {
        match other {
            Operand::Tensor(other) => one(&Operation::Binary(op), &[self, other]),
            Operand::Number(number) => one(&Operation::Scalar((op, number)), &[self]),
        }
    }

    #[track_caller]
    fn reduce(self, reduction: Reduction, dim: u32) -> Self {
        one(&Operation::Reduce((reduction, dim)), &[self])
    }

    #[track_caller]
    fn reduce_all(self, reduction: Reduction) -> Self {
        one(&Operation::ReduceAll(reduction), &[self])
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        impl Tensor {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(self) -> Self {
                self.unary(UnaryOp::$op)
            })*
        }
    };
}

unary! {
    /// |x|; the gradient at 0 is 0.
    abs Abs;
    /// -1, 0 or 1; no gradient.
    sign Sign;
    /// eˣ.
    exp Exp;
    /// Natural logarithm.
    log Log;
    /// ln(1 + x).
    log1p Log1p;
    /// √x; the gradient at 0 is infinite.
    sqrt Sqrt;
    /// x².
    square Square;
    /// 1 / x.
    recip Recip;
    /// 1 / (1 + e⁻ˣ).
    sigmoid Sigmoid;
    /// Hyperbolic tangent.
    tanh Tanh;
    /// max(x, 0); the gradient at 0 is 0.
    relu Relu;
    /// x · sigmoid(x).
    silu Silu;
    /// x · Φ(x), with the exact normal distribution function.
    gelu Gelu;
    /// Largest integer not above x; no gradient.
    floor Floor;
    /// Nearest integer, halves to even; no gradient.
    round Round;
    /// Cosine.
    cos Cos;
    /// Sine.
    sin Sin;
    /// Logical not, of booleans.
    logical_not LogicalNot;
    /// Integers or booleans as floats; true is 1.
    to_float ToFloat;
    /// Floats (truncated) or booleans as integers.
    to_int ToInt;
    /// The same value without its gradient.
    detach Detach;
}

macro_rules! binary {
    ($($(#[$doc:meta])* $name:ident $op:ident;)*) => {
        impl Tensor {
            $($(#[$doc])*
            #[track_caller]
            pub fn $name(self, other: impl Into<Operand>) -> Self {
                self.binary(BinaryOp::$op, other.into())
            })*
        }
    };
}

binary! {
    /// This to the power of another.
    pow Pow;
    /// The larger one of each pair; the gradient of equal elements goes to the first.
    maximum Maximum;
    /// The smaller one of each pair; the gradient of equal elements goes to the first.
    minimum Minimum;
    /// Booleans: this = other.
    equals Eq;
    /// Booleans: this ≠ other.
    differs Ne;
    /// Booleans: this > other.
    gt Gt;
    /// Booleans: this ≥ other.
    ge Ge;
    /// Booleans: this < other.
    lt Lt;
    /// Booleans: this ≤ other.
    le Le;
}

macro_rules! reduction {
    ($($op:ident $name:ident $all:ident $doc:literal;)*) => {
        impl Tensor {
            $(#[doc = concat!($doc, " along a dimension, which keeps size 1.")]
            #[track_caller]
            pub fn $name(self, dim: u32) -> Self {
                self.reduce(Reduction::$op, dim)
            }

            #[doc = concat!($doc, " over all elements: `[1]`.")]
            #[track_caller]
            pub fn $all(self) -> Self {
                self.reduce_all(Reduction::$op)
            })*
        }
    };
}

reduction! {
    Sum sum sum_all "Sum";
    Mean mean mean_all "Arithmetic mean";
    Max max max_all "Largest element; the gradient goes to the first of equal ones;";
    Min min min_all "Smallest element; the gradient goes to the first of equal ones;";
    Norm norm norm_all "√Σx²; the gradient at 0 is 0;";
}

impl Tensor {
    /// Both, of booleans.
    #[track_caller]
    pub fn and(self, other: Self) -> Self {
        self.binary(BinaryOp::LogicalAnd, other.into())
    }

    /// One or both, of booleans.
    #[track_caller]
    pub fn or(self, other: Self) -> Self {
        self.binary(BinaryOp::LogicalOr, other.into())
    }

    /// Product of matrices: equal ranks from 2, leading dimensions broadcast.
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        one(&Operation::Matmul, &[self, other])
    }

    /// Softmax along a dimension.
    #[track_caller]
    pub fn softmax(self, dim: u32) -> Self {
        one(&Operation::Softmax(dim), &[self])
    }

    /// Logarithm of the softmax along a dimension.
    #[track_caller]
    pub fn log_softmax(self, dim: u32) -> Self {
        one(&Operation::LogSoftmax(dim), &[self])
    }

    /// Subtracts the mean over the last dimension and divides by √(biased variance + epsilon).
    #[track_caller]
    pub fn layer_norm(self, epsilon: f64) -> Self {
        one(&Operation::LayerNorm(epsilon), &[self])
    }

    /// Cumulative sum along a dimension.
    #[track_caller]
    pub fn cumsum(self, dim: u32) -> Self {
        one(&Operation::Cumsum(dim), &[self])
    }

    /// Swaps two dimensions.
    #[track_caller]
    pub fn transpose(self, one_dim: u32, other_dim: u32) -> Self {
        one(&Operation::Transpose((one_dim, other_dim)), &[self])
    }

    /// The transpose of a matrix.
    #[track_caller]
    pub fn t(self) -> Self {
        self.transpose(0, 1)
    }

    /// The same elements, row-major, in another shape.
    #[track_caller]
    pub fn reshape(self, shape: &[u32]) -> Self {
        one(&Operation::Reshape(shape.to_vec()), &[self])
    }

    /// All elements in one dimension.
    #[track_caller]
    pub fn flatten(self) -> Self {
        self.reshape(&[self.elements() as u32])
    }

    /// A new dimension of size 1.
    #[track_caller]
    pub fn unsqueeze(self, dim: u32) -> Self {
        let mut shape = self.shape();
        if dim as usize > shape.len() {
            panic!("a tensor of shape {shape:?} cannot get a dimension {dim}");
        }
        shape.insert(dim as usize, 1);
        self.reshape(&shape)
    }

    /// Without a dimension of size 1.
    #[track_caller]
    pub fn squeeze(self, dim: u32) -> Self {
        let mut shape = self.shape();
        if shape.get(dim as usize) != Some(&1) {
            panic!("dimension {dim} of a tensor of shape {shape:?} cannot be removed: its size must be 1");
        }
        shape.remove(dim as usize);
        self.reshape(&shape)
    }

    /// Repeats dimensions of size 1.
    #[track_caller]
    pub fn expand(self, shape: &[u32]) -> Self {
        one(&Operation::Expand(shape.to_vec()), &[self])
    }

    /// This shape by numpy's broadcasting: leading dimensions are added, those of size 1 repeated.
    #[track_caller]
    pub fn broadcast_to(self, shape: &[u32]) -> Self {
        let own = self.shape();
        if own == shape {
            return self;
        }
        let missing = shape.len().saturating_sub(own.len());
        let widened: Vec<u32> = std::iter::repeat_n(1, missing).chain(own.iter().copied()).collect();
        let tensor = if missing > 0 { self.reshape(&widened) } else { self };
        if widened == shape { tensor } else { tensor.expand(shape) }
    }

    /// Elements `start..end` of a dimension.
    #[track_caller]
    pub fn slice(self, dim: u32, start: u32, end: u32) -> Self {
        one(&Operation::Slice(Span { dim, start, end }), &[self])
    }

    /// The element at an index of a dimension, which is removed.
    #[track_caller]
    pub fn at(self, dim: u32, index: u32) -> Self {
        self.slice(dim, index, index.saturating_add(1)).squeeze(dim)
    }

    /// The k largest elements along a dimension, largest first, and their indices; among equal elements the lowest index
    /// first.
    #[track_caller]
    pub fn top_k(self, k: u32, dim: u32) -> (Self, Self) {
        let [values, indices] = several(&Operation::Topk(Top { k, dim }), &[self]);
        (values, indices)
    }

    /// The k largest elements along a dimension; 0 for all others. Gradients pass through those that stay.
    #[track_caller]
    pub fn keep_top(self, k: u32, dim: u32) -> Self {
        let (values, indices) = self.top_k(k, dim);
        zeros(&self.shape()).scatter_add(dim, indices, values)
    }

    /// Sorted elements along a dimension, and their indices; among equal elements the lowest index first.
    #[track_caller]
    pub fn sort(self, dim: u32, descending: bool) -> (Self, Self) {
        let [values, indices] = several(&Operation::Sort(Order { dim, descending }), &[self]);
        (values, indices)
    }

    /// A mask of the k largest elements of the whole tensor; among equal elements the lowest flat index first.
    #[track_caller]
    pub fn largest(self, k: u64) -> Self {
        one(&Operation::Largest(k), &[self])
    }

    /// Index of the largest element along a dimension, lowest among equals.
    #[track_caller]
    pub fn argmax(self, dim: u32) -> Self {
        one(&Operation::Argmax(dim), &[self])
    }

    /// `out[..i..] = x[..indices[..i..]..]`: integer indices of the same rank, equal sizes off the dimension.
    #[track_caller]
    pub fn gather(self, dim: u32, indices: Self) -> Self {
        one(&Operation::Gather(dim), &[self, indices])
    }

    /// Adds values at indices of a dimension; indices and values have one shape.
    #[track_caller]
    pub fn scatter_add(self, dim: u32, indices: Self, values: Self) -> Self {
        one(&Operation::ScatterAdd(dim), &[self, indices, values])
    }

    /// Whole slices at the indices (a vector of integers) of a dimension.
    #[track_caller]
    pub fn select(self, dim: u32, indices: Self) -> Self {
        one(&Operation::Select(dim), &[self, indices])
    }

    /// U, S, Vᵀ of a matrix. No gradient, as of [`Tensor::qr`] and [`Tensor::solve`]; refused where gradients are needed.
    #[track_caller]
    pub fn svd(self) -> (Self, Self, Self) {
        let [u, s, vt] = several(&Operation::Svd, &[self]);
        (u, s, vt)
    }

    /// Q and R of a matrix.
    #[track_caller]
    pub fn qr(self) -> (Self, Self) {
        let [q, r] = several(&Operation::Qr, &[self]);
        (q, r)
    }

    /// X of `self · X = right`.
    #[track_caller]
    pub fn solve(self, right: Self) -> Self {
        one(&Operation::Solve, &[self, right])
    }
}

macro_rules! operator {
    ($($trait:ident $method:ident $op:ident;)*) => {
        $(impl $trait for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: Tensor) -> Tensor {
                self.binary(BinaryOp::$op, other.into())
            }
        }

        impl $trait<f64> for Tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, other: f64) -> Tensor {
                self.binary(BinaryOp::$op, other.into())
            }
        })*
    };
}

operator! {
    Add add Add;
    Sub sub Sub;
    Mul mul Mul;
    Div div Div;
}

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        self.unary(UnaryOp::Neg)
    }
}

impl Add<Tensor> for f64 {
    type Output = Tensor;
    #[track_caller]
    fn add(self, other: Tensor) -> Tensor {
        other + self
    }
}

impl Sub<Tensor> for f64 {
    type Output = Tensor;
    #[track_caller]
    fn sub(self, other: Tensor) -> Tensor {
        -other + self
    }
}

impl Mul<Tensor> for f64 {
    type Output = Tensor;
    #[track_caller]
    fn mul(self, other: Tensor) -> Tensor {
        other * self
    }
}

impl Div<Tensor> for f64 {
    type Output = Tensor;
    #[track_caller]
    fn div(self, other: Tensor) -> Tensor {
        full(&[1], self) / other
    }
}
