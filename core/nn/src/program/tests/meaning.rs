//! The exact meaning at special points, what is on the tape, and errors.

use cadre_contract::program::{Binary, Reduction, Unary};

use super::super::{Experts, NotFinite, Products, first_not_finite};
use super::*;

/// Output and gradients of one operation, with a cotangent of ones.
fn at(op: &Op, inputs: &[Host]) -> (Vec<f64>, Vec<Vec<f32>>) {
    let program = single(op, inputs).unwrap();
    let leaves: Vec<AnyTensor> = inputs.iter().map(|input| leaf(&upload(input))).collect();
    let outputs = run(&program, leaves.clone(), RunOptions::default()).unwrap();
    let ones: Vec<Host> =
        outputs.iter().map(|output| Host::fill(ElementKind::Float, &output.shape(), |_| 1.0)).collect();
    (download(&outputs[0]).data, gradients(&leaves, loss(&outputs, &ones)))
}

fn vector(values: &[f64]) -> Host {
    Host::float(&[values.len()], values.to_vec())
}

#[test]
fn gradients_at_special_points() {
    let gradient = |op: Op, values: &[f64]| at(&op, &[vector(values)]).1.remove(0);
    let zero = [0.0, -0.0];
    assert_eq!(gradient(Op::Unary(Unary::Abs), &zero), [0.0, 0.0]);
    assert_eq!(gradient(Op::Unary(Unary::Relu), &zero), [0.0, 0.0]);
    assert_eq!(gradient(Op::Unary(Unary::Sqrt), &[0.0, 4.0]), [f32::INFINITY, 0.25]);
    for op in [Unary::Sign, Unary::Floor, Unary::Round, Unary::Detach] {
        assert_eq!(gradient(Op::Unary(op), &[0.0, 1.5]), [0.0, 0.0]);
    }
    for op in [Op::Reduce(Reduction::Norm, 0), Op::ReduceAll(Reduction::Norm)] {
        let (value, gradient) = at(&op, &[vector(&[0.0, 0.0])]);
        assert_eq!((value, gradient), (vec![0.0], vec![vec![0.0, 0.0]]));
    }
    // A row of zeros beside another one.
    let rows = Host::float(&[2, 2], vec![0.0, 0.0, 3.0, 4.0]);
    let (value, gradient) = at(&Op::Reduce(Reduction::Norm, 1), &[rows]);
    assert_eq!((value, gradient), (vec![0.0, 5.0], vec![vec![0.0, 0.0, 0.6, 0.8]]));
}

#[test]
fn equal_elements_give_the_gradient_to_the_first() {
    let ties = [1.0, 3.0, 3.0, 1.0];
    for (reduction, expected) in
        [(Reduction::Max, [0.0, 1.0, 0.0, 0.0]), (Reduction::Min, [1.0, 0.0, 0.0, 0.0])]
    {
        assert_eq!(at(&Op::Reduce(reduction, 0), &[vector(&ties)]).1, [expected]);
        assert_eq!(at(&Op::ReduceAll(reduction), &[vector(&ties)]).1, [expected]);
        // Along the first dimension of a matrix, where lanes are strided.
        let matrix = Host::fill(ElementKind::Float, &[4, 2], |at| ties[at[0]]);
        let expected: Vec<f32> = expected.iter().flat_map(|value| [*value; 2]).collect();
        assert_eq!(at(&Op::Reduce(reduction, 0), &[matrix]).1, [expected]);
    }
    for op in [Binary::Maximum, Binary::Minimum] {
        let (value, gradient) = at(&Op::Binary(op), &[vector(&[2.0, -0.0]), vector(&[2.0, 0.0])]);
        assert_eq!((value, gradient), (vec![2.0, -0.0], vec![vec![1.0, 1.0], vec![0.0, 0.0]]));
        assert_eq!(at(&Op::Scalar(op, 2.0.into()), &[vector(&[2.0])]).1, [[1.0]]);
        for pair in [[f64::NAN, 1.0], [1.0, f64::NAN]] {
            let (value, _) = at(&Op::Binary(op), &[vector(&pair[..1]), vector(&pair[1..])]);
            assert!(value[0].is_nan(), "NaN of either operand stays");
        }
    }
    assert_eq!(at(&Op::TopK { k: 1, dim: 0 }, &[vector(&ties)]).1, [[0.0, 1.0, 0.0, 0.0]]);
}

