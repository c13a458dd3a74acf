//! A naive interpreter of programs in f64, element by element: what the runner is tested against.

use cadre_contract::program::{Binary, ElementKind, Op, Program, Reduction, Unary};

use super::draws;

/// A tensor in host memory; integers and truth values as numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Host {
    pub(super) kind: ElementKind,
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f64>,
}

/// An expert of the site: x to its output.
pub(super) type HostExperts<'a> = dyn Fn(usize, &Host) -> Host + 'a;

impl Host {
    pub(super) fn float(shape: &[usize], data: Vec<f64>) -> Self {
        Self::new(ElementKind::Float, shape, data)
    }

    pub(super) fn new(kind: ElementKind, shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "{shape:?}");
        Self { kind, shape: shape.to_vec(), data }
    }

    /// Every position and the value that `value` gives for it.
    pub(super) fn fill(kind: ElementKind, shape: &[usize], mut value: impl FnMut(&[usize]) -> f64) -> Self {
        let mut data = Vec::with_capacity(shape.iter().product());
        let mut at = vec![0; shape.len()];
        for flat in 0..shape.iter().product::<usize>() {
            let mut rest = flat;
            for dim in (0..shape.len()).rev() {
                at[dim] = rest % shape[dim];
                rest /= shape[dim];
            }
            data.push(value(&at));
        }
        Self { kind, shape: shape.to_vec(), data }
    }

    fn place(&self, at: &[usize]) -> usize {
        at.iter().zip(&self.shape).fold(0, |flat, (at, size)| flat * size + at)
    }

    pub(super) fn get(&self, at: &[usize]) -> f64 {
        self.data[self.place(at)]
    }

    /// The element at a position of a larger shape that this one is broadcast to.
    fn spread(&self, at: &[usize]) -> f64 {
        let own: Vec<usize> = at[at.len() - self.shape.len()..]
            .iter()
            .zip(&self.shape)
            .map(|(at, size)| if *size == 1 { 0 } else { *at })
            .collect();
        self.get(&own)
    }

    fn map(&self, kind: ElementKind, f: impl Fn(f64) -> f64) -> Self {
        Self { kind, shape: self.shape.clone(), data: self.data.iter().map(|x| f(*x)).collect() }
    }

    /// The lane through a position along a dimension.
    fn lane(&self, at: &[usize], dim: usize) -> Vec<f64> {
        let mut at = at.to_vec();
        (0..self.shape[dim])
            .map(|index| {
                at[dim] = index;
                self.get(&at)
            })
            .collect()
    }

    /// A tensor whose lanes along a dimension are a function of this one's.
    fn lanes(&self, kind: ElementKind, dim: usize, f: impl Fn(Vec<f64>) -> Vec<f64>) -> Self {
        let mut first = vec![0; self.shape.len()];
        first[dim] = 0;
        let length = f(self.lane(&first, dim)).len();
        let mut shape = self.shape.clone();
        shape[dim] = length;
        Self::fill(kind, &shape, |at| f(self.lane(at, dim))[at[dim]])
    }
}

/// Indices of a lane in order: NaN last, the lowest index first among equal elements.
fn order(lane: &[f64], descending: bool) -> Vec<f64> {
    let mut indices: Vec<usize> = (0..lane.len()).collect();
    indices.sort_by(|a, b| {
        let (a, b) = (lane[*a], lane[*b]);
        match (a.is_nan(), b.is_nan()) {
            (false, false) if descending => b.partial_cmp(&a).unwrap(),
            (false, false) => a.partial_cmp(&b).unwrap(),
            (a, b) => a.cmp(&b),
        }
    });
    indices.into_iter().map(|index| index as f64).collect()
}

fn pick(lane: &[f64], indices: Vec<f64>) -> Vec<f64> {
    indices.into_iter().map(|index| lane[index as usize]).collect()
}

