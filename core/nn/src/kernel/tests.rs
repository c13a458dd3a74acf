//! Tests every fused operation against its composed form: values, gradients, and NaN handling.

use std::sync::Arc;

use burn::tensor::{Device, Distribution, Tensor, TensorData};
use cadre_checkpoint::Activation;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn random(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..rows * columns).map(|_| rng.random_range(-1.5f32..1.5)).collect()
}

fn leaf(values: &[f32], rows: usize, columns: usize) -> Tensor<2> {
    let data = TensorData::new(values.to_vec(), [rows, columns]);
    Tensor::<2>::from_data(data, &Device::flex()).autodiff().require_grad()
}

/// Compares values and gradients of an operation, on random inputs of these sizes, with those of its composed form.
fn agree<const N: usize>(
    sizes: [(usize, usize); N],
    tolerance: f32,
    op: impl Fn([Tensor<2>; N]) -> Tensor<2>,
) {
    for seed in 0..3 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let inputs = sizes.map(|(rows, columns)| random(rows, columns, &mut rng));
        let mut upstream = None;
        let mut run = || {
            let mut number = 0;
            let leaves = sizes.map(|(rows, columns)| {
                number += 1;
                leaf(&inputs[number - 1], rows, columns)
            });
            let value = op(leaves.clone());
            let [rows, columns] = value.dims();
            let weights = upstream.get_or_insert_with(|| random(rows, columns, &mut rng)).clone();
            let weights = Tensor::<2>::from_data(TensorData::new(weights, [rows, columns]), &Device::flex());
            let mut gradients = (value.clone() * weights).sum().backward();
            let mut all = vec![value.inner().into_data().try_into_vec::<f32>().unwrap()];
            for leaf in &leaves {
                all.push(
                    leaf.grad_remove(&mut gradients).unwrap().into_data().try_into_vec::<f32>().unwrap(),
                );
            }
            all
        };
        let ours = run();
        let theirs = fused::composed(run);
        for (part, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours.len(), theirs.len());
            for (at, (a, b)) in ours.iter().zip(theirs).enumerate() {
                assert!(
                    (a - b).abs() <= tolerance * (1.0 + b.abs()),
                    "seed {seed} part {part} at {at}: {a} {b}"
                );
            }
        }
    }
}

#[test]
fn linear_agrees_with_burn() {
    agree([(37, 24), (19, 24)], 1e-5, |[x, w]| linear(x, w));
    agree([(1, 24), (19, 24)], 1e-5, |[x, w]| linear(x, w));
}

#[test]
fn rms_norm_agrees_with_burn() {
    agree([(23, 40), (1, 40)], 1e-5, |[x, w]| rms_norm(x, w, 1e-6));
}

#[test]
fn gated_activations_agree_with_burn() {
    for activation in [Activation::Silu, Activation::GeluTanh] {
        agree([(23, 40), (23, 40)], 1e-5, |[gate, up]| gated(gate * 3.0, up, activation));
    }
}

#[test]
fn rotation_agrees_with_burn() {
    let table = RotaryTable::new(64, &[1.0, 0.1, 0.01, 0.001]);
    let positions = Arc::new(vec![0, 1, 2, 40, 41, 3, 63]);
    agree([(7, 24)], 1e-5, |[x]| rotate(x, &table, &positions));
}

#[test]
fn gather_agrees_with_burn() {
    let indices = Arc::new(vec![3, 0, 3, usize::MAX, 4, 3]);
    agree([(5, 6)], 1e-6, |[table]| gather(table, &indices));
}

#[test]
fn attention_agrees_with_burn() {
    let segments = Arc::new(vec![
        Segment { start: 0, length: 5 },
        Segment { start: 5, length: 150 },
        Segment { start: 155, length: 1 },
        Segment { start: 156, length: 64 },
    ]);
    for (heads, kv_heads, window) in
        [(4, 2, None), (3, 1, None), (2, 2, Some(1)), (4, 1, Some(9)), (2, 1, Some(70))]
    {
        let shape = HeadShape { window, ..HeadShape::new(heads, kv_heads, 8) };
        let (wide, narrow) = (shape.query_width(), shape.key_width());
        agree([(220, wide), (220, narrow), (220, narrow)], 2e-5, |[q, k, v]| {
            attention(q, k, v, shape, &segments)
        });
    }
}

