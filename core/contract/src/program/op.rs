//! The operations of a program and their exact meaning.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A number by its bits, so that infinities survive JSON and equality is total. Never NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(u64);

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self(value.to_bits())
    }
}

impl Number {
    /// The number.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

/// Element-wise functions of one tensor. Float to float unless stated otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unary {
    /// -x.
    Neg,
    /// |x|; the gradient at 0 is 0.
    Abs,
    /// -1, 0 or 1; no gradient.
    Sign,
    /// eˣ.
    Exp,
    /// Natural logarithm.
    Log,
    /// ln(1 + x).
    Log1p,
    /// √x; the gradient at 0 is infinite.
    Sqrt,
    /// x².
    Square,
    /// 1 / x.
    Recip,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// max(x, 0); the gradient at 0 is 0.
    Relu,
    /// x · sigmoid(x).
    Silu,
    /// x · Φ(x), with the exact normal distribution function.
    Gelu,
    /// Largest integer not above x; no gradient.
    Floor,
    /// Nearest integer, halves to even; no gradient.
    Round,
    /// Cosine.
    Cos,
    /// Sine.
    Sin,
    /// Logical not: bool to bool.
    Not,
    /// Integer or bool to float; true is 1.
    ToFloat,
    /// Float (truncated) or bool to integer.
    ToInt,
    /// The same value without its gradient, of any kind.
    Detach,
}

/// Element-wise functions of two tensors, which are broadcast as in numpy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binary {
    /// a + b.
    Add,
    /// a - b.
    Sub,
    /// a · b.
    Mul,
    /// a / b.
    Div,
    /// a to the power of b.
    Pow,
    /// The larger one; the gradient of equal elements goes to the first.
    Maximum,
    /// The smaller one; the gradient of equal elements goes to the first.
    Minimum,
    /// Logical and, of bools.
    And,
    /// Logical or, of bools.
    Or,
    /// a = b, of two tensors of one kind; the result is bool, as of the following.
    Eq,
    /// a ≠ b.
    Ne,
    /// a > b.
    Gt,
    /// a ≥ b.
    Ge,
    /// a < b.
    Lt,
    /// a ≤ b.
    Le,
}

impl Binary {
    /// Whether the result is bool and the operands are of one kind.
    #[must_use]
    pub fn compares(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }

    /// Whether the operands are bool.
    #[must_use]
    pub fn is_logical(self) -> bool {
        matches!(self, Self::And | Self::Or)
    }
}

/// Reductions of floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Largest element; the gradient goes to the first of equal ones.
    Max,
    /// Smallest element; the gradient goes to the first of equal ones.
    Min,
    /// √Σx²; the gradient at 0 is 0.
    Norm,
}

/// An operation. Dimensions count from 0; a reduction keeps its dimension with size 1, and one over all gives `[1]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// An element-wise function of one tensor.
    Unary(Unary),
    /// An element-wise function of two tensors.
    Binary(Binary),
    /// An element-wise function of a tensor and a number, which is rounded to f32. Not for `and` and `or`; integers
    /// can be compared with whole numbers.
    Scalar(Binary, Number),
    /// Product of matrices; equal ranks from 2, leading dimensions broadcast.
    Matmul,
    /// Reduction of a dimension.
    Reduce(Reduction, u8),
    /// Reduction over all elements.
    ReduceAll(Reduction),
    /// Softmax over a dimension.
    Softmax(u8),
    /// Logarithm of the softmax over a dimension.
    LogSoftmax(u8),
    /// Subtracts the mean over the last dimension and divides by √(biased variance + epsilon).
    LayerNorm(Number),
    /// Cumulative sum along a dimension.
    CumSum(u8),
    /// Swaps two dimensions; any kind, as of the following six.
    Transpose(u8, u8),
    /// The same elements, row-major, in another shape.
    Reshape(Vec<u32>),
    /// Repeats dimensions of size 1.
    Expand(Vec<u32>),
    /// Elements `start..end` of a dimension.
    Slice {
        /// The dimension.
        dim: u8,
        /// First element.
        start: u32,
        /// After the last element; above `start`.
        end: u32,
    },
    /// Concatenation along a dimension.
    Cat(u8),
    /// The k largest elements along a dimension, largest first, and their indices; among equal elements the lowest
    /// index first. The values carry the gradient.
    TopK {
        /// Number of elements, at least 1.
        k: u32,
        /// The dimension.
        dim: u8,
    },
    /// Sorted elements along a dimension and their indices; among equal elements the lowest index first.
    Sort {
        /// The dimension.
        dim: u8,
        /// Whether the largest comes first.
        descending: bool,
    },
    /// A mask of the k largest elements of the whole tensor; among equal elements the lowest flat index first. k may
    /// be 0. No gradient.
    Largest(u64),
    /// Index of the largest element along a dimension, lowest among equals.
    ArgMax(u8),
    /// `out[..i..] = x[..indices[..i..]..]`: arguments x and integer indices of the same rank, equal sizes off the
    /// dimension.
    Gather(u8),
    /// Adds values at indices: arguments x, integer indices and values, the latter two of one shape.
    ScatterAdd(u8),
    /// Whole slices at the indices (a vector of integers) of a dimension.
    Select(u8),
    /// Elements of the second argument where the first (bool) is true, else of the third; equal shapes.
    Choose,
    /// A tensor full of one number.
    Full(Vec<u32>, Number),
    /// A float constant of the program, by its index.
    Constant(u32),
    /// The integers from 0 below a count.
    Arange(u32),
    /// Draws from [0, 1): a hash of the run's seed, the stream and the place. A stream is used once per program.
    Uniform {
        /// Name of the stream.
        stream: String,
        /// Shape of the draws.
        shape: Vec<u32>,
    },
    /// What an expert of the site adds for x `[n, in]`: `[n, out]`, its scale included, whatever its kind.
    Expert(u16),
    /// Singular values: x `[m, n]` to U `[m, k]`, S `[k]` descending, Vᵀ `[k, n]` with k = min(m, n). Signs are free.
    /// Without gradient, as are the following two.
    Svd,
    /// Q `[m, k]` and R `[k, n]` of x `[m, n]`, k = min(m, n). Signs are free.
    Qr,
    /// X of A · X = B: A `[n, n]`, B `[n, m]`.
    Solve,
}

