//! Building, checking, printing and costs of programs.

use super::*;

fn builder(inputs: &[(&str, TensorType)]) -> Builder {
    let inputs = inputs.iter().map(|(name, kind)| (Source::Case((*name).to_owned()), kind.clone()));
    Builder::new(inputs, vec![ExpertType { input: 4, output: 3 }], ProgramLimits::default()).unwrap()
}

fn case(name: &str, value: Value) -> Output {
    Output { role: OutputRole::Case(name.to_owned()), value }
}

#[test]
fn a_gate_is_printed_with_its_cost() {
    let mut gate = builder(&[("x", TensorType::float([2, 4])), ("w", TensorType::float([4, 3]))]);
    let scores = gate.apply(Op::Matmul, &[0, 1]).unwrap()[0];
    let unused = gate.apply(Op::Unary(Unary::Exp), &[scores]).unwrap()[0];
    gate.apply(Op::Unary(Unary::Log), &[unused]).unwrap();
    let shares = gate.apply(Op::Softmax(1), &[scores]).unwrap()[0];
    let kept = gate.apply(Op::TopK { k: 1, dim: 1 }, &[shares]).unwrap();
    let program = gate.finish(vec![case("top", kept[0]), case("which", kept[1])]).unwrap();
    assert_eq!(
        program.to_string(),
        "%0: float[2, 4] = case.x\n%1: float[4, 3] = case.w\n%2: float[2, 3] = matmul(%0, %1)\n\
         %3: float[2, 3] = softmax[dim=1](%2)\n%4: float[2, 1], %5: int[2, 1] = top-k[k=1,dim=1](%3)\n\
         case.top <- %4\ncase.which <- %5\n\
         # 3 operations, 16 elements produced, 26 at most at once, 24 multiplications"
    );
    assert_eq!(program.reaches(0), [true, true]);
    assert_eq!(program.reaches(1), [false, false], "indices have no gradient");
    let text = serde_json::to_string(&program).unwrap();
    assert_eq!(Program::from_json(&text, ProgramLimits::default()).unwrap(), program);
}

#[test]
fn wrong_operations_are_refused_with_shapes() {
    let mut program = builder(&[
        ("x", TensorType::float([2, 4])),
        ("i", TensorType::int([2, 4])),
        ("m", TensorType::bool([2, 4])),
    ]);
    let cases: Vec<(Op, Vec<Value>, &str)> = vec![
        (
            Op::Matmul,
            vec![0, 0],
            "matmul of (float[2, 4], float[2, 4]): [2, 4] and [2, 4]: inner sizes 4 and 2 differ",
        ),
        (
            Op::Binary(Binary::Add),
            vec![0, 1],
            "add of (float[2, 4], int[2, 4]): it does not take float and int",
        ),
        (Op::Unary(Unary::Exp), vec![2], "exp of (bool[2, 4]): it does not take bool[2, 4]"),
        (
            Op::Reduce(Reduction::Sum, 2),
            vec![0],
            "sum[dim=2] of (float[2, 4]): float[2, 4] has no dimension 2",
        ),
        (
            Op::TopK { k: 5, dim: 1 },
            vec![0],
            "top-k[k=5,dim=1] of (float[2, 4]): k is 5; dimension 1 has size 4",
        ),
        (Op::Reshape(vec![3, 3]), vec![0], "reshape[3, 3] of (float[2, 4]): [2, 4] has 8 elements, [3, 3] 9"),
        (Op::Expert(1), vec![0], "expert[1] of (float[2, 4]): the site has 1 experts"),
        (Op::Scalar(Binary::Add, f64::NAN.into()), vec![0], "add[NaN] of (float[2, 4]): the number is NaN"),
        (Op::Choose, vec![2, 0], "choose of (bool[2, 4], float[2, 4]): it takes 3 tensors, 2 are given"),
        (Op::Matmul, vec![0, 9], "tensor %9 does not exist in this call"),
        (Op::Full(vec![0, 1], 1.0.into()), vec![], "full[0, 1][1] of (): [0, 1] has a size of 0"),
    ];
    for (op, args, problem) in cases {
        assert_eq!(program.apply(op, &args).unwrap_err().problem, problem);
    }
    let draw = Op::Uniform { stream: "noise".into(), shape: vec![2] };
    program.apply(draw.clone(), &[]).unwrap();
    assert!(program.apply(draw, &[]).unwrap_err().problem.contains("the stream is used twice"));
}

