//! Tests of objectives: the methods of the oracle against golden cases, and trainings with objectives, frozen weights
//! and buffers at several numbers of threads, with recomputation and after a kill.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use cadre_checkpoint::Target;
use cadre_data::TokenExample;
use serde_json::Value;

use super::oracle::{Ewc, Hft, OLora, Osf, Overlap, RunningFisher};
use super::*;
use crate::adapter::{Adapter, Site};
use crate::fixture::{ALL, adapter, device, examples, shaken, shape, train, training};
use crate::learner::Learner;
use crate::training::observe::Sums;
use crate::training::{
    Flow, NamedTensor, Statistic, StepReport, TrainingControl, TrainingData, TrainingOutcome, TrainingSpec,
    adamw,
};
use crate::weights::{Weight, WeightMap};
use crate::workers::Workers;

/// The golden file of a method, or `None`, with a message, if it is not beside the checkout.
fn golden(method: &str) -> Option<(f64, Vec<Value>)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference");
    let path = beside.join(method).join("golden.json");
    let Ok(text) = std::fs::read(&path) else {
        println!("skipped: there is no {}", path.display());
        return None;
    };
    let file: Value = serde_json::from_slice(&text).unwrap();
    Some((file["tolerance_f32"].as_f64().unwrap(), file["cases"].as_array().unwrap().clone()))
}

fn sizes(array: &Value) -> Vec<usize> {
    array["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

fn values(array: &Value) -> Vec<f64> {
    let number = |value: &Value| match value {
        Value::Bool(value) => f64::from(u8::from(*value)),
        _ => value.as_f64().unwrap(),
    };
    array["data"].as_array().unwrap().iter().map(number).collect()
}

fn named(name: TensorName, array: &Value) -> NamedTensor {
    let values = values(array).into_iter().map(|value| value as f32).collect();
    NamedTensor { name, shape: sizes(array), values }
}

fn transposed(array: &Value) -> Value {
    let (values, [rows, columns]) = (values(array), [sizes(array)[0], sizes(array)[1]]);
    let data: Vec<f64> = (0..columns)
        .flat_map(|column| (0..rows).map(move |row| (row, column)))
        .map(|(row, column)| values[row * columns + column])
        .collect();
    serde_json::json!({ "shape": [columns, rows], "data": data })
}

fn assert_close(found: &[f32], expected: &Value, tolerance: f64, case: &str) {
    let expected = values(expected);
    assert_eq!(found.len(), expected.len(), "{case}");
    for (found, expected) in found.iter().zip(expected) {
        let difference = (f64::from(*found) - expected).abs();
        assert!(difference <= tolerance * expected.abs().max(1.0), "{case}: {found} {expected}");
    }
}

const SITE: Site = Site { layer: 0, target: Target::Q };

fn site(name: &str) -> TensorName {
    TensorName::of_site(SITE, name)
}

/// Parameters with these weights, all trained.
fn parameters_of(weights: &[NamedTensor]) -> Parameters {
    let file_name = |name: &TensorName| {
        let at = "base_model.model.model.layers.0.self_attn.q_proj";
        match name.name.as_str() {
            "a" => format!("{at}.lora_A.weight"),
            "b" => format!("{at}.lora_B.weight"),
            other => format!("{at}.{other}"),
        }
    };
    let names: Vec<(String, Vec<usize>)> =
        weights.iter().map(|weight| (file_name(&weight.name), weight.shape.clone())).collect();
    let map = weights
        .iter()
        .map(|NamedTensor { name, shape, values }| {
            (file_name(name), Weight { shape: shape.clone(), values: values.clone() })
        })
        .collect();
    let parameters = Parameters::new(&names, map);
    assert!(parameters.trained().map(|weight| &weight.key).eq(weights.iter().map(|weight| &weight.name)));
    parameters
}

fn context(device: &Device) -> StepContext<'_> {
    StepContext { step: 1, steps: 9, learning_rate: 0.1, loss: 1.0, device }
}

/// The value of an objective's term and its gradients.
fn term(objective: &dyn Objective, weights: &[NamedTensor], inputs: &TrainingInputs) -> (f64, Vec<Vec<f32>>) {
    let (device, workers) = (Device::flex(), Workers::new(2).unwrap());
    let mut parameters = parameters_of(weights);
    let list = [objective];
    let objectives = Objectives { list: &list, inputs };
    objectives.prepare(&mut parameters).unwrap();
    let tensors = parameters.upload(&device);
    let active = objectives.activate(&device).unwrap();
    let added = active.terms(&context(&device), &parameters, &tensors, &workers).unwrap();
    let zeros = |weight: &NamedTensor| vec![0.0; weight.values.len()];
    let gradients = added.gradients[0].iter().zip(weights);
    (added.loss, gradients.map(|(found, weight)| found.clone().unwrap_or_else(|| zeros(weight))).collect())
}

#[test]
fn o_lora_is_that_of_the_reference() {
    let Some((tolerance, cases)) = golden("o_lora") else { return };
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (settings, inputs) = (&case["settings"], &case["inputs"]);
        let objective = OLora {
            orthogonality: settings["lambda1"].as_f64().unwrap(),
            size: settings["lambda2"].as_f64().unwrap(),
            overlap: if settings["norm"] == "abs" { Overlap::Absolute } else { Overlap::Square },
        };
        let old = inputs["old_a"].as_array().unwrap();
        let earlier = old.iter().map(|a| vec![named(site("a"), &transposed(a))]).collect();
        let weights = [
            named(site("a"), &transposed(&inputs["new_a"])),
            named(site("b"), &transposed(&inputs["new_b"])),
        ];
        let (loss, gradients) = term(&objective, &weights, &TrainingInputs { earlier, ..Default::default() });
        let expected = serde_json::json!({ "data": [case["outputs"]["penalty"]] });
        assert_close(&[loss as f32], &expected, tolerance, name);
        for (gradient, weight) in gradients.iter().zip(["new_a", "new_b"]) {
            assert_close(gradient, &transposed(&case["gradients"][weight]), tolerance, name);
        }
    }
    println!("{} cases", cases.len());
}

