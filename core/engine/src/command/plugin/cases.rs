//! `cadre plugin check NAME --cases FILE`: holds a policy to cases of a reference (settings, inputs, outputs, gradients,
//! tolerance). Every case is traced through the component and run on the CPU.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cadre_contract::program::{OutputRole, Source, TensorType};
use cadre_contract::{Hook, HookCall};
use cadre_nn::{HostTensor, HostValues, evaluate};
use cadre_policy::Methods;
use cadre_store::chain;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A file of cases.
#[derive(Deserialize)]
struct CaseFile {
    /// |got − want| may be at most this times max(1, |want|).
    tolerance_f32: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    seed: Value,
    settings: Map<String, Value>,
    inputs: Map<String, Value>,
    outputs: Map<String, Value>,
    #[serde(default)]
    gradients: Map<String, Value>,
}

/// Outcome of all cases of a file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct CasesOutcome {
    pub(super) policy: String,
    pub(super) cases: usize,
    pub(super) passed: usize,
    /// Arrays and numbers compared: outputs and gradients.
    pub(super) outputs: usize,
    pub(super) gradients: usize,
    pub(super) tolerance: f64,
    /// The largest |got − want| / max(1, |want|) of all comparisons.
    pub(super) worst: Option<Worst>,
    /// The cases that failed, worst first.
    pub(super) failures: Vec<Failure>,
}

/// The comparison with the largest difference.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Worst {
    pub(super) case: String,
    pub(super) what: String,
    pub(super) difference: f64,
}

/// A case that failed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Failure {
    pub(super) case: String,
    pub(super) problem: String,
    /// Infinite where there is nothing to compare.
    #[serde(skip)]
    difference: f64,
}

/// An expected array.
struct Expected {
    shape: Vec<u32>,
    data: Vec<f64>,
}

/// Reads a file and plays its cases.
///
/// # Errors
/// The file is not one of cases, as text. Failing cases are part of the outcome.
pub(super) fn check(methods: &Methods, policy: &str, file: &Path) -> Result<CasesOutcome, String> {
    let text = std::fs::read(file).map_err(|error| error.to_string())?;
    let found: CaseFile = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if found.cases.is_empty() {
        return Err("it has no cases".to_owned());
    }
    let tolerance = found.tolerance_f32;
    if !(tolerance.is_finite() && tolerance > 0.0) {
        return Err(format!("its tolerance is {tolerance}, expected a number above 0"));
    }
    let mut outcome = CasesOutcome {
        policy: policy.to_owned(),
        cases: found.cases.len(),
        passed: 0,
        outputs: 0,
        gradients: 0,
        tolerance,
        worst: None,
        failures: Vec::new(),
    };
    for case in &found.cases {
        let name = match &case.seed {
            Value::Null => case.name.clone(),
            seed => format!("{}, seed {seed}", case.name),
        };
        let before = outcome.failures.len();
        match play(methods, policy, case) {
            Ok(played) => outcome.compare(&name, case, &played),
            Err(problem) => {
                outcome.failures.push(Failure { case: name, problem, difference: f64::INFINITY });
            }
        }
        outcome.passed += usize::from(outcome.failures.len() == before);
    }
    outcome.failures.sort_by(|one, other| other.difference.total_cmp(&one.difference));
    Ok(outcome)
}

/// What a policy made of a case.
struct Played {
    outputs: BTreeMap<String, HostTensor>,
    gradients: BTreeMap<String, HostTensor>,
    others: Map<String, Value>,
}

fn play(methods: &Methods, policy: &str, case: &Case) -> Result<Played, String> {
    let mut call = HookCall::new(policy, Hook::PlayCase, case.settings.clone());
    let mut arrays = Vec::new();
    let mut plain = Map::new();
    for (name, value) in &case.inputs {
        flatten(name, value, &mut arrays, &mut plain)?;
    }
    if !plain.is_empty() {
        call.settings.insert("inputs".to_owned(), Value::Object(plain));
    }
    call.differentiable = false;
    let mut inputs = Vec::new();
    for (name, array) in arrays {
        call.inputs.push((Source::Case(name.clone()), array.kind()));
        call.case_data.insert(name, array.to_f64());
        inputs.push(array);
    }
    let traced = methods.trace(&call).map_err(|error| chain(&error))?;
    let program = Arc::new(traced.program);
    let gradients = !case.gradients.is_empty();
    let found = evaluate(&program, inputs, 0, gradients).map_err(|error| chain(&error))?;
    let names = program.inputs().iter().map(ToString::to_string);
    let gradients = names
        .zip(found.gradients)
        .filter_map(|(name, gradient)| Some((name.strip_prefix("case.")?.to_owned(), gradient?)))
        .collect();
    let outputs = program
        .outputs()
        .iter()
        .zip(found.outputs)
        .filter_map(|(output, value)| match &output.role {
            OutputRole::Case(name) => Some((name.clone(), value)),
            _ => None,
        })
        .collect();
    Ok(Played { outputs, gradients, others: traced.others })
}

