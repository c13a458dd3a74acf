//! Small models and random rows for the tests.

use std::path::Path;

use cadre_checkpoint::{BackboneShape, Target};
use cadre_data::TokenExample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::adapter::{Adapter, AdapterKind, AdapterSpec};
use crate::device::{BackendKind, DeviceSpec, Precision};
use crate::learner::Learner;
use crate::training::{Flow, Length, Schedule, TrainingControl, TrainingOutcome, TrainingSpec};
use crate::weights::{Weight, WeightMap};

pub(crate) fn shape(tied: bool) -> BackboneShape {
    BackboneShape {
        vocabulary: 29,
        hidden: 24,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        feed_forward: 40,
        context: 96,
        tied,
        rope_theta: 1000.0,
        norm_epsilon: 1e-5,
        variation: cadre_checkpoint::Variation::default(),
    }
}

pub(crate) fn device(threads: usize) -> DeviceSpec {
    DeviceSpec {
        backend: BackendKind::Cpu,
        precision: Precision::F32,
        threads,
        gradient_checkpointing: false,
    }
}

pub(crate) fn adapter(targets: &[Target], added_tokens: usize, dropout: f64) -> AdapterSpec {
    AdapterSpec {
        rank: 3,
        alpha: 6.0,
        dropout,
        targets: targets.to_vec(),
        added_tokens,
        added_start: Vec::new(),
        seed: 11,
        ..AdapterSpec::default()
    }
}

/// An adapter of every kind, on all projections.
pub(crate) fn kinds(added_tokens: usize) -> Vec<AdapterSpec> {
    let of = |kind| AdapterSpec { kind, density: 0.2, ..adapter(&ALL, added_tokens, 0.0) };
    [AdapterKind::Lora, AdapterKind::Ia3, AdapterKind::Dora, AdapterKind::Delta, AdapterKind::SparseDelta]
        .map(of)
        .to_vec()
}

fn zeros(spec: &AdapterSpec, shape: &BackboneShape) -> Adapter {
    let zero = |(name, shape): (String, Vec<usize>)| {
        (name, Weight { values: vec![0.0; shape.iter().product()], shape })
    };
    let weights = Adapter::names(spec, shape).into_iter().map(zero).collect();
    Adapter { spec: spec.clone(), weights, side: WeightMap::new() }
}

pub(crate) const ALL: [Target; 7] =
    [Target::Q, Target::K, Target::V, Target::O, Target::Gate, Target::Up, Target::Down];

pub(crate) fn training(steps: u64) -> TrainingSpec {
    TrainingSpec {
        length: Length::Steps(steps),
        batch: 4,
        accumulate: 1,
        micro_batch: 0,
        learning_rate: 5e-3,
        schedule: Schedule::Cosine,
        warmup: 2,
        gradient_clip: 1.0,
        weight_decay: 0.01,
        seed: 3,
        checkpoint_every: 0,
    }
}

/// Rows of random ids below `ids`, of different lengths, each with a loss on a part of the row and a weight.
pub(crate) fn examples(count: usize, ids: u32, seed: u64) -> Vec<TokenExample> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let mut draw = |limit: usize| -> Vec<u32> {
                let length = rng.random_range(1..limit);
                (0..length).map(|_| rng.random_range(0..ids)).collect()
            };
            let (given, learnt) = (draw(14), draw(9));
            TokenExample::new(given, &learnt).with_weight(rng.random_range(0.2..1.5))
        })
        .collect()
}

pub(crate) fn train(
    learner: &Learner,
    spec: &AdapterSpec,
    examples: &[TokenExample],
    training: &TrainingSpec,
    out: &Path,
) -> TrainingOutcome {
    let mut on_step = |_: &_| Flow::Go;
    let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
    learner.train_expert(spec, None, examples, training, &mut control, out).unwrap()
}

/// Moves every weight of an adapter away from its initial value, so that each affects the result.
pub(crate) fn shaken(folder: &Path, learner: &Learner, spec: &AdapterSpec, seed: u64) {
    let mut adapter = match spec.kind {
        // Not trained, so it has no initial values.
        AdapterKind::Delta => zeros(spec, learner.shape()),
        _ => Adapter::start(spec, &learner.model.backbone).unwrap(),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for weight in adapter.weights.values_mut() {
        for value in &mut weight.values {
            *value += rng.random_range(-0.3..0.3);
        }
    }
    adapter.write(folder, learner.shape()).unwrap();
}
