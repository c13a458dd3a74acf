//! Tests of Cadre against recordings from `transformers` and `peft` on tiny models of every family: logits, gradients
//! of every low-rank matrix, training losses, greedy answers. `tests/parity/record.py` makes the recordings; running
//! the tests needs no Python.

mod adapters;
mod formula;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use cadre_checkpoint::{BackboneShape, TensorFiles, weight_names};
use cadre_data::TokenExample;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

use crate::adapter::{Adapter, AdapterSpec, Mix};
use crate::device::{DeviceSpec, Precision};
use crate::fixture::{ALL, device};
use crate::generation::{Answerer, Decoding, Row, Strategy};
use crate::learner::Learner;
use crate::packed_batch::PackedBatch;
use crate::training::{
    Activations, ExpertTrainee, Flow, Length, Parameters, Schedule, TrainingControl, TrainingSpec, divide,
    gradient,
};
use crate::weights::{self, Weight};
use crate::workers::Workers;

/// Metadata that `record.py` stores beside the tensors.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Facts {
    config: serde_json::Value,
    file_dtype: String,
    rank: usize,
    alpha: f64,
    rate: f64,
    row: Vec<u32>,
    prompts: Vec<Vec<u32>>,
    answers: Vec<Vec<u32>>,
    examples: Vec<Given>,
    loss: f64,
    losses: Vec<f32>,
}

#[derive(Deserialize)]
struct Given {
    given: Vec<u32>,
    learnt: Vec<u32>,
}

/// A recorded model, opened by Cadre.
struct Case {
    name: String,
    facts: Facts,
    recorded: TensorFiles,
    learner: Learner,
    folder: tempfile::TempDir,
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/fixtures")
}

fn cases() -> Vec<Case> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(fixtures().join("families"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "a recording of every family");
    let mut cases: Vec<Case> = files.iter().map(|file| Case::open(file, Precision::F32)).collect();
    // Models recorded in bfloat16 are also computed from weights stored in it.
    let halves: Vec<&PathBuf> = files
        .iter()
        .zip(&cases)
        .filter(|(_, case)| case.facts.file_dtype == "BF16")
        .map(|(f, _)| f)
        .collect();
    assert!(halves.len() >= 6, "recordings in bfloat16");
    cases.extend(halves.into_iter().map(|file| Case::open(file, Precision::Bf16)).collect::<Vec<_>>());
    cases
}

impl Case {
    fn open(file: &Path, precision: Precision) -> Self {
        let facts: Facts = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_model(folder.path(), &facts);
        Self {
            name: format!("{} {precision:?}", file.file_stem().unwrap().to_string_lossy()),
            recorded: TensorFiles::of(vec![file.with_extension("safetensors")]).unwrap(),
            learner: Learner::open(folder.path(), &DeviceSpec { precision, ..device(2) }).unwrap(),
            facts,
            folder,
        }
    }

    /// The initial adapter of the recorded training.
    fn adapter(&self) -> Adapter {
        let spec = AdapterSpec {
            rank: self.facts.rank,
            alpha: self.facts.alpha,
            dropout: 0.0,
            targets: ALL.to_vec(),
            added_tokens: 0,
            added_start: Vec::new(),
            seed: 0,
            ..AdapterSpec::default()
        };
        let weights = Adapter::names(&spec, self.learner.shape())
            .into_iter()
            .map(|(name, shape)| {
                let mut values = formula::units(&name, shape.iter().product());
                values.iter_mut().for_each(|value| *value /= 4.0);
                (name, Weight { shape, values })
            })
            .collect();
        Adapter { spec, weights, side: weights::WeightMap::new() }
    }

    fn examples(&self) -> Vec<TokenExample> {
        let one = |example: &Given| TokenExample::new(example.given.clone(), &example.learnt);
        self.facts.examples.iter().map(one).collect()
    }

    /// Logits of every token of the recorded row.
    fn logits(&self, mix: &Mix) -> Vec<f32> {
        let row = &self.facts.row;
        let pass = PackedBatch::new([(row.as_slice(), 0)]);
        let needed = Arc::new((0..row.len()).collect());
        let mut all = Vec::new();
        let mut each = |_: usize, logits: &[f32]| all.extend_from_slice(logits);
        self.learner.model.logits(&pass, mix, &needed, None, &mut each).unwrap();
        all
    }

    fn recorded(&self, name: &str) -> Vec<f32> {
        let shape = self.recorded.shape(name).unwrap_or_else(|| panic!("{}: no {name}", self.name)).to_vec();
        self.recorded.values(name, &shape).unwrap()
    }

    /// Largest difference from the recording, relative to its largest value.
    fn difference(&self, name: &str, found: &[f32]) -> f32 {
        let recorded = self.recorded(name);
        assert_eq!(found.len(), recorded.len(), "{}: {name}", self.name);
        let largest = recorded.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let apart = found.iter().zip(&recorded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart.is_finite() && largest > 0.0, "{}: {name}", self.name);
        apart / largest
    }
}