/// The error function: 2/√π · e^(-x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn unary(op: Unary, x: f64) -> f64 {
    match op {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        // As burn: no sign of NaN.
        Unary::Sign if x == 0.0 || x.is_nan() => 0.0,
        Unary::Sign => x.signum(),
        Unary::Exp => x.exp(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Sqrt => x.sqrt(),
        Unary::Square => x * x,
        Unary::Recip => 1.0 / x,
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Tanh => x.tanh(),
        Unary::Relu if x.is_nan() => x,
        Unary::Relu => x.max(0.0),
        Unary::Silu => x / (1.0 + (-x).exp()),
        Unary::Gelu => x * 0.5 * (1.0 + erf(x / 2f64.sqrt())),
        Unary::Floor => x.floor(),
        Unary::Round => x.round_ties_even(),
        Unary::Cos => x.cos(),
        Unary::Sin => x.sin(),
        Unary::Not => 1.0 - x,
        // Saturates to 32 bits; NaN is 0.
        Unary::ToInt => f64::from(x as i32),
        Unary::ToFloat | Unary::Detach => x,
    }
}

fn binary(op: Binary, a: f64, b: f64) -> f64 {
    match op {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Pow => a.powf(b),
        Binary::Maximum if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Minimum if a.is_nan() || b.is_nan() => f64::NAN,
        Binary::Maximum => a.max(b),
        Binary::Minimum => a.min(b),
        Binary::And => a * b,
        Binary::Or => a.max(b),
        Binary::Eq => truth(a == b),
        Binary::Ne => truth(a != b),
        Binary::Gt => truth(a > b),
        Binary::Ge => truth(a >= b),
        Binary::Lt => truth(a < b),
        Binary::Le => truth(a <= b),
    }
}

fn reduced(op: Reduction, lane: &[f64]) -> f64 {
    let sum: f64 = lane.iter().sum();
    let extreme = |largest: bool| {
        let nan = lane.iter().any(|x| x.is_nan());
        if nan { f64::NAN } else { pick(lane, order(lane, largest))[0] }
    };
    match op {
        Reduction::Sum => sum,
        Reduction::Mean => sum / lane.len() as f64,
        Reduction::Max => extreme(true),
        Reduction::Min => extreme(false),
        Reduction::Norm => lane.iter().map(|x| x * x).sum::<f64>().sqrt(),
    }
}

fn softmax(lane: &[f64]) -> Vec<f64> {
    let largest = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = lane.iter().map(|x| (x - largest).exp()).sum();
    lane.iter().map(|x| (x - largest).exp() / sum).collect()
}

fn log_softmax(lane: &[f64]) -> Vec<f64> {
    let largest = lane.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = lane.iter().map(|x| (x - largest).exp()).sum();
    lane.iter().map(|x| x - largest - sum.ln()).collect()
}

fn layer_norm(lane: &[f64], epsilon: f64) -> Vec<f64> {
    let mean = reduced(Reduction::Mean, lane);
    let variance = lane.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / lane.len() as f64;
    lane.iter().map(|x| (x - mean) / (variance + epsilon).sqrt()).collect()
}

fn inside(index: f64, size: usize) -> Result<usize, String> {
    match index >= 0.0 && index < size as f64 {
        true => Ok(index as usize),
        false => Err(format!("index {index} is outside")),
    }
}

