//! Shapes and kinds: what an operation accepts and returns.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::op::{Binary, Op, Unary};

/// Kind of a tensor's elements. A program computes floats in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElementKind {
    /// f32.
    Float,
    /// Integers.
    Int,
    /// Truth values.
    Bool,
}

impl fmt::Display for ElementKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "float",
            Self::Int => "int",
            Self::Bool => "bool",
        })
    }
}

/// Kind and shape of a value: 1 to 4 sizes, none of them 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TensorType {
    /// Kind of the elements.
    pub kind: ElementKind,
    /// Sizes.
    pub shape: Vec<u32>,
}

/// Maximum number of dimensions.
pub const MAX_RANK: usize = 4;

impl TensorType {
    /// A float tensor of this shape.
    #[must_use]
    pub fn float(shape: impl Into<Vec<u32>>) -> Self {
        Self { kind: ElementKind::Float, shape: shape.into() }
    }

    /// An integer tensor of this shape.
    #[must_use]
    pub fn int(shape: impl Into<Vec<u32>>) -> Self {
        Self { kind: ElementKind::Int, shape: shape.into() }
    }

    /// A bool tensor of this shape.
    #[must_use]
    pub fn bool(shape: impl Into<Vec<u32>>) -> Self {
        Self { kind: ElementKind::Bool, shape: shape.into() }
    }

    /// Number of elements.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.shape.iter().fold(1u64, |product, &size| product.saturating_mul(u64::from(size)))
    }

    /// What is wrong with the shape, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let shape = &self.shape;
        if !(1..=MAX_RANK).contains(&shape.len()) {
            return Some(format!("{shape:?} has {} dimensions; 1 to {MAX_RANK} are possible", shape.len()));
        }
        shape.contains(&0).then(|| format!("{shape:?} has a size of 0"))
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.kind, self.shape)
    }
}

/// Sizes of an expert: the input and output width of its site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExpertType {
    /// Input width.
    pub input: u32,
    /// Output width.
    pub output: u32,
}

