//! Tests of training: gradients against finite differences of the f64 reference, AdamW, resuming, thread counts, and
//! errors. Uses small random models.

use burn::tensor::{DType, Device};
use cadre_checkpoint::{Target, weight_names};
use cadre_data::TokenExample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::gradient::gradient;
use super::micro::{divide, loss_weight};
use super::trainee::Trainee;
use super::*;
use crate::adapter::Adapter;
use crate::backbone::{Backbone, Rotary};
use crate::error::NnError;
use crate::fixture::{self, ALL, adapter, device, examples, shape, train, training};
use crate::kernel::fused;
use crate::kernel::simd::at_each_level;
use crate::learner::Learner;
use crate::reference::Reference;
use crate::weights::{WeightMap, download};
use crate::workers::Workers;

fn backbone_weights(backbone: &Backbone) -> WeightMap {
    // Only what the file needs: names, in order, and the model's tensors.
    let shape = &backbone.shape;
    weight_names(shape)
        .into_iter()
        .zip(backbone.tensors())
        .map(|((name, sizes), tensor)| {
            (name, crate::weights::Weight { shape: sizes, values: download(tensor).unwrap() })
        })
        .collect()
}

/// Checks the loss and gradients of a trainee against the reference and its finite differences.
fn check_gradients(
    trainee: &dyn Trainee,
    parameters: &Parameters,
    reference: &Reference,
    rows: &[TokenExample],
) {
    let workers = Workers::new(2).unwrap();
    let batch: Vec<&TokenExample> = rows.iter().collect();
    let count = rows.iter().map(loss_weight).sum();
    let micros = divide(&batch, 0, count, None);
    let found =
        gradient(trainee, &parameters.upload(&Device::flex()), &micros, &workers, Activations::Kept).unwrap();
    let exact = reference.loss(rows);
    assert!((found.loss - exact).abs() < 1e-5 * exact.abs(), "loss {} {exact}", found.loss);

    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (parameter, gradient) in parameters.0.iter().zip(&found.gradients) {
        let largest = gradient.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        for _ in 0..4 {
            let at = rng.random_range(0..gradient.len());
            let step = 1e-5;
            let moved = |by: f64| {
                let mut reference = reference.clone();
                reference.weights.get_mut(&parameter.name).unwrap()[at] += by;
                reference.loss(rows)
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            let difference = (f64::from(gradient[at]) - slope).abs();
            assert!(
                difference < 2e-5 + 1e-3 * f64::from(largest),
                "{} at {at}: {} and {slope}, largest {largest}",
                parameter.name,
                gradient[at]
            );
        }
    }
}

#[test]
fn every_backbone_gradient_is_the_slope_of_the_reference() {
    for tied in [false, true] {
        let shape = shape(tied);
        let learner = Learner::untrained(&shape, 5, &device(1)).unwrap();
        let weights = backbone_weights(&learner.model.backbone);
        let reference = Reference::new(&shape, &weights, None);
        let parameters = Parameters::new(&weight_names(&shape), weights);
        let rotary = Rotary::new(&shape);
        let trainee = WholeTrainee { shape, rotary, dtype: DType::F32 };
        check_gradients(&trainee, &parameters, &reference, &examples(6, 29, 2));
    }
}

#[test]
fn every_expert_gradient_is_the_slope_of_the_reference() {
    let shape = shape(false);
    let learner = Learner::untrained(&shape, 6, &device(1)).unwrap();
    let weights = backbone_weights(&learner.model.backbone);
    let folder = tempfile::tempdir().unwrap();
    let spec = adapter(&ALL, 2, 0.0);
    fixture::shaken(folder.path(), &learner, &spec, 8);
    let expert = Adapter::read(folder.path(), &shape).unwrap();
    let reference = Reference::new(&shape, &weights, Some(&expert));
    let side = expert.side_tensors(&shape, &learner.model.device);
    let parameters = Parameters::new(&Adapter::names(&spec, &shape), expert.weights);
    let trainee =
        ExpertTrainee { backbone: &learner.model.backbone, spec: &spec, side: &side, dtype: DType::F32 };
    check_gradients(&trainee, &parameters, &reference, &examples(6, 31, 4));
    let marked = examples(6, 31, 5).into_iter().enumerate().map(|(row, example)| {
        example.with_indicator(row % 3).with_indicator_weight(6.5).with_weight(0.5 + row as f32)
    });
    check_gradients(&trainee, &parameters, &reference, &marked.collect::<Vec<_>>());
    fused::composed(|| {
        // A single worker with one thread would leave this thread, so the micro-batches are computed one by one.
        let rows = examples(6, 31, 4);
        let batch: Vec<&TokenExample> = rows.iter().collect();
        let count = rows.iter().map(loss_weight).sum();
        let micro = &divide(&batch, 6, count, None)[0];
        let leaves: Vec<_> =
            parameters.upload(&Device::flex()).into_iter().map(|t| t.autodiff().require_grad()).collect();
        let loss = download(trainee.model(&leaves, micro.rows).unwrap().loss(micro).inner()).unwrap()[0];
        assert!((f64::from(loss) - reference.loss(&rows)).abs() < 1e-4);
    });
}

#[test]
fn every_gradient_of_every_kind_is_the_slope_of_the_reference() {
    let shape = shape(true);
    let learner = Learner::untrained(&shape, 6, &device(1)).unwrap();
    let weights = backbone_weights(&learner.model.backbone);
    for spec in fixture::kinds(1) {
        let folder = tempfile::tempdir().unwrap();
        fixture::shaken(folder.path(), &learner, &spec, 8);
        let expert = Adapter::read(folder.path(), &shape).unwrap();
        let reference = Reference::new(&shape, &weights, Some(&expert));
        let side = expert.side_tensors(&shape, &learner.model.device);
        let parameters = Parameters::new(&Adapter::names(&spec, &shape), expert.weights);
        let trainee =
            ExpertTrainee { backbone: &learner.model.backbone, spec: &spec, side: &side, dtype: DType::F32 };
        check_gradients(&trainee, &parameters, &reference, &examples(6, 30, 4));
    }
}

#[test]
fn every_kind_learns_and_continues() {
    let learner = Learner::untrained(&shape(true), 1, &device(2)).unwrap();
    let before = backbone_weights(&learner.model.backbone);
    let rows = examples(8, 30, 1);
    for spec in fixture::kinds(1) {
        let out = tempfile::tempdir().unwrap();
        let training = TrainingSpec { batch: 8, learning_rate: 2e-2, ..training(40) };
        let mut on_step = |_: &_| Flow::Go;
        let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
        let outcome = learner.train_expert(&spec, None, &rows, &training, &mut control, out.path());
        if spec.kind == crate::AdapterKind::Delta {
            assert!(matches!(outcome, Err(NnError::NotTrained { kind: "delta" })));
            continue;
        }
        let outcome = outcome.unwrap();
        assert!(outcome.final_loss < outcome.losses[0].1 * 0.95, "{:?} {:?}", spec.kind, outcome.losses);
        assert_eq!(before, backbone_weights(&learner.model.backbone));
        // An expert that continues keeps its side tensors, and another kind is refused.
        let next = tempfile::tempdir().unwrap();
        let other_seed = crate::AdapterSpec { seed: 99, ..spec.clone() };
        let from = Some(out.path());
        learner.train_expert(&other_seed, from, &rows, &training, &mut control, next.path()).unwrap();
        let side = |folder: &std::path::Path| Adapter::read(folder, learner.shape()).unwrap().side;
        assert_eq!(side(out.path()), side(next.path()));
        let kind = match spec.kind {
            crate::AdapterKind::Ia3 => crate::AdapterKind::Lora,
            _ => crate::AdapterKind::Ia3,
        };
        let other = crate::AdapterSpec { kind, ..spec };
        let error = learner.train_expert(&other, from, &rows, &training, &mut control, next.path());
        assert!(matches!(error, Err(NnError::AdapterFile { .. })), "{error:?}");
    }
}

#[test]
fn the_loss_falls_and_the_backbone_stays_bit_equal() {
    let learner = Learner::untrained(&shape(true), 1, &device(2)).unwrap();
    let before = backbone_weights(&learner.model.backbone);
    let out = tempfile::tempdir().unwrap();
    let spec = TrainingSpec { batch: 8, learning_rate: 2e-2, ..training(80) };
    let outcome = train(&learner, &adapter(&ALL, 1, 0.0), &examples(8, 30, 1), &spec, out.path());
    assert!(outcome.final_loss < outcome.losses[0].1 * 0.8, "{:?}", outcome.losses);
    assert_eq!(outcome.losses.len(), 80);
    assert_eq!(before, backbone_weights(&learner.model.backbone));
}

#[test]
fn threads_do_not_change_a_bit() {
    let rows = examples(24, 30, 7);
    let kinds = fixture::kinds(1).into_iter().filter(|spec| spec.kind != crate::AdapterKind::Delta);
    let kinds = kinds.map(|spec| crate::AdapterSpec { dropout: 0.1, ..spec });
    for spec in kinds.chain([adapter(&[Target::Q, Target::V], 1, 0.1)]) {
        let mut files = Vec::new();
        for threads in [1, 2, 3] {
            let learner = Learner::untrained(&shape(false), 1, &device(threads)).unwrap();
            let out = tempfile::tempdir().unwrap();
            let training = TrainingSpec { batch: 12, accumulate: 2, micro_batch: 3, ..training(5) };
            train(&learner, &spec, &rows, &training, out.path());
            files.push(std::fs::read(out.path().join("adapter.safetensors")).unwrap());
        }
        assert_eq!(files[0], files[1], "{:?}", spec.kind);
        assert_eq!(files[0], files[2], "{:?}", spec.kind);
    }
}

#[test]
fn processor_levels_do_not_change_a_bit() {
    let rows = examples(24, 30, 7);
    let files = at_each_level(|| {
        let learner = Learner::untrained(&shape(true), 1, &device(2)).unwrap();
        let out = tempfile::tempdir().unwrap();
        train(
            &learner,
            &adapter(&ALL, 1, 0.1),
            &rows,
            &TrainingSpec { batch: 12, ..training(5) },
            out.path(),
        );
        std::fs::read(out.path().join("adapter.safetensors")).unwrap()
    });
    println!("{} levels", files.len());
    assert!(files.iter().all(|file| *file == files[0]));
}

#[test]
fn a_killed_training_ends_in_the_same_bytes() {
    let rows = examples(20, 30, 7);
    let spec = adapter(&[Target::Q, Target::Down], 1, 0.2);
    let run = |checkpoint: Option<&std::path::Path>, out: &std::path::Path, stop_after: u64| {
        let learner = Learner::untrained(&shape(true), 1, &device(2)).unwrap();
        let training = TrainingSpec { checkpoint_every: 3, ..training(14) };
        let mut on_step = |report: &StepReport| if report.step == stop_after { Flow::Stop } else { Flow::Go };
        let mut control = TrainingControl { checkpoint, on_step: &mut on_step };
        learner.train_expert(&spec, None, &rows, &training, &mut control, out).unwrap()
    };
    let whole = tempfile::tempdir().unwrap();
    let undisturbed = run(None, whole.path(), 0);
    let (work, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = run(Some(work.path()), parts.path(), 5);
    assert!(first.stopped && first.losses.len() == 5);
    assert!(!parts.path().join("adapter.json").exists());
    assert!(run(Some(work.path()), parts.path(), 8).stopped);
    let last = run(Some(work.path()), parts.path(), 0);
    assert_eq!(last, undisturbed);
    for file in ["adapter.safetensors", "adapter.json"] {
        assert_eq!(
            std::fs::read(whole.path().join(file)).unwrap(),
            std::fs::read(parts.path().join(file)).unwrap()
        );
    }
}

/// A training with validation that is stopped after some step, and how it ended.
fn validated(
    checkpoint: Option<&std::path::Path>,
    validation: Option<ValidationSpec>,
    stop_after: u64,
) -> (TrainingOutcome, Vec<u8>) {
    let (rows, held_out) = (examples(20, 30, 7), examples(9, 30, 8));
    let learner = Learner::untrained(&shape(true), 1, &device(2)).unwrap();
    let training = TrainingSpec { checkpoint_every: 2, learning_rate: 5e-2, ..training(16) };
    let mut on_step = |report: &StepReport| if report.step == stop_after { Flow::Stop } else { Flow::Go };
    let mut control = TrainingControl { checkpoint, on_step: &mut on_step };
    let data = TrainingData {
        examples: &rows,
        validation: validation.map(|spec| Validation { examples: &held_out, spec }),
    };
    let out = tempfile::tempdir().unwrap();
    let outcome = learner
        .train_expert(&adapter(&ALL, 1, 0.1), None, data, &training, &mut control, out.path())
        .unwrap();
    let bytes = std::fs::read(out.path().join("adapter.safetensors")).unwrap_or_default();
    (outcome, bytes)
}

#[test]
fn validation_measures_without_changing_the_training() {
    let (plain, bytes) = validated(None, None, 0);
    let spec = |keep, patience| ValidationSpec { every: 3, keep, patience };
    let (last, last_bytes) = validated(None, Some(spec(Keep::Last, None)), 0);
    assert_eq!((&plain.losses, &bytes), (&last.losses, &last_bytes));
    let steps: Vec<u64> = last.validation_losses.iter().map(|(step, _)| *step).collect();
    assert_eq!(steps, [3, 6, 9, 12, 15, 16]);
    assert_eq!((last.kept_step, last.gradient_norms.len(), last.learning_rates.len()), (16, 16, 16));
}

#[test]
fn the_validation_loss_is_the_loss_that_the_next_step_starts_from() {
    let rows = examples(12, 30, 7);
    let learner = Learner::untrained(&shape(true), 1, &device(2)).unwrap();
    let training = TrainingSpec { batch: 12, ..training(6) };
    let spec = ValidationSpec { every: 1, keep: Keep::Last, patience: None };
    let data = TrainingData { examples: &rows, validation: Some(Validation { examples: &rows, spec }) };
    let mut control = TrainingControl { checkpoint: None, on_step: &mut |_| Flow::Go };
    let out = tempfile::tempdir().unwrap();
    let spec = adapter(&ALL, 1, 0.0);
    let outcome = learner.train_expert(&spec, None, data, &training, &mut control, out.path()).unwrap();
    for ((step, measured), (_, next)) in outcome.validation_losses.iter().zip(&outcome.losses[1..]) {
        assert!((measured - next).abs() < 1e-6 * next, "after step {step}: {measured} {next}");
    }
}

#[test]
fn the_best_weights_are_those_of_a_training_that_ended_there() {
    let spec = |keep, patience| ValidationSpec { every: 1, keep, patience };
    let (best, bytes) = validated(None, Some(spec(Keep::Best, None)), 0);
    let lowest = best.validation_losses.iter().map(|(_, loss)| *loss).fold(f32::INFINITY, f32::min);
    assert_eq!(best.validation_losses[best.kept_step as usize - 1].1, lowest);
    assert!(best.kept_step < 16, "random rows: the held-out loss rises, {:?}", best.validation_losses);
    // What patience cuts off changes nothing of what is kept.
    let (early, early_bytes) = validated(None, Some(spec(Keep::Best, Some(2))), 0);
    if early.kept_step == best.kept_step {
        assert_eq!(bytes, early_bytes);
    }
    assert_eq!(early.losses.len() as u64, early.kept_step + 2);
}

#[test]
fn a_killed_training_with_validation_ends_in_the_same_bytes() {
    let spec = ValidationSpec { every: 1, keep: Keep::Best, patience: Some(3) };
    let (whole, bytes) = validated(None, Some(spec), 0);
    for stop_after in [1, 3, whole.kept_step, whole.kept_step + 1] {
        let checkpoint = tempfile::tempdir().unwrap();
        let (stopped, _) = validated(Some(checkpoint.path()), Some(spec), stop_after);
        assert!(stopped.stopped, "step {stop_after}");
        let (resumed, found) = validated(Some(checkpoint.path()), Some(spec), 0);
        assert_eq!((&resumed, found == bytes), (&whole, true), "step {stop_after}");
    }
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_not_resumed() {
    let rows = examples(8, 29, 7);
    let spec = adapter(&[Target::Q], 0, 0.0);
    let learner = Learner::untrained(&shape(true), 1, &device(1)).unwrap();
    let work = tempfile::tempdir().unwrap();
    let run = |rows: &[TokenExample]| {
        let out = tempfile::tempdir().unwrap();
        let mut steps = 0;
        let mut on_step = |_: &StepReport| {
            steps += 1;
            Flow::Go
        };
        let mut control = TrainingControl { checkpoint: Some(work.path()), on_step: &mut on_step };
        let training = TrainingSpec { checkpoint_every: 2, ..training(4) };
        learner.train_expert(&spec, None, rows, &training, &mut control, out.path()).unwrap();
        steps
    };
    assert_eq!(run(&rows), 4);
    assert_eq!(run(&rows), 0, "the checkpoint is of the last step");
    assert_eq!(run(&rows[..7]), 4);
    let file = work.path().join("training.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(run(&rows[..7]), 4);
}

#[test]
fn accumulation_is_a_larger_batch() {
    let rows = examples(16, 29, 9);
    let learner = Learner::untrained(&shape(false), 1, &device(2)).unwrap();
    let losses = |batch, accumulate| {
        let out = tempfile::tempdir().unwrap();
        let spec = TrainingSpec { batch, accumulate, ..training(6) };
        train(&learner, &adapter(&[Target::V], 0, 0.0), &rows, &spec, out.path()).losses
    };
    for ((_, a), (_, b)) in losses(8, 1).iter().zip(&losses(2, 4)) {
        assert!((a - b).abs() < 2e-5 * a, "{a} {b}");
    }
}

#[test]
fn adamw_takes_the_steps_of_torch() {
    // PyTorch 2.x, AdamW([1.0, -2.0, 3.0], lr=0.1, weight_decay=0.1), with the gradients of three steps below.
    let weights = WeightMap::from([(
        "w".into(),
        crate::weights::Weight { shape: vec![1, 3], values: vec![1.0, -2.0, 3.0] },
    )]);
    let mut parameters = Parameters::new(&[("w".into(), vec![1, 3])], weights);
    let steps = [[0.5, -1.0, 0.0], [0.25, 2.0, -0.1], [-1.0, 0.0, 0.3]];
    let (mut exact, mut first, mut second) = ([1.0f64, -2.0, 3.0], [0.0f64; 3], [0.0f64; 3]);
    for (number, gradient) in steps.iter().enumerate() {
        let step = number as u64 + 1;
        super::adamw::update(&mut parameters, &[gradient.map(|g| g as f32).to_vec()], 1.0, step, 0.1, 0.1);
        for at in 0..3 {
            // The algorithm as given in PyTorch's documentation of AdamW.
            exact[at] -= 0.1 * 0.1 * exact[at];
            first[at] = 0.9 * first[at] + 0.1 * gradient[at];
            second[at] = 0.999 * second[at] + 0.001 * gradient[at] * gradient[at];
            let m = first[at] / (1.0 - 0.9f64.powi(step as i32));
            let v = second[at] / (1.0 - 0.999f64.powi(step as i32));
            exact[at] -= 0.1 * m / (v.sqrt() + 1e-8);
        }
    }
    for (found, exact) in parameters.0[0].weight.values.iter().zip(exact) {
        assert!((f64::from(*found) - exact).abs() < 1e-6, "{found} {exact}");
    }
}

#[test]
fn a_gradient_is_clipped_by_its_whole_norm() {
    let gradients = [vec![3.0f32, 0.0], vec![4.0f32]];
    let norm = super::adamw::norm(&gradients);
    assert!((norm - 5.0).abs() < 1e-12);
    assert!((super::adamw::clip_factor(norm, 1.0) - 0.2).abs() < 1e-6);
    assert_eq!(super::adamw::clip_factor(0.5, 1.0), 1.0);
    assert_eq!(super::adamw::clip_factor(50.0, 0.0), 1.0);
}

#[test]
fn invalid_trainings_are_refused() {
    let learner = Learner::untrained(&shape(true), 1, &device(1)).unwrap();
    let out = tempfile::tempdir().unwrap();
    let attempt = |spec: &crate::AdapterSpec, rows: &[TokenExample], training: &TrainingSpec| {
        let mut on_step = |_: &StepReport| Flow::Go;
        let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
        learner.train_expert(spec, None, rows, training, &mut control, out.path()).unwrap_err()
    };
    let good = adapter(&[Target::Q], 0, 0.0);
    let rows = examples(3, 29, 1);
    assert!(matches!(attempt(&good, &examples(3, 60, 1), &training(2)), NnError::TokenId { known: 29, .. }));
    let long = TokenExample::new(vec![1; 90], &[2; 30]);
    assert!(matches!(
        attempt(&good, &[long], &training(2)),
        NnError::RowTooLong { tokens: 120, context: 96, .. }
    ));
    let silent = TokenExample::new(vec![1, 2, 3], &[]);
    assert!(matches!(attempt(&good, &[silent], &training(2)), NnError::NothingToLearn));
    assert!(matches!(
        attempt(&adapter(&[], 0, 0.0), &rows, &training(2)),
        NnError::Setting { field: "targets", .. }
    ));
    assert!(matches!(
        attempt(&adapter(&[Target::Q], 0, 1.0), &rows, &training(2)),
        NnError::Setting { field: "dropout", .. }
    ));
    let wild = TrainingSpec { learning_rate: 1e30, gradient_clip: 0.0, ..training(20) };
    let error = attempt(&adapter(&ALL, 0, 0.0), &rows, &wild);
    assert!(
        matches!(error, NnError::Diverged { step: 2.., .. } | NnError::GradientDiverged { step: 2.., .. }),
        "{error}"
    );
}

#[test]
fn a_pretrained_backbone_learns_and_can_be_opened() {
    let out = tempfile::tempdir().unwrap();
    let rows: Vec<TokenExample> =
        examples(12, 29, 5).into_iter().map(TokenExample::with_loss_everywhere).collect();
    let mut on_step = |_: &StepReport| Flow::Go;
    let mut control = TrainingControl { checkpoint: None, on_step: &mut on_step };
    let outcome =
        Learner::pretrain(&shape(false), &rows, &training(60), &mut control, out.path(), &device(2)).unwrap();
    assert!(outcome.final_loss < 0.7 * outcome.losses[0].1, "{:?}", outcome.losses);
    assert_eq!(outcome.parameters, shape(false).parameters());
    let learner = Learner::open(out.path(), &device(1)).unwrap();
    assert_eq!(*learner.shape(), shape(false));
}
