//! Tests of bfloat16 on the CPU: what stays identical, what is rounded, and how much memory it saves.

use std::path::Path;

use burn::tensor::DType;
use cadre_checkpoint::{BackboneShape, weight_names};
use cadre_data::TokenExample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};

use crate::adapter::ExpertSlot;
use crate::device::{BackendKind, DeviceSpec, Precision};
use crate::error::NnError;
use crate::fixture::{ALL, adapter, device, examples, shaken, train, training};
use crate::generation::{Answerer, Decoding, Row, ScoredRow, Strategy};
use crate::learner::Learner;
use crate::training::{Flow, TrainingControl, TrainingOutcome, TrainingSpec};

/// Large enough that the head is multiplied in several blocks, forward and backward.
fn shape(tied: bool) -> BackboneShape {
    let head =
        BackboneShape { vocabulary: 2000, hidden: 160, feed_forward: 328, ..crate::fixture::shape(tied) };
    BackboneShape { layers: 2, ..head }
}

fn bf16() -> DeviceSpec {
    DeviceSpec { precision: Precision::Bf16, ..device(2) }
}

/// Writes a random checkpoint with this number type.
fn written(folder: &Path, shape: &BackboneShape, dtype: Dtype) {
    std::fs::write(folder.join("config.json"), shape.config_json()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut one = |sizes: &[usize]| -> Vec<u8> {
        let spread = if sizes.len() == 1 { 0.3 } else { 1.7 / (sizes[1] as f32).sqrt() };
        let centre = if sizes.len() == 1 { 1.0 } else { 0.0 };
        let mut draw = || centre + rng.random_range(-spread..spread);
        let count = sizes.iter().product();
        match dtype {
            Dtype::BF16 => (0..count).flat_map(|_| half::bf16::from_f32(draw()).to_le_bytes()).collect(),
            _ => (0..count).flat_map(|_| draw().to_le_bytes()).collect(),
        }
    };
    let raw: Vec<(String, Vec<usize>, Vec<u8>)> = weight_names(shape)
        .into_iter()
        .map(|(name, sizes)| {
            let bytes = one(&sizes);
            (name, sizes, bytes)
        })
        .collect();
    let views = raw
        .iter()
        .map(|(name, sizes, bytes)| (name.as_str(), TensorView::new(dtype, sizes.clone(), bytes).unwrap()));
    std::fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Every kind of result of a learner, and an expert that it trains.
#[derive(Debug, PartialEq)]
struct Asked {
    answers: Vec<(Vec<u32>, u32)>,
    claims: Vec<Vec<f32>>,
    likelihoods: Vec<f32>,
    embeddings: Vec<Vec<f32>>,
    trained: (TrainingOutcome, Vec<u8>),
}

fn ask(learner: &Learner) -> Asked {
    let folder = tempfile::tempdir().unwrap();
    shaken(folder.path(), learner, &adapter(&ALL, 2, 0.0), 3);
    let slot: ExpertSlot = learner.mount(folder.path()).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let prompts: Vec<Vec<u32>> =
        (3..9).map(|length| (0..length).map(|_| rng.random_range(0..2000)).collect()).collect();
    let answerers = [Answerer::Backbone, Answerer::Expert(slot), Answerer::Mix(vec![(slot, 0.5)])];
    let row =
        |(number, ids): (usize, &Vec<u32>)| Row { ids: ids.clone(), answerer: answerers[number % 3].clone() };
    let rows: Vec<Row> = prompts.iter().enumerate().map(row).collect();
    let decoding =
        Decoding { max_new_tokens: 12, stop: vec![], strategy: Strategy::Greedy, seeds: vec![], batch: 3 };
    let go = &mut |_| Flow::Go;
    let answers = learner.generate(&rows, &decoding, go).unwrap();
    let scored: Vec<ScoredRow> = rows.iter().map(|row| ScoredRow { row: row.clone(), from: 1 }).collect();

    let out = tempfile::tempdir().unwrap();
    let training = TrainingSpec { micro_batch: 3, ..training(4) };
    let outcome = train(learner, &adapter(&ALL, 2, 0.2), &examples(9, 2002, 1), &training, out.path());
    Asked {
        answers: answers.into_iter().map(|one| (one.ids, one.mean_log_probability.to_bits())).collect(),
        claims: learner.next_token_probabilities(&rows, &[1, 1999, 2001], 4, go).unwrap(),
        likelihoods: learner.mean_negative_log_likelihoods(&scored, 4, go).unwrap(),
        embeddings: learner.embed(&prompts, 4, go).unwrap(),
        trained: (outcome, std::fs::read(out.path().join("adapter.safetensors")).unwrap()),
    }
}

fn weight_bytes(learner: &Learner) -> usize {
    let of = |tensor: burn::tensor::Tensor<2>| {
        tensor.shape().num_elements() * if tensor.dtype() == DType::BF16 { 2 } else { 4 }
    };
    learner.model.backbone.tensors().into_iter().map(of).sum()
}

#[test]
fn a_file_in_bfloat16_computes_as_in_f32_to_the_last_bit_from_half_the_memory() {
    for tied in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), &shape(tied), Dtype::BF16);
        let [single, half] = [device(2), bf16()].map(|device| Learner::open(folder.path(), &device).unwrap());
        let (whole, found) = (ask(&single), ask(&half));
        assert!(whole.trained.0.losses[0].1 > 1.0);
        assert!(whole.claims.iter().flatten().any(|claim| *claim > 0.0));
        assert_eq!(whole, found);
        assert!(weight_bytes(&half) as f64 <= 0.51 * weight_bytes(&single) as f64);
    }
}

#[test]
fn a_file_in_f32_is_rounded_once() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), &shape(false), Dtype::F32);
    let claims = |device: &DeviceSpec| {
        let learner = Learner::open(folder.path(), device).unwrap();
        let every: Vec<u32> = (0..2000).collect();
        let row = Row { ids: vec![5, 1, 1999, 77, 3], answerer: Answerer::Backbone };
        let claims = learner.next_token_probabilities(&[row], &every, 1, &mut |_| Flow::Go).unwrap();
        claims[0].iter().map(|claim| claim.ln()).collect::<Vec<f32>>()
    };
    let (single, half) = (claims(&device(2)), claims(&bf16()));
    let largest = single.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let apart = single.iter().zip(&half).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
    println!("apart {apart:.1e}");
    assert!(apart > 0.0 && apart <= 2e-2, "{apart}");
}

#[test]
fn pretraining_on_the_processor_is_f32_throughout() {
    let rows: Vec<TokenExample> =
        examples(12, 29, 5).into_iter().map(TokenExample::with_loss_everywhere).collect();
    let run = |device: &DeviceSpec| {
        let out = tempfile::tempdir().unwrap();
        let mut on_step = |_: &_| Flow::Go;
        let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
        let shape = crate::fixture::shape(false);
        Learner::pretrain(&shape, &rows, &training(5), &mut control, out.path(), device).unwrap();
        std::fs::read(out.path().join("model.safetensors")).unwrap()
    };
    assert_eq!(run(&device(2)), run(&bf16()));
}

#[test]
fn a_backend_without_it_refuses() {
    let spec = DeviceSpec { backend: BackendKind::NdArray, ..bf16() };
    let error = Learner::untrained(&crate::fixture::shape(true), 1, &spec).unwrap_err();
    assert!(matches!(error, NnError::Precision { backend: "ndarray", precision: "bf16" }), "{error}");
}
