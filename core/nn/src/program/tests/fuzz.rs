//! Random programs: single operations are compared with the interpreter; longer programs must run, or be refused with
//! an error, without a panic of burn. `CADRE_FUZZ_PROGRAMS` sets the number of programs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cadre_contract::program::{Binary, Number, Reduction, Unary};

use super::super::interpreter::interpret;
use super::super::{Products, first_not_finite};
use super::*;

const UNARY: [Unary; 22] = [
    Unary::Neg,
    Unary::Abs,
    Unary::Sign,
    Unary::Exp,
    Unary::Log,
    Unary::Log1p,
    Unary::Sqrt,
    Unary::Square,
    Unary::Recip,
    Unary::Sigmoid,
    Unary::Tanh,
    Unary::Relu,
    Unary::Silu,
    Unary::Gelu,
    Unary::Floor,
    Unary::Round,
    Unary::Cos,
    Unary::Sin,
    Unary::Not,
    Unary::ToFloat,
    Unary::ToInt,
    Unary::Detach,
];
const BINARY: [Binary; 15] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Pow,
    Binary::Maximum,
    Binary::Minimum,
    Binary::And,
    Binary::Or,
    Binary::Eq,
    Binary::Ne,
    Binary::Gt,
    Binary::Ge,
    Binary::Lt,
    Binary::Le,
];
const REDUCTIONS: [Reduction; 5] =
    [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::Norm];

fn programs() -> usize {
    std::env::var("CADRE_FUZZ_PROGRAMS").ok().and_then(|count| count.parse().ok()).unwrap_or(3_000)
}

fn shape(draws: &mut Draws, rank: usize) -> Vec<usize> {
    (0..rank).map(|_| [1, 2, 3, 4, 4, 5][draws.below(6)]).collect()
}

fn small(shape: &[usize]) -> Vec<u32> {
    shape.iter().map(|size| *size as u32).collect()
}

/// An input of any kind. One in three float inputs has special values.
pub(super) fn input(draws: &mut Draws, kind: ElementKind, shape: &[usize]) -> Host {
    let special = draws.below(3) == 0;
    Host::fill(kind, shape, |_| match kind {
        ElementKind::Float if special => match draws.below(8) {
            0 => 0.0,
            1 => -0.0,
            2 => f64::INFINITY,
            3 => f64::NEG_INFINITY,
            4 => f64::NAN,
            5 => 1.5,
            6 => -0.5,
            _ => draws.float(),
        },
        ElementKind::Float => draws.float(),
        ElementKind::Int => draws.below(3) as f64,
        ElementKind::Bool => draws.below(2) as f64,
    })
}