#[test]
fn statistics_and_detached_values_leave_the_tape() {
    let mut program = builder(&[TensorType::float([3])]);
    let squared = program.apply(Op::Unary(Unary::Square), &[0]).unwrap()[0];
    let detached = program.apply(Op::Unary(Unary::Detach), &[0]).unwrap()[0];
    let product = program.apply(Op::Binary(Binary::Mul), &[squared, detached]).unwrap()[0];
    let mean = program.apply(Op::ReduceAll(Reduction::Mean), &[squared]).unwrap()[0];
    let outputs = vec![
        out("y", product),
        Output { role: OutputRole::Statistic("mean".into()), value: mean },
        Output { role: OutputRole::Statistic("x".into()), value: 0 },
        Output { role: OutputRole::Buffer("squared".into()), value: squared },
    ];
    let program = program.finish(outputs).unwrap();
    let x = [leaf(&upload(&vector(&[1.0, 2.0, 3.0])))];
    let found = run(&program, x.to_vec(), RunOptions::default()).unwrap();
    assert!(found[0].is_tracked());
    for left in &found[1..] {
        let autodiff = match left {
            AnyTensor::Float1(left) => left.is_autodiff(),
            _ => true,
        };
        assert!(!autodiff);
    }
    // d (x² · [x]) / dx = 2 x · x.
    let gradient = gradients(&x, loss(&found[..1], &[vector(&[1.0; 3])]));
    assert_eq!(gradient, [[2.0, 8.0, 18.0]]);
}

#[test]
fn tracked_and_untracked_inputs_mix() {
    let ops = [
        (Op::Cat(0), 2),
        (Op::Binary(Binary::Maximum), 2),
        (Op::Binary(Binary::Pow), 2),
        (Op::Binary(Binary::Lt), 2),
        (Op::Matmul, 2),
    ];
    let mut draws = Draws(1);
    for (op, _) in ops {
        let inputs = [draws.floats(&[2, 2]), draws.floats(&[2, 2])];
        let program = single(&op, &inputs).unwrap();
        for which in 0..2 {
            let mut given: Vec<AnyTensor> = inputs.iter().map(upload).collect();
            given[which] = leaf(&given[which]);
            let mixed = run(&program, given, RunOptions::default()).unwrap();
            let plain = run(&program, inputs.iter().map(upload).collect(), RunOptions::default()).unwrap();
            assert_eq!(format!("{:?}", download(&mixed[0])), format!("{:?}", download(&plain[0])));
        }
    }
}

