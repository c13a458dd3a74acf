//! Tests that the result for a row is the same, to the last bit, in batches of any size and beside any other rows. The
//! sizes are such that the matmul uses a different kernel for each number of rows: sums of more than 512 terms, updates
//! of a few ranks, a vocabulary of many blocks.

use cadre_checkpoint::BackboneShape;

use super::*;
use crate::device::{DeviceSpec, Precision};
use crate::fixture::{ALL, adapter, device, shaken, shape};
use crate::generation::Strategy;

struct Scene {
    learner: Learner,
    answerers: Vec<Answerer>,
    _folders: Vec<tempfile::TempDir>,
}

/// A backbone with experts of these ranks.
fn scene(precision: Precision, ranks: &[usize]) -> Scene {
    let shape = BackboneShape {
        vocabulary: 1500,
        hidden: 528,
        heads: 4,
        kv_heads: 2,
        feed_forward: 1100,
        layers: 2,
        ..shape(true)
    };
    let learner = Learner::untrained(&shape, 4, &DeviceSpec { precision, ..device(2) }).unwrap();
    let mut answerers = vec![Answerer::Backbone];
    let mut folders = Vec::new();
    for (number, rank) in ranks.iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = adapter(&ALL, 2, 0.0);
        spec.rank = *rank;
        shaken(folder.path(), &learner, &spec, number as u64);
        answerers.push(Answerer::Expert(learner.mount(folder.path()).unwrap()));
        folders.push(folder);
    }
    Scene { learner, answerers, _folders: folders }
}

/// Prompts of 1 to 90 tokens.
fn prompts(count: usize) -> Vec<Vec<u32>> {
    let length = |at: usize| [1, 2, 3, 5, 17, 40, 90][at * 5 % 7];
    (0..count).map(|at| (0..length(at)).map(|i| ((i * 37 + at * 101) % 1500) as u32).collect()).collect()
}

fn rows(scene: &Scene, who: impl Fn(usize) -> usize, count: usize) -> Vec<Row> {
    let with = |(at, ids): (usize, Vec<u32>)| Row { ids, answerer: scene.answerers[who(at)].clone() };
    prompts(count).into_iter().enumerate().map(with).collect()
}

/// Every kind of result for each row, as bits.
fn found(scene: &Scene, rows: &[Row], batch: usize) -> Vec<Vec<u32>> {
    let learner = &scene.learner;
    let claims = learner.next_token_probabilities(rows, &[1500, 1501, 7], batch, &mut |_| Flow::Go).unwrap();
    let scored: Vec<ScoredRow> = rows
        .iter()
        .map(|row| {
            let ids = row.ids.iter().copied().chain([3, 4, 5]).collect();
            ScoredRow { row: Row { ids, answerer: row.answerer.clone() }, from: row.ids.len() }
        })
        .collect();
    let losses = learner.mean_negative_log_likelihoods(&scored, batch, &mut |_| Flow::Go).unwrap();
    let ids: Vec<Vec<u32>> = rows.iter().map(|row| row.ids.clone()).collect();
    let embeddings = learner.embed(&ids, batch, &mut |_| Flow::Go).unwrap();
    let decoding =
        Decoding { max_new_tokens: 4, stop: vec![], strategy: Strategy::Greedy, seeds: vec![], batch };
    let answers = learner.generate(rows, &decoding, &mut |_| Flow::Go).unwrap();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
    let all = claims.into_iter().zip(losses).zip(embeddings).zip(answers);
    all.map(|(((claim, loss), embedding), answer)| {
        let numbers = claim.into_iter().chain([loss, answer.mean_log_probability]).chain(embedding);
        answer.ids.iter().copied().chain(bits(numbers.collect())).collect()
    })
    .collect()
}

fn differing(one: &[Vec<u32>], other: &[Vec<u32>]) -> Vec<usize> {
    (0..one.len()).filter(|&row| one[row] != other[row]).collect()
}

fn the_same_in_every_batch(precision: Precision) {
    let scene = scene(precision, &[3, 1, 16]);
    for who in 0..scene.answerers.len() {
        let rows = rows(&scene, |_| who, 64);
        let alone = found(&scene, &rows, 1);
        for batch in [2, 7, 32, 64] {
            let together = found(&scene, &rows, batch);
            assert_eq!(differing(&alone, &together), [0; 0], "answerer {who} in batches of {batch}");
        }
    }
}

#[test]
fn batches_of_any_size_find_the_same_in_f32() {
    the_same_in_every_batch(Precision::F32);
}

#[test]
fn batches_of_any_size_find_the_same_in_bf16() {
    the_same_in_every_batch(Precision::Bf16);
}

#[test]
fn neighbours_of_other_experts_change_nothing() {
    // The last two have a larger sum of ranks than a matmul adds up without splitting.
    for ranks in [[2, 1, 16], [3, 300, 300]] {
        let scene = scene(Precision::F32, &ranks);
        let mixed = rows(&scene, |at| at % 4, 48);
        let alone = found(&scene, &mixed, 1);
        for batch in [5, 48] {
            assert_eq!(differing(&alone, &found(&scene, &mixed, batch)), [0; 0], "{ranks:?} in {batch}");
        }
        // Beside other rows than before.
        let shifted: Vec<Row> = mixed.iter().skip(7).cloned().collect();
        assert_eq!(differing(&alone[7..], &found(&scene, &shifted, 48)), [0; 0], "{ranks:?} shifted");
    }
}