/// A random operation with arguments among values of these types; it may not fit them.
fn operation(draws: &mut Draws, types: &[TensorType], stream: usize) -> (Op, Vec<Value>) {
    let first = draws.below(types.len());
    let shape_of = |value: usize| types[value].shape.iter().map(|size| *size as usize).collect::<Vec<_>>();
    let from = shape_of(first);
    let dim = draws.below(from.len()) as u8;
    let size = from[usize::from(dim)];
    // Prefers values that fit the condition.
    let other = |draws: &mut Draws, fits: &dyn Fn(&TensorType) -> bool| {
        let fitting: Vec<usize> = (0..types.len()).filter(|at| fits(&types[*at])).collect();
        if fitting.is_empty() { draws.below(types.len()) } else { fitting[draws.below(fitting.len())] }
    };
    let number =
        Number::from([0.0, 1.0, -1.0, 0.5, 2.0, f64::INFINITY, f64::NEG_INFINITY, 3.0][draws.below(8)]);
    let reduction = REDUCTIONS[draws.below(5)];
    let (op, args) = match draws.below(34) {
        0..4 => (Op::Unary(UNARY[draws.below(22)]), vec![first]),
        4..7 => {
            let kind = types[first].kind;
            let second = other(draws, &|of| of.kind == kind);
            (Op::Binary(BINARY[draws.below(15)]), vec![first, second])
        }
        7 => (Op::Scalar(BINARY[draws.below(15)], number), vec![first]),
        8 | 9 => {
            let second = other(draws, &|of| {
                of.shape.len() == from.len()
                    && from.len() > 1
                    && of.shape[from.len() - 2] as usize == from[from.len() - 1]
            });
            (Op::Matmul, vec![first, second])
        }
        10 => (Op::Reduce(reduction, dim), vec![first]),
        11 => (Op::ReduceAll(reduction), vec![first]),
        12 => (Op::Softmax(dim), vec![first]),
        13 => (Op::LogSoftmax(dim), vec![first]),
        14 => (Op::LayerNorm(1e-5.into()), vec![first]),
        15 => (Op::CumSum(dim), vec![first]),
        16 => (Op::Transpose(dim, draws.below(from.len()) as u8), vec![first]),
        17 => {
            let count: usize = from.iter().product();
            let options = [vec![count], vec![1, count], vec![count, 1], vec![count, 1, 1, 1]];
            (Op::Reshape(small(&options[draws.below(4)])), vec![first])
        }
        18 => {
            let shape: Vec<usize> =
                from.iter().map(|size| if *size == 1 { 1 + draws.below(3) } else { *size }).collect();
            (Op::Expand(small(&shape)), vec![first])
        }
        19 => {
            let start = draws.below(size);
            let end = start + 1 + draws.below(size - start);
            (Op::Slice { dim, start: start as u32, end: end as u32 }, vec![first])
        }
        20 => {
            let second = other(draws, &|of| of == &types[first]);
            (
                Op::Cat(dim),
                [vec![first, second], vec![first], vec![second, first, second]][draws.below(3)].clone(),
            )
        }
        21 => (Op::TopK { k: 1 + draws.below(size) as u32, dim }, vec![first]),
        22 => (Op::Sort { dim, descending: draws.below(2) == 0 }, vec![first]),
        23 => (Op::Largest(draws.below(from.iter().product::<usize>() + 1) as u64), vec![first]),
        24 => (Op::ArgMax(dim), vec![first]),
        25 => {
            let indices = other(draws, &|of| of.kind == ElementKind::Int && of.shape.len() == from.len());
            (Op::Gather(dim), vec![first, indices])
        }
        26 => {
            let indices = other(draws, &|of| of.kind == ElementKind::Int && of.shape.len() == from.len());
            let values =
                other(draws, &|of| of.kind == ElementKind::Float && of.shape == types[indices].shape);
            (Op::ScatterAdd(dim), vec![first, indices, values])
        }
        27 => {
            let indices = other(draws, &|of| of.kind == ElementKind::Int && of.shape.len() == 1);
            (Op::Select(dim), vec![first, indices])
        }
        28 => {
            let mask = other(draws, &|of| of.kind == ElementKind::Bool && of.shape == types[first].shape);
            let second = other(draws, &|of| of == &types[first]);
            (Op::Choose, vec![mask, first, second])
        }
        29 => (Op::Full(small(&from), number), vec![]),
        30 => match draws.below(2) {
            0 => (Op::Arange(size as u32), vec![]),
            _ => (Op::Uniform { stream: format!("s{stream}"), shape: small(&from) }, vec![]),
        },
        31 => (Op::Expert(draws.below(2) as u16), vec![first]),
        32 => ([Op::Svd, Op::Qr][draws.below(2)].clone(), vec![first]),
        _ => {
            let second = other(draws, &|of| of.kind == ElementKind::Float && of.shape.len() == 2);
            (Op::Solve, vec![first, second])
        }
    };
    (op, args.into_iter().map(|at| at as Value).collect())
}

fn kind(draws: &mut Draws) -> ElementKind {
    [ElementKind::Float, ElementKind::Float, ElementKind::Float, ElementKind::Int, ElementKind::Bool]
        [draws.below(5)]
}

/// Inputs that often fit each other.
fn inputs(draws: &mut Draws) -> Vec<Host> {
    let rank = 1 + draws.below(4);
    let common = shape(draws, rank);
    (0..2 + draws.below(3))
        .map(|_| {
            let kind = kind(draws);
            let shape = match draws.below(4) {
                0 => {
                    let rank = 1 + draws.below(4);
                    shape(draws, rank)
                }
                1 => common.iter().map(|size| if draws.below(2) == 0 { 1 } else { *size }).collect(),
                2 if rank > 1 => {
                    let mut turned = common.clone();
                    turned.swap(rank - 1, rank - 2);
                    turned
                }
                _ => common.clone(),
            };
            input(draws, kind, &shape)
        })
        .collect()
}

/// Whether two f32 and f64 results may differ by more than rounding: the sign of an infinite quotient depends on the
/// sign of a zero, which f64 keeps longer.
fn accept(found: &Host, expected: &Host, magnitude: f64) -> Option<String> {
    if (found.kind, &found.shape) != (expected.kind, &expected.shape) {
        return Some(format!(
            "{:?}{:?}, expected {:?}{:?}",
            found.kind, found.shape, expected.kind, expected.shape
        ));
    }
    let wrong = found
        .data
        .iter()
        .zip(&expected.data)
        .position(|(found, wanted)| !close(*found, *wanted, magnitude, 3e-6));
    wrong.map(|at| format!("element {at} is {}, expected {}", found.data[at], expected.data[at]))
}