#[test]
fn draws_depend_on_the_seed_alone() {
    let mut program = builder(&[]);
    let draw = |program: &mut Builder, stream: &str| {
        let op = Op::Uniform { stream: stream.into(), shape: vec![2, 3] };
        program.apply(op, &[]).unwrap()[0]
    };
    let (one, other) = (draw(&mut program, "one"), draw(&mut program, "other"));
    let program = program.finish(vec![out("one", one), out("other", other)]).unwrap();
    let drawn = |seed| {
        let found = run(&program, vec![], RunOptions { seed, ..RunOptions::default() }).unwrap();
        [bits(&found[0]), bits(&found[1])]
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert_ne!(drawn(1)[0], drawn(1)[1]);
}

#[test]
fn wrong_values_end_the_run_with_an_error() {
    let message = |op: &Op, inputs: &[Host]| {
        let program = single(op, inputs).unwrap();
        run(&program, inputs.iter().map(upload).collect(), RunOptions::default()).unwrap_err().to_string()
    };
    let x = Host::float(&[2, 2], vec![1.0; 4]);
    let index = |value: f64| Host::new(ElementKind::Int, &[2, 2], vec![0.0, 1.0, value, 0.0]);
    for value in [2.0, -1.0] {
        let expected = format!("index {value} is outside dimension 1, whose size is 2");
        let text = message(&Op::Gather(1), &[x.clone(), index(value)]);
        assert_eq!(text, format!("run a program: operation 0, gather[dim=1]: {expected}"));
        assert!(message(&Op::ScatterAdd(1), &[x.clone(), index(value), x.clone()]).contains(&expected));
        let row = Host::new(ElementKind::Int, &[1], vec![value]);
        assert!(message(&Op::Select(1), &[x.clone(), row]).contains(&expected));
    }
    assert!(message(&Op::Solve, &[x.clone(), x.clone()]).contains("the matrix is singular"));
    let poisoned = Host::float(&[1, 2], vec![1.0, f64::NAN]);
    assert!(message(&Op::Svd, &[poisoned]).contains("not finite"));

    let program = single(&Op::Matmul, &[x.clone(), x.clone()]).unwrap();
    let wrong = |inputs: Vec<AnyTensor>, products| {
        run(&program, inputs, RunOptions { products, seed: 0 }).unwrap_err().to_string()
    };
    let whole = upload(&x);
    assert_eq!(wrong(vec![whole.clone()], Products::Fastest), "run a program: inputs: got 1, expected 2");
    assert_eq!(
        wrong(vec![whole.clone(), upload(&vector(&[1.0]))], Products::Fastest),
        "run a program: input case.1: got Float[1], expected float[2, 2]"
    );
    assert!(wrong(vec![leaf(&whole), whole], Products::ByRow).contains("products by row have no gradient"));

    let x = Host::float(&[2, 4], vec![1.0; 8]);
    let program = Arc::new(single(&Op::Expert(0), std::slice::from_ref(&x)).unwrap());
    let identity: &Experts<'_> = &|_, x| x;
    let found = super::super::run(&program, vec![upload(&x)], identity, &device(), RunOptions::default());
    assert!(found.unwrap_err().to_string().contains("the expert returns the shape [2, 4]"));
}

#[test]
fn decompositions_multiply_to_their_matrix() {
    let mut draws = Draws(11);
    for [m, n] in [[1, 1], [4, 4], [6, 3], [2, 5], [3, 1]] {
        let k = m.min(n);
        let x = draws.floats(&[m, n]);
        let product = |a: &Host, b: &Host| {
            run_plain(&single(&Op::Matmul, &[a.clone(), b.clone()]).unwrap(), &[a.clone(), b.clone()])
                .remove(0)
        };
        let transposed = |a: &Host| {
            let turned = [a.shape[1], a.shape[0]];
            Host::fill(ElementKind::Float, &turned, |at| a.get(&[at[1], at[0]]))
        };
        let identity = |size: usize| {
            Host::fill(ElementKind::Float, &[size, size], |at| f64::from(u8::from(at[0] == at[1])))
        };
        let [u, s, vt] =
            run_plain(&single(&Op::Svd, std::slice::from_ref(&x)).unwrap(), std::slice::from_ref(&x))
                .try_into()
                .unwrap();
        assert!(
            s.data.windows(2).all(|pair| pair[0] >= pair[1]) && s.data.iter().all(|s| *s >= 0.0),
            "{s:?}"
        );
        let scaled = Host::fill(ElementKind::Float, &[k, n], |at| s.data[at[0]] * vt.get(at));
        assert_close(&product(&u, &scaled), &x, 1e-5, "U S Vᵀ");
        assert_close(&product(&transposed(&u), &u), &identity(k), 1e-5, "Uᵀ U");
        assert_close(&product(&vt, &transposed(&vt)), &identity(k), 1e-5, "Vᵀ V");
        let [q, r] = run_plain(&single(&Op::Qr, std::slice::from_ref(&x)).unwrap(), std::slice::from_ref(&x))
            .try_into()
            .unwrap();
        assert_close(&product(&q, &r), &x, 1e-5, "Q R");
        assert_close(&product(&transposed(&q), &q), &identity(k), 1e-5, "Qᵀ Q");
        assert!((0..k).all(|row| (0..row.min(n)).all(|column| r.get(&[row, column]) == 0.0)), "{r:?}");
    }
}

#[test]
fn bf16_inputs_are_computed_in_f32() {
    let x = Host::float(&[2, 2], vec![1.0, 1.5, -2.0, 0.25]);
    let program = single(&Op::Unary(Unary::Exp), std::slice::from_ref(&x)).unwrap();
    let AnyTensor::Float2(tensor) = upload(&x) else { unreachable!() };
    let narrow = tensor.cast(burn::tensor::DType::BF16);
    let found = run(&program, vec![narrow.into()], RunOptions::default()).unwrap();
    assert_eq!(bits(&found[0]), bits(&run(&program, vec![upload(&x)], RunOptions::default()).unwrap()[0]));
}

#[test]
fn a_value_that_is_not_finite_is_found() {
    let mut program = builder(&[TensorType::float([3])]);
    let log = program.apply(Op::Unary(Unary::Log), &[0]).unwrap()[0];
    let outputs = vec![
        Output { role: OutputRole::Logits, value: log },
        Output { role: OutputRole::Statistic("log".into()), value: log },
    ];
    let program = program.finish(outputs).unwrap();
    let runner = Runner::new(Arc::new(program), &device());
    let found = |values: &[f64]| {
        let outputs = runner.run(vec![upload(&vector(values))], &experts, RunOptions::default()).unwrap();
        first_not_finite(runner.program(), &outputs).unwrap()
    };
    assert_eq!(found(&[1.0, 2.0, 3.0]), None);
    let removed = NotFinite { role: OutputRole::Statistic("log".into()), index: 1, value: f32::NEG_INFINITY };
    assert_eq!(found(&[1.0, 0.0, 3.0]), Some(removed), "logits may be -∞");
    let nan = found(&[1.0, 2.0, -1.0]).unwrap();
    assert_eq!((nan.role, nan.index, nan.value.is_nan()), (OutputRole::Logits, 2, true));
}

#[test]
fn threads_share_a_runner() {
    let x = Host::float(&[2, 3], vec![0.5; 6]);
    let program = single(&Op::Softmax(1), std::slice::from_ref(&x)).unwrap();
    let runner = Runner::new(Arc::new(program), &device());
    let once = || bits(&runner.run(vec![upload(&x)], &experts, RunOptions::default()).unwrap()[0]);
    let expected = once();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(once)).collect();
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), expected));
    });
}

#[test]
fn an_input_that_is_held_elsewhere_keeps_its_value() {
    let x = upload(&vector(&[1.0, 2.0]));
    let program = single(&Op::Unary(Unary::Neg), &[vector(&[1.0, 2.0])]).unwrap();
    let found = run(&program, vec![x.clone()], RunOptions::default()).unwrap();
    assert_eq!(download(&found[0]).data, [-1.0, -2.0]);
    assert_eq!(download(&x).data, [1.0, 2.0]);
    // The same value twice in one operation, at its last use.
    let mut program = builder(&[TensorType::float([2])]);
    let square = program.apply(Op::Binary(Binary::Mul), &[0, 0]).unwrap()[0];
    let program = program.finish(vec![out("a", square), out("b", square), out("c", 0)]).unwrap();
    let found = run(&program, vec![x], RunOptions::default()).unwrap();
    let values: Vec<Vec<f64>> = found.iter().map(|found| download(found).data).collect();
    assert_eq!(values, [[1.0, 4.0], [1.0, 4.0], [1.0, 2.0]]);
}