/// Writes the configuration and the weights in the recorded number type.
fn write_model(folder: &Path, facts: &Facts) {
    let config = folder.join("config.json");
    std::fs::write(&config, facts.config.to_string()).unwrap();
    let shape = BackboneShape::read(&config).unwrap();
    let map = formula::weights(&weight_names(&shape), shape.variation.unit_offset_norms);
    let bytes = |values: &[f32]| -> Vec<u8> {
        match facts.file_dtype.as_str() {
            "F16" => values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect(),
            "BF16" => values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect(),
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        }
    };
    let dtype = match facts.file_dtype.as_str() {
        "F16" => Dtype::F16,
        "BF16" => Dtype::BF16,
        _ => Dtype::F32,
    };
    let raw: Vec<(&String, &Weight, Vec<u8>)> =
        map.iter().map(|(name, weight)| (name, weight, bytes(&weight.values))).collect();
    let views = raw.iter().map(|(name, weight, data)| {
        (name.as_str(), TensorView::new(dtype, weight.shape.clone(), data).unwrap())
    });
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn logits_are_those_of_transformers() {
    for case in cases() {
        let apart = case.difference("logits", &case.logits(&Mix::none(case.learner.shape().vocabulary)));
        println!("{}: logits {apart:.1e}", case.name);
        assert!(apart <= 1e-4, "{}: {apart}", case.name);
    }
}

#[test]
fn greedy_answers_are_those_of_transformers() {
    for case in cases() {
        let rows: Vec<Row> = case
            .facts
            .prompts
            .iter()
            .map(|ids| Row { ids: ids.clone(), answerer: Answerer::Backbone })
            .collect();
        let decoding = Decoding {
            max_new_tokens: 64,
            stop: vec![],
            strategy: Strategy::Greedy,
            seeds: vec![],
            batch: 2,
        };
        let answers = case.learner.generate(&rows, &decoding, &mut |_| Flow::Go).unwrap();
        for (answer, recorded) in answers.iter().zip(&case.facts.answers) {
            assert_eq!(answer.ids, *recorded, "{}", case.name);
            assert_eq!(recorded.len(), 64);
        }
    }
}

#[test]
fn gradients_are_those_of_peft() {
    for case in cases() {
        let adapter = case.adapter();
        let shape = case.learner.shape();
        let parameters = Parameters::new(&Adapter::names(&adapter.spec, shape), adapter.weights.clone());
        let model = &case.learner.model;
        let side = adapter.side_tensors(shape, &model.device);
        let trainee =
            ExpertTrainee { backbone: &model.backbone, spec: &adapter.spec, side: &side, dtype: model.dtype };
        let examples = case.examples();
        let rows: Vec<&TokenExample> = examples.iter().collect();
        let count = examples.iter().map(|example| example.loss_tokens() as f64).sum();
        let workers = Workers::new(2).unwrap();
        let tensors = parameters.upload(&Device::flex());
        let found = gradient(&trainee, &tensors, &divide(&rows, 0, count, None), &workers, Activations::Kept)
            .unwrap();
        let again =
            gradient(&trainee, &tensors, &divide(&rows, 0, count, None), &workers, Activations::Recomputed);
        assert_eq!(again.unwrap(), found, "{}", case.name);
        assert!((found.loss - case.facts.loss).abs() < 1e-4 * case.facts.loss, "{}", case.name);
        let mut worst = 0.0f32;
        for (parameter, gradient) in parameters.0.iter().zip(&found.gradients) {
            let apart = case.difference(&format!("gradient.{}", parameter.name), gradient);
            assert!(apart <= 1e-4, "{}: {} {apart}", case.name, parameter.name);
            worst = worst.max(apart);
        }
        println!("{}: gradients {worst:.1e}", case.name);
    }
}

#[test]
fn twenty_steps_are_those_of_peft_and_torch() {
    for case in cases() {
        let adapter = case.adapter();
        let start = tempfile::tempdir().unwrap();
        adapter.write(start.path(), case.learner.shape()).unwrap();
        let out = tempfile::tempdir().unwrap();
        let training = TrainingSpec {
            length: Length::Steps(case.facts.losses.len() as u64),
            batch: 4,
            accumulate: 1,
            micro_batch: 0,
            learning_rate: case.facts.rate,
            schedule: Schedule::Constant,
            warmup: 0,
            gradient_clip: 1.0,
            weight_decay: 0.01,
            seed: 1,
            checkpoint_every: 0,
        };
        let mut on_step = |_: &_| Flow::Go;
        let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
        let (examples, from) = (case.examples(), Some(start.path()));
        let outcome = case
            .learner
            .train_expert(&adapter.spec, from, &examples, &training, &mut control, out.path())
            .unwrap();
        for ((step, found), recorded) in outcome.losses.iter().zip(&case.facts.losses) {
            assert!((found - recorded).abs() <= 1e-3, "{} step {step}: {found} {recorded}", case.name);
        }
        let shape = case.learner.shape();
        let model = &case.learner.model;
        let trained = Adapter::read(out.path(), shape)
            .unwrap()
            .tensors(&model.backbone, &model.device, model.dtype)
            .unwrap();
        let mix = Mix::single(trained, 1, shape.vocabulary, &model.device);
        let apart = case.difference("trained-logits", &case.logits(&mix));
        println!("{}: logits after training {apart:.1e}", case.name);
        assert!(apart <= 1e-3, "{}: {apart}", case.name);
    }
}