#[test]
fn every_operation_equals_the_interpreter() {
    let mut draws = Draws(41);
    let mut compared = std::collections::BTreeMap::<String, usize>::new();
    let mut wrong = std::collections::BTreeMap::<String, String>::new();
    for _ in 0..programs() * 4 {
        let inputs = inputs(&mut draws);
        let types: Vec<TensorType> = inputs.iter().map(type_of).collect();
        let (op, args) = operation(&mut draws, &types, 0);
        let mut program = builder(&types);
        let Ok(made) = program.apply(op.clone(), &args) else { continue };
        let outputs = made.iter().enumerate().map(|(at, value)| out(&at.to_string(), *value)).collect();
        let program = program.finish(outputs).unwrap();
        if matches!(op, Op::Svd | Op::Qr) {
            continue;
        }
        let options = RunOptions { seed: 5, ..RunOptions::default() };
        let tensors: Vec<AnyTensor> = inputs.iter().map(upload).collect();
        let found = catch_unwind(AssertUnwindSafe(|| run(&program, tensors, options)));
        let found = found.unwrap_or_else(|_| panic!("a panic of\n{program}"));
        let expected = interpret(&program, inputs.clone(), &host_experts, 5);
        let name = op.to_string().split(['[', '(']).next().unwrap().to_owned();
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let finite = inputs.iter().flat_map(|input| &input.data).filter(|x| x.is_finite());
                let magnitude = finite.fold(1.0f64, |most, x| most.max(x.abs()));
                for (found, expected) in found.iter().zip(&expected) {
                    // An ill-conditioned system and a nearly constant row multiply the rounding of f32.
                    let scale =
                        if matches!(op, Op::Solve | Op::LayerNorm(_)) { 1e3 * magnitude } else { magnitude };
                    if let Some(problem) = accept(&download(found), expected, scale) {
                        wrong.entry(name.clone()).or_insert(format!("{problem}\n{program}\n{inputs:?}"));
                    }
                }
                *compared.entry(name).or_default() += 1;
            }
            (Err(_), Err(_)) => {}
            // The host solves in f64 what the interpreter finds singular or not by rounding.
            (Ok(_), Err(_)) | (Err(_), Ok(_)) if matches!(op, Op::Solve) => {}
            (found, expected) => panic!("{found:?}, expected {expected:?} of\n{program}\n{inputs:?}"),
        }
    }
    let report: Vec<String> = wrong.values().map(|problem| problem.to_string()).collect();
    assert!(report.is_empty(), "{}", report.join("\n\n"));
    assert!(compared.len() >= 60, "only {} operations were compared: {compared:?}", compared.len());
}

#[test]
fn random_programs_run_without_a_panic() {
    let mut draws = Draws(97);
    let (mut ran, mut refused) = (0, 0);
    for number in 0..programs() {
        let inputs = inputs(&mut draws);
        let mut types: Vec<TensorType> = inputs.iter().map(type_of).collect();
        let mut program = builder(&types);
        for stream in 0..1 + draws.below(24) {
            let (op, args) = operation(&mut draws, &types, stream);
            match program.apply(op, &args) {
                Ok(made) => types.extend(made.iter().map(|value| program.type_of(*value).unwrap().clone())),
                Err(_) => refused += 1,
            }
        }
        let outputs = (0..1 + draws.below(4))
            .map(|at| {
                let value = draws.below(types.len()) as Value;
                match draws.below(3) {
                    0 => Output { role: OutputRole::Statistic(at.to_string()), value },
                    _ => out(&at.to_string(), value),
                }
            })
            .collect();
        let program = program.finish(outputs).unwrap();
        // Half of the programs run: half of these with gradients.
        if number % 2 == 1 {
            continue;
        }
        let tracked = number % 4 == 0;
        let host_only = program.nodes().iter().any(|node| node.op.is_host_only());
        let tensors: Vec<AnyTensor> = inputs.iter().map(upload).collect();
        let work = || {
            let given = match tracked && !host_only {
                true => tensors.iter().map(leaf).collect::<Vec<_>>(),
                false => tensors.clone(),
            };
            let products = if tracked { Products::Fastest } else { Products::ByRow };
            let found = run(&program, given.clone(), RunOptions { products, seed: 1 });
            if let Ok(found) = &found {
                for (found, output) in found.iter().zip(program.outputs()) {
                    assert_eq!(type_of(&download(found)), program.types()[output.value as usize]);
                    if matches!(output.role, OutputRole::Statistic(_)) {
                        assert!(!found.is_tracked());
                    }
                }
                let cotangents: Vec<Host> = found.iter().map(download).collect();
                gradients(&given, loss(found, &cotangents));
                first_not_finite(&program, found).unwrap();
            }
            found.is_ok()
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(whole) => ran += usize::from(whole),
            Err(_) => panic!("a panic of program {number}:\n{program}"),
        }
    }
    assert!(ran > programs() / 5, "{ran} programs ran, {refused} operations were refused");
}