/// Types of an operation's results. `constants` are the program's, each with shape and bits. The error states what does
/// not fit.
pub(super) fn results(
    op: &Op,
    args: &[&TensorType],
    experts: &[ExpertType],
    constants: &[(Vec<u32>, Vec<u32>)],
) -> Result<Vec<TensorType>, String> {
    let expected = match op {
        Op::Full(..) | Op::Constant(_) | Op::Arange(_) | Op::Uniform { .. } => 0,
        Op::Binary(_) | Op::Matmul | Op::Gather(_) | Op::Select(_) | Op::Solve => 2,
        Op::ScatterAdd(_) | Op::Choose => 3,
        Op::Cat(_) => args.len().max(1),
        _ => 1,
    };
    if args.len() != expected {
        return Err(format!("it takes {expected} tensors, {} are given", args.len()));
    }
    let of = |kind, shape: Vec<u32>| {
        let found = TensorType { kind, shape };
        match found.problem() {
            Some(problem) => Err(problem),
            None => Ok(vec![found]),
        }
    };
    let same = |one: &TensorType| Ok(vec![one.clone()]);
    match op {
        Op::Unary(unary) => unary_result(*unary, args[0]),
        Op::Binary(binary) => {
            let (a, b) = (args[0], args[1]);
            let kind = binary_kind(*binary, a.kind, b.kind)?;
            of(kind, broadcast(&a.shape, &b.shape)?)
        }
        Op::Scalar(binary, number) => scalar_result(*binary, number.get(), args[0]),
        Op::Matmul => {
            floats(args)?;
            of(ElementKind::Float, product_shape(&args[0].shape, &args[1].shape)?)
        }
        Op::Reduce(_, dim) => {
            floats(args)?;
            let mut shape = args[0].shape.clone();
            shape[dimension(args[0], *dim)?] = 1;
            of(ElementKind::Float, shape)
        }
        Op::ReduceAll(_) => {
            floats(args)?;
            of(ElementKind::Float, vec![1])
        }
        Op::Softmax(dim) | Op::LogSoftmax(dim) | Op::CumSum(dim) => {
            floats(args)?;
            dimension(args[0], *dim)?;
            same(args[0])
        }
        Op::LayerNorm(epsilon) => {
            floats(args)?;
            if !(epsilon.get().is_finite() && epsilon.get() >= 0.0) {
                return Err(format!("its epsilon is {epsilon}; it must be finite and not negative"));
            }
            same(args[0])
        }
        Op::Transpose(one, other) => {
            let mut shape = args[0].shape.clone();
            shape.swap(dimension(args[0], *one)?, dimension(args[0], *other)?);
            of(args[0].kind, shape)
        }
        Op::Reshape(shape) => {
            let found = TensorType { kind: args[0].kind, shape: shape.clone() };
            if let Some(problem) = found.problem() {
                return Err(problem);
            }
            if found.elements() != args[0].elements() {
                return Err(format!(
                    "{:?} has {} elements, {shape:?} {}",
                    args[0].shape,
                    args[0].elements(),
                    found.elements()
                ));
            }
            Ok(vec![found])
        }
        Op::Expand(shape) => {
            let from = &args[0].shape;
            let fits = shape.len() == from.len()
                && shape.iter().zip(from).all(|(wanted, found)| wanted == found || *found == 1);
            match fits {
                true => of(args[0].kind, shape.clone()),
                false => Err(format!("{from:?} cannot be expanded to {shape:?}: only sizes of 1 grow")),
            }
        }
        Op::Slice { dim, start, end } => {
            let at = dimension(args[0], *dim)?;
            let size = args[0].shape[at];
            if start >= end || *end > size {
                return Err(format!("{start}..{end} is not a part of dimension {dim} with size {size}"));
            }
            let mut shape = args[0].shape.clone();
            shape[at] = end - start;
            of(args[0].kind, shape)
        }
        Op::Cat(dim) => {
            let Some(first) = args.first() else { return Err("there is nothing to concatenate".into()) };
            let at = dimension(first, *dim)?;
            let mut shape = first.shape.clone();
            for part in &args[1..] {
                let alike = part.kind == first.kind
                    && part.shape.len() == shape.len()
                    && (0..shape.len()).all(|other| other == at || part.shape[other] == shape[other]);
                if !alike {
                    return Err(format!("{first} and {part} cannot be concatenated along dimension {dim}"));
                }
                shape[at] = shape[at]
                    .checked_add(part.shape[at])
                    .ok_or_else(|| "the size of the result overflows".to_owned())?;
            }
            of(first.kind, shape)
        }
        Op::TopK { k, dim } => {
            floats(args)?;
            let at = dimension(args[0], *dim)?;
            let size = args[0].shape[at];
            if !(1..=size).contains(k) {
                return Err(format!("k is {k}; dimension {dim} has size {size}"));
            }
            let mut shape = args[0].shape.clone();
            shape[at] = *k;
            Ok(vec![TensorType::float(shape.clone()), TensorType::int(shape)])
        }
        Op::Sort { dim, .. } => {
            floats(args)?;
            dimension(args[0], *dim)?;
            Ok(vec![args[0].clone(), TensorType::int(args[0].shape.clone())])
        }
        Op::Largest(k) => {
            floats(args)?;
            match *k <= args[0].elements() {
                true => of(ElementKind::Bool, args[0].shape.clone()),
                false => Err(format!("k is {k}; the tensor has {} elements", args[0].elements())),
            }
        }
        Op::ArgMax(dim) => {
            floats(args)?;
            let mut shape = args[0].shape.clone();
            shape[dimension(args[0], *dim)?] = 1;
            of(ElementKind::Int, shape)
        }
        Op::Gather(dim) => {
            let (x, indices) = (args[0], args[1]);
            check_indices(x, indices, *dim)?;
            of(x.kind, indices.shape.clone())
        }
        Op::ScatterAdd(dim) => {
            let (x, indices, values) = (args[0], args[1], args[2]);
            floats(&[x, values])?;
            check_indices(x, indices, *dim)?;
            match indices.shape == values.shape {
                true => same(x),
                false => Err(format!("indices {indices} and values {values} differ in shape")),
            }
        }
        Op::Select(dim) => {
            let at = dimension(args[0], *dim)?;
            if args[1].kind != ElementKind::Int || args[1].shape.len() != 1 {
                return Err(format!("indices must be a vector of integers, not {}", args[1]));
            }
            let mut shape = args[0].shape.clone();
            shape[at] = args[1].shape[0];
            of(args[0].kind, shape)
        }
        Op::Choose => {
            let (mask, yes, no) = (args[0], args[1], args[2]);
            if mask.kind != ElementKind::Bool {
                return Err(format!("the mask must be bool, not {mask}"));
            }
            match yes == no && mask.shape == yes.shape {
                true => same(yes),
                false => Err(format!("mask {mask}, {yes} and {no} must have one shape, the latter one kind")),
            }
        }
        Op::Full(shape, number) => match number.get().is_nan() {
            true => Err("the number is NaN".into()),
            false => of(ElementKind::Float, shape.clone()),
        },
        Op::Constant(index) => match constants.get(*index as usize) {
            Some((shape, _)) => of(ElementKind::Float, shape.clone()),
            None => Err(format!("there is no constant {index}")),
        },
        Op::Arange(count) => of(ElementKind::Int, vec![*count]),
        Op::Uniform { shape, .. } => of(ElementKind::Float, shape.clone()),
        Op::Expert(index) => {
            floats(args)?;
            let Some(expert) = experts.get(usize::from(*index)) else {
                return Err(format!("the site has {} experts", experts.len()));
            };
            match args[0].shape.as_slice() {
                [rows, width] if *width == expert.input => of(ElementKind::Float, vec![*rows, expert.output]),
                other => Err(format!("x must be [n, {}], not {other:?}", expert.input)),
            }
        }
        Op::Svd => {
            let [m, n] = matrix(args[0])?;
            let k = m.min(n);
            Ok(vec![TensorType::float([m, k]), TensorType::float([k]), TensorType::float([k, n])])
        }
        Op::Qr => {
            let [m, n] = matrix(args[0])?;
            let k = m.min(n);
            Ok(vec![TensorType::float([m, k]), TensorType::float([k, n])])
        }
        Op::Solve => {
            let ([m, n], [rows, columns]) = (matrix(args[0])?, matrix(args[1])?);
            match m == n && rows == n {
                true => Ok(vec![TensorType::float([n, columns])]),
                false => Err(format!("{} and {} are not a system of equations", args[0], args[1])),
            }
        }
    }
}