#[test]
fn ewc_and_both_fishers_are_those_of_the_reference() {
    let Some((tolerance, cases)) = golden("ewc") else { return };
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let (settings, inputs, outputs) = (&case["settings"], &case["inputs"], &case["outputs"]);
        let theta = named(site("w"), &inputs["theta"]);
        let fishers = outputs["used_fisher"].as_array().unwrap();
        let anchors = inputs["anchors"].as_array().unwrap();
        let mut buffers = Vec::new();
        // With one Fisher for all tasks ("online"), the anchor is the newest one.
        let newest = anchors.len() - fishers.len();
        for (task, (fisher, anchor)) in fishers.iter().zip(&anchors[newest..]).enumerate() {
            buffers.push(named(site(&format!("w.fisher.{task}")), fisher));
            buffers.push(named(site(&format!("w.anchor.{task}")), anchor));
        }
        let strength = settings["lambda"].as_f64().unwrap();
        let given = TrainingInputs { buffers, ..Default::default() };
        let (loss, gradients) = term(&Ewc { strength }, std::slice::from_ref(&theta), &given);
        assert_close(&[loss as f32], &serde_json::json!({ "data": [outputs["penalty"]] }), tolerance, name);
        assert_close(&gradients[0], &case["gradients"]["theta"], tolerance, name);

        let rows = |array: &Value| -> Vec<Vec<f32>> {
            let count = theta.values.len();
            let all: Vec<f32> = values(array).into_iter().map(|value| value as f32).collect();
            all.chunks_exact(count).map(<[f32]>::to_vec).collect()
        };
        let tasks = inputs["sample_gradients"].as_array().unwrap();
        for (task, samples) in tasks.iter().enumerate() {
            let parameters = parameters_of(std::slice::from_ref(&theta));
            let statistics = [Statistic::FISHER];
            let mut sums = Sums::new(&statistics, &parameters);
            rows(samples).into_iter().for_each(|gradient| sums.add(&parameters, &[gradient]));
            let found = sums.means(&parameters).unwrap();
            assert_eq!(found[0].name, site("w.fisher"));
            assert_close(&found[0].values, &outputs["fisher_samples"][task], tolerance, name);

            let steps_per_epoch = settings["steps_per_epoch"][task].as_f64().unwrap();
            let running = RunningFisher { steps_per_epoch };
            let mut parameters = parameters_of(std::slice::from_ref(&theta));
            let list: [&dyn Objective; 1] = [&running];
            let inputs_of_task = TrainingInputs::default();
            let objectives = Objectives { list: &list, inputs: &inputs_of_task };
            objectives.prepare(&mut parameters).unwrap();
            let device = Device::flex();
            let active = objectives.activate(&device).unwrap();
            for gradient in rows(&inputs["batch_gradients"][task]) {
                let before = parameters.upload(&device);
                active.after_step(&context(&device), &mut parameters, &before, &[gradient], 1.0).unwrap();
            }
            assert_close(&parameters.buffers()[0].values, &outputs["fisher_batches"][task], tolerance, name);
        }
    }
    println!("{} cases", cases.len());
}

