//! Tests that recomputed activations give the same bits as kept ones, for experts and whole backbones with every kind
//! of layer, over single steps and whole trainings.

use burn::tensor::{DType, Device};
use cadre_checkpoint::{Activation, BackboneShape, LayerKind, Target, Variation, weight_names};
use cadre_data::TokenExample;

use crate::adapter::{Adapter, AdapterSpec};
use crate::backbone::Rotary;
use crate::device::DeviceSpec;
use crate::fixture::{ALL, adapter, device, examples, shaken, shape, train, training};
use crate::learner::Learner;
use crate::training::dropout::Dropout;
use crate::training::gradient::{Activations, StepGradient, gradient};
use crate::training::micro::{divide, loss_weight};
use crate::training::trainee::{ExpertTrainee, Trainee, WholeTrainee};
use crate::training::{Flow, Parameters, StepReport, TrainingControl, TrainingSpec};
use crate::weights::{Weight, WeightMap, download};
use crate::workers::Workers;

/// One decoder of each kind: plain, tied, with a single layer, with Qwen's biases, with all features of Gemma.
fn shapes() -> Vec<BackboneShape> {
    let plain = BackboneShape { layers: 3, ..shape(false) };
    let biased =
        Variation { qkv_bias: true, output_bias: true, feed_forward_bias: true, ..Default::default() };
    let windowed = LayerKind { windowed: true, uses_rope: true };
    let gemma = Variation {
        head_width: Some(8),
        head_norms: true,
        post_norms: true,
        unit_offset_norms: true,
        activation: Activation::GeluTanh,
        embedding_scale: Some(24f64.sqrt()),
        window: Some(4),
        layers: vec![windowed, LayerKind::PLAIN, windowed],
        window_rope_theta: Some(100.0),
        ..Default::default()
    };
    vec![
        BackboneShape { tied: true, ..plain.clone() },
        BackboneShape { layers: 1, ..plain.clone() },
        BackboneShape { variation: biased, ..plain.clone() },
        BackboneShape { variation: gemma, tied: true, ..plain.clone() },
        plain,
    ]
}

/// The gradient of a batch of several micro-batches with dropout, both ways: (kept, recomputed).
fn both(trainee: &dyn Trainee, parameters: &Parameters, rows: &[TokenExample]) -> [StepGradient; 2] {
    let workers = Workers::new(2).unwrap();
    let batch: Vec<&TokenExample> = rows.iter().collect();
    let count = rows.iter().map(loss_weight).sum();
    let dropout = Dropout { seed: 9, share: 0.25, first_token: 0 };
    let micros = divide(&batch, 3, count, Some(dropout));
    let tensors = parameters.upload(&Device::flex());
    [Activations::Kept, Activations::Recomputed]
        .map(|activations| gradient(trainee, &tensors, &micros, &workers, activations).unwrap())
}

fn assert_same(parameters: &Parameters, [kept, recomputed]: &[StepGradient; 2]) {
    assert_eq!(kept.loss.to_bits(), recomputed.loss.to_bits());
    assert!(kept.loss > 0.0);
    for ((parameter, kept), recomputed) in parameters.0.iter().zip(&kept.gradients).zip(&recomputed.gradients)
    {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
        assert_eq!(bits(kept), bits(recomputed), "{}", parameter.name);
        assert_eq!(kept.len(), parameter.weight.values.len());
    }
}

fn of_expert(
    shape: &BackboneShape,
    spec: &AdapterSpec,
    rows: &[TokenExample],
) -> (Parameters, [StepGradient; 2]) {
    let learner = Learner::untrained(shape, 6, &device(1)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    shaken(folder.path(), &learner, spec, 8);
    let expert = Adapter::read(folder.path(), shape).unwrap();
    let side = expert.side_tensors(shape, &learner.model.device);
    let parameters = Parameters::new(&Adapter::names(spec, shape), expert.weights);
    let trainee = ExpertTrainee { backbone: &learner.model.backbone, spec, side: &side, dtype: DType::F32 };
    let found = both(&trainee, &parameters, rows);
    (parameters, found)
}

#[test]
fn gradients_of_every_kind_are_the_same_bits() {
    for shape in shapes() {
        for spec in crate::fixture::kinds(1) {
            let spec = AdapterSpec { dropout: 0.25, ..spec };
            let (parameters, found) = of_expert(&shape, &spec, &examples(8, 30, 4));
            assert_same(&parameters, &found);
        }
    }
}

#[test]
fn gradients_of_experts_are_the_same_bits() {
    for shape in shapes() {
        for (targets, added) in
            [(&ALL[..], 2), (&ALL[..], 0), (&[Target::Q, Target::V], 0), (&[Target::Down], 1)]
        {
            let spec = adapter(targets, added, 0.25);
            let (parameters, found) = of_expert(&shape, &spec, &examples(8, 29 + added as u32, 4));
            assert_same(&parameters, &found);
            for (parameter, gradient) in parameters.0.iter().zip(&found[1].gradients) {
                assert!(gradient.iter().any(|value| *value != 0.0), "{}: {shape:?}", parameter.name);
            }
        }
    }
}

#[test]
fn an_added_token_that_does_not_occur_gets_no_gradient() {
    let rows = examples(8, 29, 4);
    let (parameters, found) = of_expert(&shapes()[0], &adapter(&ALL, 2, 0.25), &rows);
    assert_same(&parameters, &found);
    assert!(found[1].gradients[0].iter().all(|value| *value == 0.0));
}

#[test]
fn gradients_of_whole_backbones_are_the_same_bits() {
    for shape in shapes() {
        let learner = Learner::untrained(&shape, 5, &device(1)).unwrap();
        let names = weight_names(&shape);
        let weights: WeightMap = names
            .iter()
            .zip(learner.model.backbone.tensors())
            .map(|((name, sizes), tensor)| {
                (name.clone(), Weight { shape: sizes.clone(), values: download(tensor).unwrap() })
            })
            .collect();
        let parameters = Parameters::new(&names, weights);
        let trainee = WholeTrainee { rotary: Rotary::new(&shape), shape, dtype: DType::F32 };
        let found = both(&trainee, &parameters, &examples(8, 29, 2));
        assert_same(&parameters, &found);
    }
}

fn recomputing(threads: usize) -> DeviceSpec {
    DeviceSpec { gradient_checkpointing: true, ..device(threads) }
}

#[test]
fn trainings_end_in_the_same_bytes() {
    let rows = examples(20, 31, 7);
    let spec = TrainingSpec { micro_batch: 2, batch: 6, ..training(6) };
    let (mut experts, mut backbones) = (vec![], vec![]);
    for device in [device(2), recomputing(2), recomputing(1)] {
        let learner = Learner::untrained(&shape(true), 1, &device).unwrap();
        let out = tempfile::tempdir().unwrap();
        let outcome = train(&learner, &adapter(&ALL, 2, 0.1), &rows, &spec, out.path());
        experts.push((outcome, std::fs::read(out.path().join("adapter.safetensors")).unwrap()));

        let out = tempfile::tempdir().unwrap();
        let mut on_step = |_: &StepReport| Flow::Go;
        let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
        let plain = examples(20, 29, 7);
        let outcome =
            Learner::pretrain(&shape(true), &plain, &spec, &mut control, out.path(), &device).unwrap();
        backbones.push((outcome, std::fs::read(out.path().join("model.safetensors")).unwrap()));
    }
    assert!(experts.iter().all(|expert| *expert == experts[0]));
    assert!(backbones.iter().all(|backbone| *backbone == backbones[0]));
}
