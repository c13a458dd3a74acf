//! Gradients of every differentiable operation against central differences of the interpreter.

use cadre_contract::program::{Binary, Reduction, Unary};

use super::super::interpreter::interpret;
use super::*;

/// Gradients of Σ output · cotangent by central differences.
fn differences(program: &Program, inputs: &[Host], cotangents: &[Host]) -> Vec<Vec<f64>> {
    const STEP: f64 = 1e-5;
    let value = |inputs: Vec<Host>| -> f64 {
        let outputs = interpret(program, inputs, &host_experts, 3).unwrap();
        outputs
            .iter()
            .zip(cotangents)
            .filter(|(output, _)| output.kind == ElementKind::Float)
            .flat_map(|(output, cotangent)| output.data.iter().zip(&cotangent.data).map(|(y, c)| y * c))
            .sum()
    };
    let moved = |input: usize, at: usize, step: f64| {
        let mut inputs = inputs.to_vec();
        inputs[input].data[at] += step;
        value(inputs)
    };
    (0..inputs.len())
        .map(|input| {
            (0..inputs[input].data.len())
                .map(|at| match inputs[input].kind {
                    ElementKind::Float => (moved(input, at, STEP) - moved(input, at, -STEP)) / (2.0 * STEP),
                    _ => 0.0,
                })
                .collect()
        })
        .collect()
}

fn check(op: &Op, inputs: &[Host], draws: &mut Draws) {
    let program = single(op, inputs).unwrap_or_else(|refused| panic!("{refused}"));
    let leaves: Vec<AnyTensor> = inputs.iter().map(|input| leaf(&upload(input))).collect();
    let options = RunOptions { seed: 3, ..RunOptions::default() };
    let outputs = run(&program, leaves.clone(), options).unwrap();
    let cotangents: Vec<Host> = outputs.iter().map(|output| draws.floats(&output.shape())).collect();
    let found = gradients(&leaves, loss(&outputs, &cotangents));
    let expected = differences(&program, inputs, &cotangents);
    for (input, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let scale = expected.iter().fold(1.0f64, |most, value| most.max(value.abs()));
        for (at, (found, wanted)) in found.iter().zip(expected).enumerate() {
            assert!(
                close(f64::from(*found), *wanted, scale, 1e-4),
                "gradient of input {input}, element {at}, is {found}, expected {wanted}:\n{program}\n{inputs:?}"
            );
        }
    }
}

/// Positive, between 0.5 and 2.5.
fn positive(draws: &mut Draws, shape: &[usize]) -> Host {
    Host::fill(ElementKind::Float, shape, |_| f64::from((draws.float().abs() + 0.5) as f32))
}

/// Away from 0 and from whole and half numbers, where functions have kinks or steps.
fn smooth(draws: &mut Draws, shape: &[usize]) -> Host {
    Host::fill(ElementKind::Float, shape, |_| {
        let whole = draws.below(5) as f64 - 2.0;
        f64::from((whole + 0.1 + 0.3 * (draws.float() / 4.0 + 0.5)) as f32)
    })
}

#[test]
fn gradients_equal_central_differences() {
    let mut draws = Draws(5);
    let draws = &mut draws;
    let number = |value: f64| value.into();
    for shape in [vec![3], vec![1], vec![2, 3], vec![4, 1], vec![2, 3, 2], vec![2, 1, 3, 2]] {
        use Unary::*;
        for op in [Neg, Abs, Sign, Exp, Square, Sigmoid, Tanh, Relu, Silu, Gelu, Floor, Round, Cos, Sin] {
            let x = smooth(draws, &shape);
            check(&Op::Unary(op), &[x], draws);
        }
        for op in [Log, Log1p, Sqrt, Recip] {
            let x = positive(draws, &shape);
            check(&Op::Unary(op), &[x], draws);
        }
        // The second operand in its own shape and in two that are broadcast.
        let ones = vec![1; shape.len()];
        for other in [shape.clone(), ones, vec![*shape.last().unwrap()]] {
            use Binary::*;
            for op in [Add, Sub, Mul, Div, Pow, Maximum, Minimum] {
                let (a, b) = (positive(draws, &shape), positive(draws, &other));
                check(&Op::Binary(op), &[a.clone(), b.clone()], draws);
                check(&Op::Binary(op), &[b, a], draws);
            }
        }
        for (op, value) in [
            (Binary::Add, 0.5),
            (Binary::Sub, 0.5),
            (Binary::Mul, -1.5),
            (Binary::Div, 3.0),
            (Binary::Pow, 2.0),
            (Binary::Pow, 1.0),
            (Binary::Pow, 0.0),
            (Binary::Pow, 0.3),
            (Binary::Pow, -1.0),
            (Binary::Maximum, 1.0),
            (Binary::Minimum, 1.0),
            (Binary::Minimum, f64::INFINITY),
        ] {
            let x = positive(draws, &shape);
            check(&Op::Scalar(op, number(value)), &[x], draws);
        }
        for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::Norm] {
            let x = draws.floats(&shape);
            check(&Op::ReduceAll(reduction), &[x], draws);
            for dim in 0..shape.len() as u8 {
                let x = draws.floats(&shape);
                check(&Op::Reduce(reduction, dim), &[x], draws);
            }
        }
        for dim in 0..shape.len() as u8 {
            let size = shape[usize::from(dim)] as u32;
            for op in [
                Op::Softmax(dim),
                Op::LogSoftmax(dim),
                Op::CumSum(dim),
                Op::Transpose(dim, 0),
                Op::Slice { dim, start: size - 1, end: size },
                Op::TopK { k: size.div_ceil(2), dim },
                Op::Sort { dim, descending: false },
                Op::Sort { dim, descending: true },
            ] {
                let x = draws.floats(&shape);
                check(&op, &[x], draws);
            }
            let parts = [draws.floats(&shape), draws.floats(&shape)];
            check(&Op::Cat(dim), &parts, draws);
            let indices = Host::fill(ElementKind::Int, &shape, |_| draws.below(size as usize) as f64);
            let (x, values) = (draws.floats(&shape), draws.floats(&shape));
            check(&Op::Gather(dim), &[x.clone(), indices.clone()], draws);
            check(&Op::ScatterAdd(dim), &[x.clone(), indices, values], draws);
            let rows = Host::fill(ElementKind::Int, &[4], |_| draws.below(size as usize) as f64);
            check(&Op::Select(dim), &[x, rows], draws);
        }
        let x = draws.floats(&shape);
        check(&Op::LayerNorm(number(0.1)), std::slice::from_ref(&x), draws);
        check(&Op::Reshape(vec![1, x.data.len() as u32]), std::slice::from_ref(&x), draws);
        let wide: Vec<u32> = shape.iter().map(|size| if *size == 1 { 3 } else { *size as u32 }).collect();
        check(&Op::Expand(wide), std::slice::from_ref(&x), draws);
        let mask = Host::fill(ElementKind::Bool, &shape, |_| draws.below(2) as f64);
        let y = draws.floats(&shape);
        check(&Op::Choose, &[mask, x, y], draws);
    }
    for (a, b) in [
        (vec![3, 4], vec![4, 2]),
        (vec![1, 4], vec![4, 1]),
        (vec![2, 3, 4], vec![2, 4, 2]),
        (vec![1, 3, 4], vec![2, 4, 2]),
        (vec![2, 1, 3, 2], vec![1, 2, 2, 3]),
    ] {
        let inputs = [draws.floats(&a), draws.floats(&b)];
        check(&Op::Matmul, &inputs, draws);
    }
    let x = draws.floats(&[3, 4]);
    check(&Op::Expert(1), &[x], draws);
}