fn unary_result(unary: Unary, arg: &TensorType) -> Result<Vec<TensorType>, String> {
    let (accepted, result) = match unary {
        Unary::Detach => (true, arg.kind),
        Unary::Not => (arg.kind == ElementKind::Bool, ElementKind::Bool),
        Unary::ToFloat => (arg.kind != ElementKind::Float, ElementKind::Float),
        Unary::ToInt => (arg.kind != ElementKind::Int, ElementKind::Int),
        _ => (arg.kind == ElementKind::Float, ElementKind::Float),
    };
    match accepted {
        true => Ok(vec![TensorType { kind: result, shape: arg.shape.clone() }]),
        false => Err(format!("it does not take {arg}")),
    }
}

fn binary_kind(op: Binary, a: ElementKind, b: ElementKind) -> Result<ElementKind, String> {
    let fits = match op {
        _ if op.is_logical() => a == ElementKind::Bool && b == ElementKind::Bool,
        Binary::Eq | Binary::Ne => a == b,
        _ if op.compares() => a == b && a != ElementKind::Bool,
        _ => a == ElementKind::Float && b == ElementKind::Float,
    };
    match fits {
        true if op.compares() || op.is_logical() => Ok(ElementKind::Bool),
        true => Ok(ElementKind::Float),
        false => Err(format!("it does not take {a} and {b}")),
    }
}

fn scalar_result(op: Binary, number: f64, arg: &TensorType) -> Result<Vec<TensorType>, String> {
    if number.is_nan() {
        return Err("the number is NaN".into());
    }
    if op.is_logical() {
        return Err("it has no form with a number".into());
    }
    let whole = number.trunc() == number && number.abs() <= f64::from(i32::MAX);
    match arg.kind {
        ElementKind::Float => {
            let kind = if op.compares() { ElementKind::Bool } else { ElementKind::Float };
            Ok(vec![TensorType { kind, shape: arg.shape.clone() }])
        }
        ElementKind::Int if op.compares() && whole => Ok(vec![TensorType::bool(arg.shape.clone())]),
        ElementKind::Int if op.compares() => Err(format!("{number} is not a whole number of 32 bits")),
        _ => Err(format!("it does not take {arg} and a number")),
    }
}

/// numpy's broadcasting.
pub(super) fn broadcast(a: &[u32], b: &[u32]) -> Result<Vec<u32>, String> {
    let rank = a.len().max(b.len());
    let size = |shape: &[u32], at: usize| (at + shape.len()).checked_sub(rank).map_or(1, |own| shape[own]);
    (0..rank)
        .map(|at| match (size(a, at), size(b, at)) {
            (one, other) if one == other => Ok(one),
            (1, other) => Ok(other),
            (one, 1) => Ok(one),
            _ => Err(format!("{a:?} and {b:?} cannot be broadcast")),
        })
        .collect()
}

fn product_shape(a: &[u32], b: &[u32]) -> Result<Vec<u32>, String> {
    if a.len() != b.len() || a.len() < 2 {
        return Err(format!("{a:?} and {b:?}: ranks must be equal and at least 2"));
    }
    let split = a.len() - 2;
    if a[split + 1] != b[split] {
        return Err(format!("{a:?} and {b:?}: inner sizes {} and {} differ", a[split + 1], b[split]));
    }
    let mut shape = match split {
        0 => vec![],
        _ => broadcast(&a[..split], &b[..split])?,
    };
    shape.extend([a[split], b[split + 1]]);
    Ok(shape)
}

fn floats(args: &[&TensorType]) -> Result<(), String> {
    match args.iter().find(|arg| arg.kind != ElementKind::Float) {
        Some(arg) => Err(format!("it takes floats, not {arg}")),
        None => Ok(()),
    }
}

fn dimension(arg: &TensorType, dim: u8) -> Result<usize, String> {
    match usize::from(dim) < arg.shape.len() {
        true => Ok(usize::from(dim)),
        false => Err(format!("{arg} has no dimension {dim}")),
    }
}

fn check_indices(x: &TensorType, indices: &TensorType, dim: u8) -> Result<(), String> {
    let at = dimension(x, dim)?;
    let fits = indices.kind == ElementKind::Int
        && indices.shape.len() == x.shape.len()
        && (0..x.shape.len()).all(|other| other == at || indices.shape[other] == x.shape[other]);
    match fits {
        true => Ok(()),
        false => Err(format!("indices {indices} do not fit {x} along dimension {dim}")),
    }
}

fn matrix(arg: &TensorType) -> Result<[u32; 2], String> {
    match (arg.kind, arg.shape.as_slice()) {
        (ElementKind::Float, [rows, columns]) => Ok([*rows, *columns]),
        _ => Err(format!("it takes a float matrix, not {arg}")),
    }
}