/// An array of the file: `{"shape": [..], "data": [..]}`.
fn array(value: &Value) -> Option<(Vec<u32>, &Vec<Value>)> {
    let object = value.as_object()?;
    let data = object.get("data")?.as_array()?;
    let shape = object.get("shape")?.as_array()?;
    let shape: Option<Vec<u32>> = shape.iter().map(|size| u32::try_from(size.as_u64()?).ok()).collect();
    Some((shape?, data))
}

/// Collects arrays under `name`, `name/0`, `name/key`; everything else stays plain.
fn flatten(
    name: &str,
    value: &Value,
    arrays: &mut Vec<(String, HostTensor)>,
    plain: &mut Map<String, Value>,
) -> Result<(), String> {
    if let Some((shape, data)) = array(value) {
        // A number without dimensions is an array of one element for a program.
        let shape = if shape.is_empty() { vec![1] } else { shape };
        let wrong = || format!("the input `{name}` is not an array of numbers or truth values");
        let values = match data.first() {
            Some(Value::Bool(_)) => {
                HostValues::Bool(data.iter().map(Value::as_bool).collect::<Option<_>>().ok_or_else(wrong)?)
            }
            _ => HostValues::Float(
                data.iter()
                    .map(|value| value.as_f64().map(|value| value as f32))
                    .collect::<Option<_>>()
                    .ok_or_else(wrong)?,
            ),
        };
        let expected = TensorType::float(shape.clone()).elements();
        if expected != data.len() as u64 {
            return Err(format!("the input `{name}` has {} elements for the shape {shape:?}", data.len()));
        }
        arrays.push((name.to_owned(), HostTensor { shape, values }));
        return Ok(());
    }
    match value {
        Value::Array(list) if list.iter().any(Value::is_object) => {
            for (index, value) in list.iter().enumerate() {
                flatten(&format!("{name}/{index}"), value, arrays, plain)?;
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                flatten(&format!("{name}/{key}"), value, arrays, plain)?;
            }
        }
        other => drop(plain.insert(name.to_owned(), other.clone())),
    }
    Ok(())
}

/// Expected arrays and other values under their names.
fn expected(
    name: &str,
    value: &Value,
    arrays: &mut Vec<(String, Expected)>,
    plain: &mut Vec<(String, Value)>,
) {
    let numbers = |data: &[Value]| -> Option<Vec<f64>> {
        data.iter()
            .map(|value| value.as_f64().or_else(|| value.as_bool().map(|flag| f64::from(u8::from(flag)))))
            .collect()
    };
    if let Some((shape, data)) = array(value)
        && let Some(data) = numbers(data)
    {
        arrays.push((name.to_owned(), Expected { shape, data }));
        return;
    }
    match value {
        Value::Number(number) => {
            let data = vec![number.as_f64().unwrap_or(f64::NAN)];
            arrays.push((name.to_owned(), Expected { shape: vec![1], data }));
        }
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_number) => {
            let data: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
            arrays.push((name.to_owned(), Expected { shape: vec![data.len() as u32], data }));
        }
        Value::Array(list) if list.iter().any(|entry| entry.is_object() || entry.is_array()) => {
            for (index, value) in list.iter().enumerate() {
                expected(&format!("{name}/{index}"), value, arrays, plain);
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                expected(&format!("{name}/{key}"), value, arrays, plain);
            }
        }
        other => plain.push((name.to_owned(), other.clone())),
    }
}

impl CasesOutcome {
    fn compare(&mut self, case: &str, wanted: &Case, played: &Played) {
        let (mut arrays, mut plain) = (Vec::new(), Vec::new());
        for (name, value) in &wanted.outputs {
            expected(name, value, &mut arrays, &mut plain);
        }
        let mut failures = Vec::new();
        for (name, array) in &arrays {
            self.outputs += 1;
            failures.extend(self.array(case, &format!("output `{name}`"), array, played.outputs.get(name)));
        }
        let others = Value::Object(played.others.clone());
        for (name, value) in plain {
            self.outputs += 1;
            let found = name.split('/').try_fold(&others, |inner, key| match inner {
                Value::Array(list) => list.get(key.parse::<usize>().ok()?),
                other => other.get(key),
            });
            if found != Some(&value) {
                let found = found.map_or("missing".to_owned(), ToString::to_string);
                failures.push((f64::INFINITY, format!("output `{name}` is {found}, expected {value}")));
            }
        }
        let (mut arrays, mut rest) = (Vec::new(), Vec::new());
        for (name, value) in &wanted.gradients {
            expected(name, value, &mut arrays, &mut rest);
        }
        for (name, array) in &arrays {
            self.gradients += 1;
            let zero = HostTensor::floats(array.shape.clone(), vec![0.0; array.data.len()]);
            // An input that the loss does not depend on has gradient 0.
            let found = played.gradients.get(name).unwrap_or(&zero);
            failures.extend(self.array(case, &format!("gradient `{name}`"), array, Some(found)));
        }
        for (name, value) in rest {
            failures.push((f64::INFINITY, format!("gradient `{name}` is {value}, expected an array")));
        }
        failures.sort_by(|one, other| other.0.total_cmp(&one.0));
        if let Some((difference, problem)) = failures.into_iter().next() {
            self.failures.push(Failure { case: case.to_owned(), problem, difference });
        }
    }