fn solve(a: &Host, b: &Host) -> Result<Host, String> {
    let (n, m) = (a.shape[0], b.shape[1]);
    let mut rows: Vec<Vec<f64>> =
        (0..n).map(|row| [&a.data[row * n..][..n], &b.data[row * m..][..m]].concat()).collect();
    for column in 0..n {
        let pivot =
            (column..n).max_by(|x, y| rows[*x][column].abs().total_cmp(&rows[*y][column].abs())).unwrap();
        rows.swap(column, pivot);
        if rows[column][column] == 0.0 {
            return Err("singular".into());
        }
        for row in 0..n {
            if row != column {
                let factor = rows[row][column] / rows[column][column];
                let pivot = rows[column].clone();
                rows[row].iter_mut().zip(pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
    }
    let data = (0..n).flat_map(|row| rows[row][n..].iter().map(|v| v / rows[row][row]).collect::<Vec<_>>());
    Ok(Host::float(&[n, m], data.collect()))
}

/// Results of an operation.
fn apply(op: &Op, args: &[&Host], around: (&Program, &HostExperts<'_>, u64)) -> Result<Vec<Host>, String> {
    let (program, experts, seed) = around;
    let sizes = |shape: &[u32]| shape.iter().map(|size| *size as usize).collect::<Vec<usize>>();
    let float = ElementKind::Float;
    let one = match op {
        Op::Unary(op) => {
            let kind = match op {
                Unary::ToFloat => float,
                Unary::ToInt => ElementKind::Int,
                _ => args[0].kind,
            };
            args[0].map(kind, |x| unary(*op, x))
        }
        Op::Binary(op) => {
            let rank = args[0].shape.len().max(args[1].shape.len());
            let size = |host: &Host, at: usize| {
                (at + host.shape.len()).checked_sub(rank).map_or(1, |at| host.shape[at])
            };
            let shape: Vec<usize> = (0..rank).map(|at| size(args[0], at).max(size(args[1], at))).collect();
            let kind = if op.compares() || op.is_logical() { ElementKind::Bool } else { float };
            Host::fill(kind, &shape, |at| binary(*op, args[0].spread(at), args[1].spread(at)))
        }
        Op::Scalar(op, number) => {
            let number = f64::from(number.get() as f32);
            args[0].map(if op.compares() { ElementKind::Bool } else { float }, |x| binary(*op, x, number))
        }
        Op::Matmul => {
            let rank = args[0].shape.len();
            let mut shape: Vec<usize> =
                args[0].shape.iter().zip(&args[1].shape).map(|(a, b)| *a.max(b)).collect();
            shape[rank - 2] = args[0].shape[rank - 2];
            shape[rank - 1] = args[1].shape[rank - 1];
            Host::fill(float, &shape, |at| {
                (0..args[0].shape[rank - 1])
                    .map(|inner| {
                        let (mut left, mut right) = (at.to_vec(), at.to_vec());
                        for dim in 0..rank - 2 {
                            left[dim] = at[dim].min(args[0].shape[dim] - 1);
                            right[dim] = at[dim].min(args[1].shape[dim] - 1);
                        }
                        left[rank - 1] = inner;
                        right[rank - 2] = inner;
                        args[0].get(&left) * args[1].get(&right)
                    })
                    .sum()
            })
        }
        Op::Reduce(op, dim) => args[0].lanes(float, usize::from(*dim), |lane| vec![reduced(*op, &lane)]),
        Op::ReduceAll(op) => Host::float(&[1], vec![reduced(*op, &args[0].data)]),
        Op::Softmax(dim) => args[0].lanes(float, usize::from(*dim), |lane| softmax(&lane)),
        Op::LogSoftmax(dim) => args[0].lanes(float, usize::from(*dim), |lane| log_softmax(&lane)),
        Op::LayerNorm(epsilon) => {
            let epsilon = f64::from(epsilon.get() as f32);
            args[0].lanes(float, args[0].shape.len() - 1, |lane| layer_norm(&lane, epsilon))
        }
        Op::CumSum(dim) => args[0].lanes(float, usize::from(*dim), |lane| {
            lane.iter()
                .scan(0.0, |sum, x| {
                    *sum += x;
                    Some(*sum)
                })
                .collect()
        }),
        Op::Transpose(a, b) => {
            let swap = |at: &[usize]| {
                let mut at = at.to_vec();
                at.swap(usize::from(*a), usize::from(*b));
                at
            };
            Host::fill(args[0].kind, &swap(&args[0].shape), |at| args[0].get(&swap(at)))
        }
        Op::Reshape(shape) => Host::new(args[0].kind, &sizes(shape), args[0].data.clone()),
        Op::Expand(shape) => Host::fill(args[0].kind, &sizes(shape), |at| args[0].spread(at)),
        Op::Slice { dim, start, end } => args[0]
            .lanes(args[0].kind, usize::from(*dim), |lane| lane[*start as usize..*end as usize].to_vec()),
        Op::Cat(dim) => {
            let dim = usize::from(*dim);
            let mut shape = args[0].shape.clone();
            shape[dim] = args.iter().map(|part| part.shape[dim]).sum();
            Host::fill(args[0].kind, &shape, |at| {
                let mut at = at.to_vec();
                let mut parts = args.iter();
                let mut part = parts.next().unwrap();
                while at[dim] >= part.shape[dim] {
                    at[dim] -= part.shape[dim];
                    part = parts.next().unwrap();
                }
                part.get(&at)
            })
        }
        Op::TopK { k, dim } => {
            let (k, dim) = (*k as usize, usize::from(*dim));
            let values = args[0].lanes(float, dim, |lane| pick(&lane, order(&lane, true)[..k].to_vec()));
            let indices = args[0].lanes(ElementKind::Int, dim, |lane| order(&lane, true)[..k].to_vec());
            return Ok(vec![values, indices]);
        }
        Op::Sort { dim, descending } => {
            let dim = usize::from(*dim);
            let values = args[0].lanes(float, dim, |lane| pick(&lane, order(&lane, *descending)));
            let indices = args[0].lanes(ElementKind::Int, dim, |lane| order(&lane, *descending));
            return Ok(vec![values, indices]);
        }
        Op::Largest(k) => {
            let mut mask = vec![0.0; args[0].data.len()];
            order(&args[0].data, true)[..*k as usize].iter().for_each(|at| mask[*at as usize] = 1.0);
            Host::new(ElementKind::Bool, &args[0].shape, mask)
        }
        Op::ArgMax(dim) => {
            args[0].lanes(ElementKind::Int, usize::from(*dim), |lane| vec![order(&lane, true)[0]])
        }
        Op::Gather(dim) => {
            let dim = usize::from(*dim);
            let size = args[0].shape[dim];
            args[1].data.iter().try_for_each(|index| inside(*index, size).map(|_| ()))?;
            Host::fill(args[0].kind, &args[1].shape, |at| {
                let mut from = at.to_vec();
                from[dim] = args[1].get(at) as usize;
                args[0].get(&from)
            })
        }
        Op::ScatterAdd(dim) => {
            let dim = usize::from(*dim);
            let size = args[0].shape[dim];
            args[1].data.iter().try_for_each(|index| inside(*index, size).map(|_| ()))?;
            let mut sum = args[0].clone();
            Host::fill(float, &args[1].shape, |at| {
                let mut to = at.to_vec();
                to[dim] = args[1].get(at) as usize;
                let place = sum.place(&to);
                sum.data[place] += args[2].get(at);
                0.0
            });
            sum
        }
        Op::Select(dim) => {
            let dim = usize::from(*dim);
            let size = args[0].shape[dim];
            args[1].data.iter().try_for_each(|index| inside(*index, size).map(|_| ()))?;
            args[0].lanes(args[0].kind, dim, |lane| pick(&lane, args[1].data.clone()))
        }
        Op::Choose => Host::fill(args[1].kind, &args[1].shape, |at| {
            if args[0].get(at) == 1.0 { args[1].get(at) } else { args[2].get(at) }
        }),
        Op::Full(shape, number) => Host::fill(float, &sizes(shape), |_| f64::from(number.get() as f32)),
        Op::Constant(index) => {
            let (shape, values) = program.constant(*index).ok_or("no constant")?;
            Host::float(&sizes(shape), values.into_iter().map(f64::from).collect())
        }
        Op::Arange(count) => Host::fill(ElementKind::Int, &[*count as usize], |at| at[0] as f64),
        Op::Uniform { stream, shape } => {
            let shape = sizes(shape);
            let values = draws::uniform(seed, stream, shape.iter().product());
            Host::float(&shape, values.into_iter().map(f64::from).collect())
        }
        Op::Expert(index) => experts(usize::from(*index), args[0]),
        Op::Solve => solve(args[0], args[1])?,
        Op::Svd | Op::Qr => return Err("compared by their products, not by their elements".into()),
    };
    Ok(vec![one])
}

/// Runs a program.
pub(super) fn interpret(
    program: &Program,
    inputs: Vec<Host>,
    experts: &HostExperts<'_>,
    seed: u64,
) -> Result<Vec<Host>, String> {
    let mut values = inputs;
    for node in program.nodes() {
        let args: Vec<&Host> = node.args.iter().map(|arg| &values[*arg as usize]).collect();
        let made = apply(&node.op, &args, (program, experts, seed))?;
        values.extend(made);
    }
    Ok(program.outputs().iter().map(|output| values[output.value as usize].clone()).collect())
}