#[test]
fn a_masked_update_is_that_of_the_reference() {
    let Some((tolerance, cases)) = golden("hft") else { return };
    let updates = cases.iter().filter(|case| !case["outputs"]["theta"].is_null());
    for case in updates.clone() {
        let name = case["name"].as_str().unwrap();
        let (settings, inputs, outputs) = (&case["settings"], &case["inputs"], &case["outputs"]);
        let float = |array: &Value| -> Vec<f32> { values(array).into_iter().map(|v| v as f32).collect() };
        let mut parameters = parameters_of(&[named(site("w"), &inputs["theta"])]);
        let buffers = vec![named(site("w.trains"), &inputs["trains"])];
        let given = TrainingInputs { buffers, ..Default::default() };
        let list: [&dyn Objective; 1] = [&Hft];
        let objectives = Objectives { list: &list, inputs: &given };
        objectives.prepare(&mut parameters).unwrap();
        parameters.0[0].first = float(&inputs["m"]);
        parameters.0[0].second = float(&inputs["v"]);
        let (device, gradients) = (Device::flex(), [float(&inputs["gradient"])]);
        let before = parameters.upload(&device);
        let (step, number) =
            (settings["step"].as_u64().unwrap(), |key: &str| settings[key].as_f64().unwrap());
        adamw::update(&mut parameters, &gradients, 1.0, step, number("rate"), number("decay"));
        let active = objectives.activate(&device).unwrap();
        active.after_step(&context(&device), &mut parameters, &before, &gradients, 1.0).unwrap();
        let found = &parameters.0[0];
        assert_close(&found.weight.values, &outputs["theta"], tolerance, name);
        assert_close(&found.first, &outputs["m"], tolerance, name);
        assert_close(&found.second, &outputs["v"], tolerance, name);
        let trains = float(&inputs["trains"]);
        for ((found, start), trains) in found.weight.values.iter().zip(float(&inputs["theta"])).zip(trains) {
            assert!(trains == 1.0 || found.to_bits() == start.to_bits(), "{name}");
        }
    }
    println!("{} cases", updates.count());
}