    /// Compares an array and notes the largest difference.
    fn array(
        &mut self,
        case: &str,
        what: &str,
        wanted: &Expected,
        found: Option<&HostTensor>,
    ) -> Option<(f64, String)> {
        let Some(found) = found else { return Some((f64::INFINITY, format!("{what} is missing"))) };
        let got = found.to_f64();
        let squeezed = |shape: &[u32]| shape.iter().copied().filter(|size| *size != 1).collect::<Vec<_>>();
        if squeezed(&found.shape) != squeezed(&wanted.shape) || got.len() != wanted.data.len() {
            let problem = format!("{what} has the shape {:?}, expected {:?}", found.shape, wanted.shape);
            return Some((f64::INFINITY, problem));
        }
        let mut worst = (0.0_f64, 0);
        for (index, (got, want)) in got.iter().zip(&wanted.data).enumerate() {
            let difference = if got == want { 0.0 } else { (got - want).abs() / want.abs().max(1.0) };
            let difference = if difference.is_nan() { f64::INFINITY } else { difference };
            if difference > worst.0 {
                worst = (difference, index);
            }
        }
        let (difference, index) = worst;
        if self.worst.as_ref().is_none_or(|known| difference > known.difference) {
            self.worst = Some(Worst { case: case.to_owned(), what: what.to_owned(), difference });
        }
        (difference > self.tolerance).then(|| {
            let (got, want) = (got[index], wanted.data[index]);
            (difference, format!("{what} at {index} is {got}, expected {want} (off by {difference:.2e})"))
        })
    }

    /// The outcome as text.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}: {} of {} cases pass ({} outputs, {} gradients, tolerance {:e})\n",
            self.policy, self.passed, self.cases, self.outputs, self.gradients, self.tolerance
        );
        if let Some(worst) = &self.worst {
            text.push_str(&format!(
                "  largest difference {:.2e}: {}, {}\n",
                worst.difference, worst.case, worst.what
            ));
        }
        for failure in self.failures.iter().take(10) {
            text.push_str(&format!("  FAIL  {}: {}\n", failure.case, failure.problem));
        }
        if self.failures.len() > 10 {
            text.push_str(&format!("  and {} more\n", self.failures.len() - 10));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_found_under_their_names() {
        let inputs: Map<String, Value> = serde_json::from_str(
            r#"{"x": {"shape": [1, 2], "data": [1, 2.5]}, "deltas": [{"shape": [], "data": [3]}],
                "mask": {"shape": [2], "data": [true, false]}, "order": ["b", "a"], "none": []}"#,
        )
        .unwrap();
        let (mut arrays, mut plain) = (Vec::new(), Map::new());
        for (name, value) in &inputs {
            flatten(name, value, &mut arrays, &mut plain).unwrap();
        }
        let names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x", "deltas/0", "mask"]);
        assert_eq!(arrays[1].1, HostTensor::floats(vec![1], vec![3.0]));
        assert_eq!(Value::Object(plain), serde_json::json!({"order": ["b", "a"], "none": []}));
    }

    #[test]
    fn a_difference_above_the_tolerance_fails_with_its_place() {
        let mut outcome = CasesOutcome {
            policy: "p".into(),
            cases: 1,
            passed: 0,
            outputs: 0,
            gradients: 0,
            tolerance: 1e-3,
            worst: None,
            failures: Vec::new(),
        };
        let wanted = Expected { shape: vec![2, 1], data: vec![1.0, 200.0] };
        let near = HostTensor::floats(vec![2], vec![1.0, 200.1]);
        assert!(outcome.array("c", "output `y`", &wanted, Some(&near)).is_none());
        let far = HostTensor::floats(vec![2], vec![1.0, 201.0]);
        let (_, problem) = outcome.array("c", "output `y`", &wanted, Some(&far)).unwrap();
        assert_eq!(problem, "output `y` at 1 is 201, expected 200 (off by 5.00e-3)");
        let nan = HostTensor::floats(vec![2], vec![f32::NAN, 200.0]);
        assert!(outcome.array("c", "output `y`", &wanted, Some(&nan)).is_some());
        assert!(outcome.array("c", "output `y`", &wanted, None).unwrap().1.contains("missing"));
    }
}