impl Op {
    /// Number of results.
    #[must_use]
    pub fn results(&self) -> usize {
        match self {
            Self::TopK { .. } | Self::Sort { .. } | Self::Qr => 2,
            Self::Svd => 3,
            _ => 1,
        }
    }

    /// Whether it runs on the host and has no gradient, so that it is refused where gradients are needed.
    #[must_use]
    pub fn is_host_only(&self) -> bool {
        matches!(self, Self::Svd | Self::Qr | Self::Solve)
    }

    /// Whether a gradient passes from a result (by index) to the arguments.
    #[must_use]
    pub fn passes_gradient(&self, result: usize) -> bool {
        match self {
            Self::Unary(op) => {
                !matches!(op, Unary::Sign | Unary::Floor | Unary::Round | Unary::Detach | Unary::Not)
                    && !matches!(op, Unary::ToFloat | Unary::ToInt)
            }
            Self::Binary(op) | Self::Scalar(op, _) => !op.compares() && !op.is_logical(),
            Self::TopK { .. } | Self::Sort { .. } => result == 0,
            Self::Largest(_) | Self::ArgMax(_) => false,
            Self::Full(..) | Self::Constant(_) | Self::Arange(_) | Self::Uniform { .. } => false,
            _ => !self.is_host_only(),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unary(op) => write!(f, "{}", lower(op)),
            Self::Binary(op) => write!(f, "{}", lower(op)),
            Self::Scalar(op, number) => write!(f, "{}[{number}]", lower(op)),
            Self::Matmul => f.write_str("matmul"),
            Self::Reduce(op, dim) => write!(f, "{}[dim={dim}]", lower(op)),
            Self::ReduceAll(op) => write!(f, "{}[all]", lower(op)),
            Self::Softmax(dim) => write!(f, "softmax[dim={dim}]"),
            Self::LogSoftmax(dim) => write!(f, "log-softmax[dim={dim}]"),
            Self::LayerNorm(epsilon) => write!(f, "layer-norm[{epsilon}]"),
            Self::CumSum(dim) => write!(f, "cumsum[dim={dim}]"),
            Self::Transpose(a, b) => write!(f, "transpose[{a},{b}]"),
            Self::Reshape(shape) => write!(f, "reshape{shape:?}"),
            Self::Expand(shape) => write!(f, "expand{shape:?}"),
            Self::Slice { dim, start, end } => write!(f, "slice[dim={dim},{start}..{end}]"),
            Self::Cat(dim) => write!(f, "cat[dim={dim}]"),
            Self::TopK { k, dim } => write!(f, "top-k[k={k},dim={dim}]"),
            Self::Sort { dim, descending } => {
                write!(f, "sort[dim={dim},{}]", if *descending { "descending" } else { "ascending" })
            }
            Self::Largest(k) => write!(f, "largest[k={k}]"),
            Self::ArgMax(dim) => write!(f, "argmax[dim={dim}]"),
            Self::Gather(dim) => write!(f, "gather[dim={dim}]"),
            Self::ScatterAdd(dim) => write!(f, "scatter-add[dim={dim}]"),
            Self::Select(dim) => write!(f, "select[dim={dim}]"),
            Self::Choose => f.write_str("choose"),
            Self::Full(shape, number) => write!(f, "full{shape:?}[{number}]"),
            Self::Constant(index) => write!(f, "constant[#{index}]"),
            Self::Arange(count) => write!(f, "arange[{count}]"),
            Self::Uniform { stream, shape } => write!(f, "uniform{shape:?}[{stream:?}]"),
            Self::Expert(index) => write!(f, "expert[{index}]"),
            Self::Svd => f.write_str("svd"),
            Self::Qr => f.write_str("qr"),
            Self::Solve => f.write_str("solve"),
        }
    }
}

/// The name of a unit variant in kebab-case.
fn lower(op: &impl fmt::Debug) -> String {
    let mut name = String::new();
    for character in format!("{op:?}").chars() {
        if character.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}