#[test]
fn a_projected_gradient_is_that_of_the_reference() {
    let Some((tolerance, cases)) = golden("osf") else { return };
    let projected = cases.iter().filter(|case| case["settings"]["frozen"] != 0);
    for case in projected.clone() {
        let name = case["name"].as_str().unwrap();
        let (inputs, given) = (&case["inputs"], &case["gradients"]);
        let mut parameters =
            parameters_of(&["u", "s", "vt"].map(|weight| named(site(weight), &inputs[weight])));
        let buffers = vec![named(site("left"), &inputs["u_high"]), named(site("right"), &inputs["vt_high"])];
        let extra = TrainingInputs { buffers, ..Default::default() };
        let list: [&dyn Objective; 1] = [&Osf];
        let objectives = Objectives { list: &list, inputs: &extra };
        objectives.prepare(&mut parameters).unwrap();
        let mut gradients = ["u", "s", "vt"]
            .map(|weight| values(&given[weight]).into_iter().map(|value| value as f32).collect::<Vec<_>>());
        let (device, workers) = (Device::flex(), Workers::new(2).unwrap());
        let tensors = parameters.upload(&device);
        let active = objectives.activate(&device).unwrap();
        active.gradient(&context(&device), &parameters, &tensors, &mut gradients, &workers).unwrap();
        assert_close(&gradients[0], &case["outputs"]["projected_u"], tolerance, name);
        assert_close(&gradients[1], &given["s"], tolerance, name);
        assert_close(&gradients[2], &case["outputs"]["projected_vt"], tolerance, name);
    }
    println!("{} cases", projected.count());
}

/// How a training with objectives ended: outcome, weights, buffers.
type Ended = (TrainingOutcome, WeightMap, Vec<NamedTensor>);

/// One training of a small expert.
struct Run<'a> {
    threads: usize,
    recompute: bool,
    dropout: f64,
    objectives: &'a [&'a dyn Objective],
    inputs: &'a TrainingInputs,
}

impl Run<'_> {
    fn learner(&self) -> Learner {
        let device = crate::DeviceSpec { gradient_checkpointing: self.recompute, ..device(self.threads) };
        Learner::untrained(&shape(true), 1, &device).unwrap()
    }

    /// Trains for 8 steps, or until the step `stop`.
    fn until(&self, checkpoint: Option<&Path>, stop: u64) -> Result<Ended, NnError> {
        let rows = examples(20, 30, 7);
        let spec = TrainingSpec { micro_batch: 2, batch: 6, checkpoint_every: 3, ..training(8) };
        let mut on_step = |report: &StepReport| if report.step == stop { Flow::Stop } else { Flow::Go };
        let mut control = TrainingControl { checkpoint, on_step: &mut on_step };
        let objectives = Objectives { list: self.objectives, inputs: self.inputs };
        let data = TrainingData::from(&rows);
        let spec_of = adapter(&ALL, 1, self.dropout);
        let (outcome, parameters, _) =
            self.learner().fit(&spec_of, None, data, &spec, objectives, &mut control)?;
        let buffers = parameters.buffers();
        Ok((outcome, parameters.into_weights(), buffers))
    }

    fn whole(&self) -> Ended {
        self.until(None, 0).unwrap()
    }

    /// The training killed after step 4 (its checkpoint is of that step) and resumed.
    fn resumed(&self) -> Ended {
        let work = tempfile::tempdir().unwrap();
        let (stopped, ..) = self.until(Some(work.path()), 4).unwrap();
        assert!(stopped.stopped && stopped.losses.len() == 4);
        self.until(Some(work.path()), 0).unwrap()
    }
}

/// Every way to compute the same training: one and two threads, kept and recomputed activations, uninterrupted and
/// resumed.
fn all_ways(objectives: &[&dyn Objective], inputs: &TrainingInputs) -> Vec<Ended> {
    let mut found = Vec::new();
    for (threads, recompute) in [(1, false), (2, false), (1, true), (2, true)] {
        let run = Run { threads, recompute, dropout: 0.1, objectives, inputs };
        found.push(run.whole());
        found.push(run.resumed());
    }
    found
}

