//! Golden cases of reference implementations: `<method>/golden.json` in `$CADRE_REFERENCE`, or in `../shared/reference`
//! beside the repository. If there is none, each test prints that it is skipped.

use std::path::{Path, PathBuf};

use cadre_contract::program::{Binary, Reduction, Unary};
use serde_json::Value as Json;

use super::super::timing::{GateSizes, gate_program};
use super::methods::{Ties, TiesRule, Trace, o_lora};
use super::*;

struct Golden {
    tolerance: f64,
    cases: Vec<Json>,
}

fn golden(method: &str) -> Option<Golden> {
    let folder = std::env::var_os("CADRE_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"),
        PathBuf::from,
    );
    let path = folder.join(method).join("golden.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: there is no {}", path.display());
        return None;
    };
    let file: Json = serde_json::from_str(&text).unwrap();
    let cases = file["cases"].as_array().unwrap().clone();
    Some(Golden { tolerance: file["tolerance_f32"].as_f64().unwrap(), cases })
}

/// An array of a case, or a number as `[1]`.
fn array(json: &Json) -> Host {
    if let Some(number) = json.as_f64() {
        return Host::float(&[1], vec![number]);
    }
    let numbers =
        |json: &Json| json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<f64>>();
    let shape: Vec<usize> = numbers(&json["shape"]).iter().map(|size| *size as usize).collect();
    Host::float(&shape, numbers(&json["data"]))
}

fn arrays(json: &Json) -> Vec<Host> {
    json.as_array().unwrap().iter().map(array).collect()
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

impl Golden {
    fn compare(&self, case: &Json, found: &Host, expected: &Json, what: &str) {
        let mut expected = array(expected);
        expected.shape.clone_from(&found.shape);
        assert_close(
            found,
            &expected,
            self.tolerance,
            &format!("{}, seed {}: {what}", case["name"], case["seed"]),
        );
    }

    /// Compares gradients of Σ output · cotangent, by name of the input.
    fn gradients(&self, case: &Json, names: &[&str], leaves: &[AnyTensor], loss: Option<Tensor<1>>) {
        let found = gradients(leaves, loss);
        for (name, (gradient, leaf)) in names.iter().zip(found.into_iter().zip(leaves)) {
            if let Some(expected) = case["gradients"].get(name) {
                let gradient = Host::float(&leaf.shape(), gradient.into_iter().map(f64::from).collect());
                self.compare(case, &gradient, expected, &format!("gradient of {name}"));
            }
        }
    }
}

/// PHATGOOSE's first stage: y = base + sigmoid(x · v) · scale · (x A) B.
fn gate_training(inputs: &[Host; 5], scale: f64) -> Program {
    let shapes: Vec<&[usize]> = inputs.iter().map(|input| &input.shape[..]).collect();
    let names = ["x", "base_out", "v", "a", "b"];
    let named: Vec<(&str, &[usize])> = names.into_iter().zip(shapes).collect();
    let mut trace = Trace::new(&named);
    let product = trace.binary(Binary::Mul, 0, 2);
    let score = trace.op(Op::Reduce(Reduction::Sum, 1), &[product]);
    let gate = trace.op(Op::Unary(Unary::Sigmoid), &[score]);
    let narrow = trace.op(Op::Matmul, &[0, 3]);
    let wide = trace.op(Op::Matmul, &[narrow, 4]);
    let factor = trace.scalar(Binary::Mul, gate, scale);
    let update = trace.binary(Binary::Mul, factor, wide);
    let y = trace.binary(Binary::Add, 1, update);
    trace.finish(&[("output", y), ("gate", gate)])
}

#[test]
fn phatgoose_cases() {
    let Some(golden) = golden("phatgoose") else { return };
    for case in &golden.cases {
        let names = ["x", "base_out", "v", "a", "b"];
        let inputs = names.map(|name| array(&case["inputs"][name]));
        let settings = &case["settings"];
        let (program, second) = match settings["stage"].as_str().unwrap() {
            "routing" => {
                let sizes = GateSizes {
                    rows: inputs[0].shape[0],
                    input: inputs[0].shape[1],
                    output: inputs[1].shape[1],
                    experts: inputs[3].shape[0],
                    rank: inputs[3].shape[2],
                    top: settings["top_k"].as_u64().unwrap() as usize,
                };
                let scales: Vec<f32> = numbers(&settings["scales"]).iter().map(|x| *x as f32).collect();
                (gate_program(sizes, &scales, settings["epsilon"].as_f64().unwrap()).unwrap(), "weights")
            }
            _ => (gate_training(&inputs, settings["scale"].as_f64().unwrap()), "gate"),
        };
        let leaves: Vec<AnyTensor> = inputs.iter().map(|input| leaf(&upload(input))).collect();
        let found = run(&program, leaves.clone(), RunOptions::default()).unwrap();
        for (found, name) in found.iter().zip(["output", second]) {
            golden.compare(case, &download(found), &case["outputs"][name], name);
        }
        let cotangent = array(&case["inputs"]["cotangent"]);
        golden.gradients(case, &names, &leaves, loss(&found[..1], &[cotangent]));
    }
}

#[test]
fn o_lora_cases() {
    let Some(golden) = golden("o_lora") else { return };
    for case in &golden.cases {
        let old = arrays(&case["inputs"]["old_a"]);
        let [a, b] = ["new_a", "new_b"].map(|name| array(&case["inputs"][name]));
        let of = |host: &Host| [host.shape[0], host.shape[1]];
        let settings = &case["settings"];
        let lambda = ["lambda1", "lambda2"].map(|name| settings[name].as_f64().unwrap());
        let old_shapes: Vec<[usize; 2]> = old.iter().map(of).collect();
        let program = o_lora(&old_shapes, of(&a), of(&b), lambda, settings["norm"] == "abs");
        let mut given: Vec<AnyTensor> = old.iter().map(upload).collect();
        given.extend([leaf(&upload(&a)), leaf(&upload(&b))]);
        let found = run(&program, given.clone(), RunOptions::default()).unwrap();
        golden.compare(case, &download(&found[0]), &case["outputs"]["penalty"], "penalty");
        let one = [Host::float(&[1], vec![1.0])];
        golden.gradients(case, &["new_a", "new_b"], &given[old.len()..], loss(&found, &one));
    }
}

#[test]
fn ties_cases() {
    let Some(golden) = golden("ties") else { return };
    for case in &golden.cases {
        let (base, deltas) = (array(&case["inputs"]["base"]), arrays(&case["inputs"]["deltas"]));
        let settings = &case["settings"];
        let rule = match settings["rule"].as_str().unwrap() {
            "mergekit" => TiesRule::Mergekit,
            "paper" => TiesRule::Paper,
            _ => TiesRule::Peft,
        };
        let ties = Ties {
            weights: &numbers(&settings["weights"]),
            density: &numbers(&settings["density"]),
            scale: settings["lambda"].as_f64().unwrap(),
            normalize: settings["normalize"].as_bool().unwrap(),
            rule,
        };
        let program = ties.program(&base.shape);
        let given = std::iter::once(&base).chain(&deltas).map(upload).collect();
        let found = run(&program, given, RunOptions::default()).unwrap();
        golden.compare(case, &download(&found[0]), &case["outputs"]["merged"], "merged");
    }
}