#[test]
fn limits_are_told_with_figure_and_limit() {
    let limits = ProgramLimits { operations: 2, elements: 100, host_only: false, ..ProgramLimits::default() };
    let x = (Source::X, TensorType::float([10, 10]));
    let mut program = Builder::new([x], vec![], limits).unwrap();
    let refused = |found: Result<Vec<Value>, Refused>| found.unwrap_err().problem;
    assert_eq!(
        refused(program.apply(Op::Full(vec![101], 0.0.into()), &[])),
        "the program has 101 elements of a tensor; the limit is 100"
    );
    assert!(refused(program.apply(Op::Svd, &[0])).contains("has no gradient"));
    program.apply(Op::Unary(Unary::Exp), &[0]).unwrap();
    program.apply(Op::Unary(Unary::Exp), &[0]).unwrap();
    assert_eq!(
        refused(program.apply(Op::Unary(Unary::Exp), &[0])),
        "the program has 3 operations; the limit is 2"
    );
}

#[test]
fn equal_constants_are_stored_once_and_infinities_survive() {
    let mut program = builder(&[("x", TensorType::float([2]))]);
    let one = program.constant(vec![2], &[f32::INFINITY, -0.0]).unwrap();
    let two = program.constant(vec![2], &[f32::INFINITY, -0.0]).unwrap();
    let sum = program.apply(Op::Binary(Binary::Add), &[one, two]).unwrap()[0];
    let sum = program.apply(Op::Binary(Binary::Maximum), &[sum, 0]).unwrap()[0];
    let program = program.finish(vec![case("sum", sum)]).unwrap();
    let text = serde_json::to_string(&program).unwrap();
    let again = Program::from_json(&text, ProgramLimits::default()).unwrap();
    assert_eq!(again, program);
    assert_eq!(again.constant(0).unwrap().1, [f32::INFINITY, -0.0]);
    assert!(again.constant(1).is_none());
}

#[test]
fn a_damaged_program_is_refused() {
    for text in [
        "",
        "{}",
        r#"{"inputs":["x"],"experts":[],"types":[],"nodes":[],"constants":[],"outputs":[]}"#,
        r#"{"inputs":["x"],"experts":[],"types":[{"kind":"float","shape":[0]}],"nodes":[],"constants":[],"outputs":[]}"#,
        r#"{"inputs":[],"experts":[],"types":[],"nodes":[{"op":{"constant":4},"args":[]}],"constants":[],"outputs":[]}"#,
        r#"{"inputs":[],"experts":[],"types":[],"nodes":[],"constants":[],"outputs":[{"role":"output","value":3}]}"#,
    ] {
        assert!(Program::from_json(text, ProgramLimits::default()).is_err(), "{text}");
    }
}

/// The names of an enum or variant of the contract.
fn names_in_contract(item: &str) -> Vec<&'static str> {
    let (_, rest) = crate::METHOD_WIT.split_once(&format!(" {item} {{")).unwrap();
    let (body, _) = rest.split_once('}').unwrap();
    let lines = body.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    let names = lines.flat_map(|line| match line.split_once('(') {
        Some((name, _)) => vec![name],
        None => line.split(',').collect(),
    });
    names.map(str::trim).filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_operation_is_documented() {
    let page = include_str!("../../../../docs/operations.md");
    let mut operations = 0;
    for item in ["enum unary-op", "enum binary-op", "enum reduction", "variant operation"] {
        for name in names_in_contract(item) {
            operations += 1;
            assert!(page.contains(&format!("`{name}`")), "{name} of {item}");
        }
    }
    assert_eq!(operations, 22 + 15 + 5 + 31, "update the number, and the page");
}