#[test]
fn cross_entropy_agrees_with_burn() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let targets = Arc::new((0..300).map(|_| rng.random_range(0..53)).collect::<Vec<u32>>());
    let weights = Arc::new((0..300).map(|_| rng.random_range(0.0..1.0)).collect::<Vec<f32>>());
    agree([(300, 16), (50, 16), (3, 16)], 3e-5, |[h, w, e]| cross_entropy(h, w, Some(e), &targets, &weights));
    let low = Arc::new(targets.iter().map(|target| target % 50).collect::<Vec<u32>>());
    agree([(300, 16), (50, 16)], 3e-5, |[h, w]| cross_entropy(h, w, None, &low, &weights));
}

#[test]
fn untracked_inputs_get_no_tape() {
    let device = Device::flex();
    let x = Tensor::<2>::random([4, 8], Distribution::Default, &device);
    let y = rms_norm(x.clone(), Tensor::ones([1, 8], &device), 1e-6);
    assert!(!y.is_autodiff());
    let tracked = linear(x.clone(), leaf(&[0.5; 16], 2, 8));
    assert!(tracked.is_tracked());
}

#[test]
fn nothing_leaks_backwards_in_time_or_across_rows() {
    let shape = HeadShape::new(2, 1, 4);
    let segments = Arc::new(vec![Segment { start: 0, length: 6 }, Segment { start: 6, length: 4 }]);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (q, k, v) = (random(10, 8, &mut rng), random(10, 4, &mut rng), random(10, 4, &mut rng));
    let run = |k: &[f32], v: &[f32]| {
        let put = |values: &[f32], width| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [10, width]), &Device::flex())
        };
        attention(put(&q, 8), put(k, 4), put(v, 4), shape, &segments)
            .into_data()
            .try_into_vec::<f32>()
            .unwrap()
    };
    let clean = run(&k, &v);
    let (mut bad_k, mut bad_v) = (k.clone(), v.clone());
    bad_k[4 * 4..6 * 4].fill(50.0);
    bad_v[4 * 4..6 * 4].fill(-1e6);
    let later = run(&bad_k, &bad_v);
    assert_eq!(clean[..4 * 8], later[..4 * 8]);
    assert!(clean[4 * 8..6 * 8].iter().zip(&later[4 * 8..]).all(|(a, b)| a != b));
    assert_eq!(clean[6 * 8..], later[6 * 8..]);
    bad_k[..6 * 4].fill(f32::NAN);
    bad_v[..6 * 4].fill(f32::NAN);
    let poisoned = run(&bad_k, &bad_v);
    assert!(poisoned[..6 * 8].iter().all(|value| value.is_nan()));
    assert_eq!(clean[6 * 8..], poisoned[6 * 8..]);
}

#[test]
fn poison_in_the_padding_changes_nothing() {
    let shape = HeadShape::new(2, 1, 4);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (q, k, v) = (random(6, 8, &mut rng), random(6, 4, &mut rng), random(6, 4, &mut rng));
    let run = |fill: f32| {
        let put = |values: &[f32], width: usize, fill: f32| {
            let mut values = values.to_vec();
            values[2 * width..3 * width].fill(fill);
            Tensor::<3>::from_data(TensorData::new(values, [2, 3, width]), &Device::flex())
        };
        attention_padded(put(&q, 8, 0.5), put(&k, 4, fill), put(&v, 4, fill), shape, &[0, 0], &[2, 3])
            .into_data()
            .try_into_vec::<f32>()
            .unwrap()
    };
    let (clean, poisoned) = (run(0.0), run(f32::NAN));
    assert_eq!(clean, poisoned);
    assert!(clean.iter().all(|value| value.is_finite()));
}