fn bits(weights: &WeightMap) -> Vec<(&String, Vec<u32>)> {
    let bits = |weight: &Weight| weight.values.iter().map(|value| value.to_bits()).collect();
    weights.iter().map(|(name, weight)| (name, bits(weight))).collect()
}

/// An earlier expert of the same shape, with every weight away from its start.
fn earlier(seed: u64) -> Vec<NamedTensor> {
    let learner = Learner::untrained(&shape(true), 1, &device(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    shaken(folder.path(), &learner, &adapter(&ALL, 1, 0.0), seed);
    learner.expert_tensors(folder.path()).unwrap()
}

/// Two earlier experts, and anchors with a Fisher information of the older one.
fn inputs() -> TrainingInputs {
    let earlier = vec![earlier(5), earlier(6)];
    let about = |tensor: &NamedTensor, statistic: &str, values: Vec<f32>| NamedTensor {
        name: tensor.name.about(statistic),
        shape: tensor.shape.clone(),
        values,
    };
    let mut buffers = Vec::new();
    for tensor in &earlier[0] {
        buffers.push(about(tensor, "anchor.0", tensor.values.clone()));
        buffers.push(about(tensor, "fisher.0", tensor.values.iter().map(|value| value * value).collect()));
    }
    TrainingInputs { earlier, buffers, frozen: BTreeSet::new() }
}

#[test]
fn terms_of_weight_0_change_no_bit() {
    let none = TrainingInputs::default();
    let plain = Run { threads: 2, recompute: false, dropout: 0.1, objectives: &[], inputs: &none }.whole();
    let o_lora = OLora { orthogonality: 0.0, size: 0.0, overlap: Overlap::Absolute };
    let ewc = Ewc { strength: 0.0 };
    let given = inputs();
    for (outcome, weights, buffers) in all_ways(&[&o_lora, &ewc], &given) {
        assert_eq!(bits(&weights), bits(&plain.1));
        assert_eq!((&outcome.losses, &outcome.gradient_norms), (&plain.0.losses, &plain.0.gradient_norms));
        assert_eq!(outcome.added_losses, [0.0; 8]);
        assert_eq!(buffers, given.buffers);
    }
    // The same bytes as through the public entry point.
    let out = tempfile::tempdir().unwrap();
    let learner = Learner::untrained(&shape(true), 1, &device(2)).unwrap();
    let spec = TrainingSpec { micro_batch: 2, batch: 6, checkpoint_every: 3, ..training(8) };
    train(&learner, &adapter(&ALL, 1, 0.1), &examples(20, 30, 7), &spec, out.path());
    let written = Adapter::read(out.path(), learner.shape()).unwrap().weights;
    assert_eq!(bits(&written), bits(&plain.1));
}

#[test]
fn terms_and_buffers_are_the_same_bits_in_every_way() {
    let o_lora = OLora { orthogonality: 0.5, size: 0.1, overlap: Overlap::Square };
    let (ewc, fisher) = (Ewc { strength: 3.0 }, RunningFisher { steps_per_epoch: 4.0 });
    let found = all_ways(&[&o_lora, &ewc, &fisher], &inputs());
    for (outcome, weights, buffers) in &found {
        assert_eq!((outcome, bits(weights), buffers), (&found[0].0, bits(&found[0].1), &found[0].2));
    }
    let (outcome, _, buffers) = &found[0];
    assert_eq!(outcome.added_losses.len(), 8);
    assert!(outcome.added_losses.iter().all(|loss| *loss > 0.0));
    let sums = buffers.iter().filter(|buffer| buffer.name.name.ends_with(".fisher"));
    assert!(sums.clone().count() > 20 && sums.clone().all(|buffer| buffer.values.iter().all(|v| *v >= 0.0)));
    assert!(sums.flat_map(|buffer| &buffer.values).any(|value| *value > 0.0));
}

#[test]
fn a_term_pulls_the_weights_its_way() {
    let given = inputs();
    let distance = |strength: f64| {
        let ewc = Ewc { strength };
        let list: [&dyn Objective; 1] = [&ewc];
        let run = Run { threads: 2, recompute: false, dropout: 0.0, objectives: &list, inputs: &given };
        let (outcome, ..) = run.whole();
        outcome.added_losses[7] / outcome.added_losses[0]
    };
    let strong = distance(1e4);
    assert!(strong < 1.0 && strong < distance(1e-4), "{strong}");
}

#[test]
fn frozen_weights_do_not_move_and_train_nothing() {
    let names: Vec<TensorName> = earlier(5).into_iter().map(|tensor| tensor.name).collect();
    let first_layer = |name: &&TensorName| name.site.is_some_and(|site| site.layer == 0);
    let matrices_a = |name: &&TensorName| name.name == "a";
    let all: BTreeSet<TensorName> = names.iter().filter(first_layer).cloned().collect();
    let half: BTreeSet<TensorName> = names.iter().filter(matrices_a).cloned().collect();
    let not_added: BTreeSet<TensorName> = names.iter().filter(|name| name.site.is_none()).cloned().collect();
    let with_added: BTreeSet<TensorName> = all.union(&not_added).cloned().collect();
    let learner = Learner::untrained(&shape(true), 1, &device(1)).unwrap();
    let backbone = &learner.model.backbone;
    let start = Adapter::start(&adapter(&ALL, 1, 0.1), backbone).unwrap();
    for frozen in [half, all, with_added] {
        let given = TrainingInputs { frozen: frozen.clone(), ..Default::default() };
        let found = all_ways(&[], &given);
        for (outcome, weights, _) in &found {
            assert_eq!((outcome, bits(weights)), (&found[0].0, bits(&found[0].1)));
            for (name, weight) in weights {
                let stays = frozen.contains(&TensorName::of_weight(name));
                assert_eq!(stays, *weight == start.weights[name], "{name}");
            }
        }
    }
}

#[test]
fn masked_weights_do_not_move_at_all() {
    let mut buffers = Vec::new();
    for tensor in earlier(5).iter().filter(|tensor| tensor.name.name == "a") {
        let values = vec![0.0; tensor.values.len()];
        buffers.push(NamedTensor { name: tensor.name.about("trains"), shape: tensor.shape.clone(), values });
    }
    let given = TrainingInputs { buffers, ..Default::default() };
    let found = all_ways(&[&Hft], &given);
    let learner = Learner::untrained(&shape(true), 1, &device(1)).unwrap();
    let backbone = &learner.model.backbone;
    let start = Adapter::start(&adapter(&ALL, 1, 0.1), backbone).unwrap();
    for (outcome, weights, _) in &found {
        assert_eq!((outcome, bits(weights)), (&found[0].0, bits(&found[0].1)));
        for (name, weight) in weights {
            let masked = name.ends_with("lora_A.weight");
            assert_eq!(masked, *weight == start.weights[name], "{name}");
        }
    }
}

#[test]
fn a_checkpoint_belongs_to_its_objectives_and_their_tensors() {
    let (one, other) = (Ewc { strength: 1.0 }, Ewc { strength: 2.0 });
    let (given, none) = (inputs(), TrainingInputs::default());
    let mut moved = given.clone();
    moved.buffers[3].values[0] += 1.0;
    let mut fewer = given.clone();
    fewer.earlier.pop();
    let work = tempfile::tempdir().unwrap();
    let steps = |objectives: &[&dyn Objective], inputs: &TrainingInputs, resumes: bool| {
        let mut first = 0;
        let rows = examples(20, 30, 7);
        let spec = TrainingSpec { checkpoint_every: 2, ..training(4) };
        let mut on_step = |_: &StepReport| {
            first += 1;
            Flow::Go
        };
        let mut control = TrainingControl { checkpoint: Some(work.path()), on_step: &mut on_step };
        let learner = Learner::untrained(&shape(true), 1, &device(1)).unwrap();
        let objectives = Objectives { list: objectives, inputs };
        let expert = adapter(&ALL, 1, 0.0);
        learner.fit(&expert, None, TrainingData::from(&rows), &spec, objectives, &mut control).unwrap();
        assert_eq!(first == 0, resumes, "{first} steps");
    };
    steps(&[&one], &given, false);
    steps(&[&one], &given, true);
    for (objective, inputs) in [(&other, &given), (&one, &moved), (&one, &fewer), (&one, &none)] {
        steps(&[objective], inputs, false);
    }
    steps(&[], &none, false);
    steps(&[], &none, true);
}

#[test]
fn a_checkpoint_of_version_2_is_resumed() {
    let rows = examples(12, 29, 7);
    let work = tempfile::tempdir().unwrap();
    let learner = Learner::untrained(&shape(true), 1, &device(1)).unwrap();
    let run = |stop: u64| {
        let mut steps = 0;
        let mut on_step = |report: &StepReport| {
            steps += 1;
            if report.step == stop { Flow::Stop } else { Flow::Go }
        };
        let mut control = TrainingControl { checkpoint: Some(work.path()), on_step: &mut on_step };
        let spec = adapter(&[Target::Q], 0, 0.0);
        let data = TrainingData::from(&rows);
        let none = Objectives::none();
        learner.fit(&spec, None, data, &training(6), none, &mut control).unwrap();
        steps
    };
    assert_eq!(run(3), 3);
    // Version 2 had the same layout, without `added-losses`.
    let path = work.path().join("training.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let head = std::str::from_utf8(&bytes[8..8 + size]).unwrap();
    let old =
        head.replace("\\\"added-losses\\\":[],", "").replace("format-version\\\":3", "format-version\\\":2");
    assert!(!old.contains("added-losses") && old.contains("format-version\\\":2"), "{old}");
    let padded = format!("{old:<size$}");
    std::fs::write(&path, [&bytes[..8], padded.as_bytes(), &bytes[8 + size..]].concat()).unwrap();
    assert_eq!(run(0), 3);
}

/// An objective that does something wrong.
#[derive(Clone, Copy, PartialEq)]
enum Broken {
    Term,
    Infinite,
    Gradient,
    Weight,
    Buffer,
}

impl Objective for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn identity(&self) -> Value {
        Value::Null
    }

    fn moments(&self) -> Moments {
        Moments { term: true, gradient: true, after_step: true }
    }

    fn term(&self, at: &StepContext<'_>, _: &TermTensors<'_>) -> Result<Option<Tensor<1>>, NnError> {
        Ok(match self {
            Self::Term => Some(Tensor::zeros([2], at.device)),
            Self::Infinite => Some(Tensor::full([1], f32::INFINITY, at.device)),
            _ => None,
        })
    }

    fn gradient(&self, _: &StepContext<'_>, of: &GradientTensors<'_>) -> Result<Option<Tensor<2>>, NnError> {
        Ok((*self == Self::Gradient).then(|| of.weight.clone().transpose()))
    }

    fn after_step(&self, _: &StepContext<'_>, of: &SteppedTensors<'_>) -> Result<Stepped, NnError> {
        Ok(Stepped {
            weight: (*self == Self::Weight).then(|| of.after.clone().transpose()),
            buffers: match self {
                Self::Buffer => vec![(TensorName::of_model("missing"), of.after.clone())],
                _ => Vec::new(),
            },
        })
    }
}

#[test]
fn wrong_results_and_inputs_are_errors() {
    let none = TrainingInputs::default();
    let attempt = |objectives: &[&dyn Objective], inputs: &TrainingInputs| {
        let run = Run { threads: 2, recompute: false, dropout: 0.0, objectives, inputs };
        run.until(None, 0).unwrap_err()
    };
    for (broken, text) in [
        (Broken::Term, "objective `broken`: its loss term is [2], expected [1]"),
        (Broken::Gradient, "expected ["),
        (Broken::Weight, "expected ["),
        (Broken::Buffer, "there is no buffer `missing`"),
    ] {
        let error = attempt(&[&broken], &none);
        assert!(matches!(error, NnError::Objective { .. }), "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = attempt(&[&Broken::Infinite], &none);
    assert!(matches!(error, NnError::Diverged { step: 1, .. }), "{error}");
    let given = inputs();
    let twice =
        TrainingInputs { buffers: [&given.buffers[..], &given.buffers[..1]].concat(), ..none.clone() };
    let unknown = TrainingInputs { frozen: BTreeSet::from([TensorName::of_model("norm")]), ..none.clone() };
    let everything = given.earlier[0].iter().map(|tensor| tensor.name.clone()).collect();
    let everything = TrainingInputs { frozen: everything, ..none.clone() };
    assert!(attempt(&[], &twice).to_string().contains("twice"));
    assert!(attempt(&[], &unknown).to_string().contains("cannot be frozen"));
    assert!(matches!(attempt(&[], &everything), NnError::Setting { field: "frozen", .. }));
}

#[test]
fn observed_statistics_are_those_of_single_steps_and_do_not_depend_on_threads() {
    use crate::reference::Reference;
    let rows: Vec<TokenExample> = examples(21, 30, 7);
    let spec = adapter(&ALL, 1, 0.1);
    let statistics = [Statistic::FISHER, Statistic::GRADIENT];
    let folder = tempfile::tempdir().unwrap();
    let plain = shape(false);
    let mut found = Vec::new();
    for (threads, recompute) in [(1, false), (2, false), (3, false), (1, true), (2, true)] {
        let device = crate::DeviceSpec { gradient_checkpointing: recompute, ..device(threads) };
        let learner = Learner::untrained(&plain, 6, &device).unwrap();
        shaken(folder.path(), &learner, &spec, 8);
        found.push(learner.observe(folder.path(), &rows, &statistics).unwrap());
    }
    assert!(found.iter().all(|observed| *observed == found[0]));

    let learner = Learner::untrained(&plain, 6, &device(1)).unwrap();
    let expert = Adapter::read(folder.path(), &plain).unwrap();
    let weights = crate::training::tests::backbone_weights(&learner.model.backbone);
    let reference = Reference::new(&plain, &weights, Some(&expert));
    let names = Adapter::names(&spec, &plain);
    let observed = |weight: &str, statistic: &str| {
        let name = TensorName::of_weight(weight).about(statistic);
        found[0].iter().find(|tensor| tensor.name == name).unwrap()
    };
    assert_eq!(found[0].len(), 2 * names.len());
    for (weight, sizes) in names.iter().step_by(3) {
        let at = sizes.iter().product::<usize>() / 2;
        let slope = |example: &TokenExample| {
            let moved = |by: f64| {
                let mut reference = reference.clone();
                reference.weights.get_mut(weight).unwrap()[at] += by;
                reference.loss(std::slice::from_ref(example))
            };
            (moved(1e-5) - moved(-1e-5)) / 2e-5
        };
        let slopes: Vec<f64> = rows.iter().map(slope).collect();
        let count = slopes.len() as f64;
        let (mean, square) = (
            slopes.iter().sum::<f64>() / count,
            slopes.iter().map(|slope| slope * slope).sum::<f64>() / count,
        );
        let (gradient, fisher) =
            (observed(weight, "gradient").values[at], observed(weight, "fisher").values[at]);
        assert!((f64::from(gradient) - mean).abs() < 2e-5 + 1e-3 * mean.abs(), "{weight}: {gradient} {mean}");
        assert!((f64::from(fisher) - square).abs() < 1e-6 + 3e-3 * square, "{weight}: {fisher} {square}");
        assert_eq!(observed(weight, "fisher").shape, *sizes);
    }
}
