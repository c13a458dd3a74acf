//! Attention of one sequence on slices: forward, backward, and new tokens against cached ones. The result for a query
//! must not depend on anything after its position.

use super::attention::HeadShape;
use super::gemm::{View, new_product, product};
use super::simd::{exp, flush_small, max, sum_map, sum2, vectorised};

/// Queries per block: large enough for an efficient matmul, small enough that little is computed above the diagonal and
/// thrown away.
const BLOCK: usize = 64;

/// Self-attention of one sequence. `out` and `q` are `[tokens, heads · width]`, `k` and `v` are `[tokens, kv_heads ·
/// width]`. Writes the log-sum-exp of each query and head to `log_sums`, `[tokens, heads]`.
pub(crate) fn forward_segment(
    out: &mut [f32],
    log_sums: &mut [f32],
    q: &[f32],
    k: &[f32],
    v: &[f32],
    shape: HeadShape,
) {
    let (wide, narrow) = (shape.query_width(), shape.key_width());
    let tokens = q.len() / wide;
    let mut sums = vec![0.0; BLOCK];
    for head in 0..shape.heads {
        let (at, kv_at) = offsets(head, shape);
        for first in (0..tokens).step_by(BLOCK) {
            let block = BLOCK.min(tokens - first);
            // Keys are numbered from the first one that the block attends to.
            let begin = shape.first_seen(first);
            let (keys, before, kv_at) = (first + block - begin, first - begin, begin * narrow + kv_at);
            let mut scores = scores(&q[first * wide + at..], &k[kv_at..], block, keys, shape);
            softmax_rows(&mut scores, &mut sums[..block], keys, before, shape);
            for (row, sum) in sums[..block].iter().enumerate() {
                log_sums[(first + row) * shape.heads + head] = *sum;
            }
            let values = View::strided(&v[kv_at..], keys, shape.width, narrow);
            product(
                &mut out[first * wide + at..],
                wide,
                View::dense(&scores, block, keys),
                values,
                1.0,
                false,
            );
        }
    }
}

/// Gradients of [`forward_segment`]. `gradients` is `[dq, dk, dv]`, all zero on entry; `inputs` is `[q, k, v, out,
/// gradient of out]`.
pub(crate) fn backward_segment(
    gradients: [&mut [f32]; 3],
    inputs: [&[f32]; 5],
    log_sums: &[f32],
    shape: HeadShape,
) {
    let [dq, dk, dv] = gradients;
    let [q, k, v, out, d_out] = inputs;
    let (wide, narrow, width) = (shape.query_width(), shape.key_width(), shape.width);
    let tokens = q.len() / wide;
    let mut sums = vec![0.0; BLOCK];
    let mut deltas = vec![0.0; BLOCK];
    for head in 0..shape.heads {
        let (at, kv_at) = offsets(head, shape);
        for first in (0..tokens).step_by(BLOCK) {
            let block = BLOCK.min(tokens - first);
            let begin = shape.first_seen(first);
            let (keys, before, kv_at) = (first + block - begin, first - begin, begin * narrow + kv_at);
            let here = first * wide + at;
            for row in 0..block {
                sums[row] = log_sums[(first + row) * shape.heads + head];
                let range = here + row * wide..here + row * wide + width;
                deltas[row] = dot(&out[range.clone()], &d_out[range]);
            }
            let mut p = scores(&q[here..], &k[kv_at..], block, keys, shape);
            probabilities(&mut p, &sums[..block], keys, before, shape);
            let d_block = View::strided(&d_out[here..], block, width, wide);
            product(&mut dv[kv_at..], narrow, View::dense(&p, block, keys).transposed(), d_block, 1.0, true);
            let mut ds =
                new_product(d_block, View::strided(&v[kv_at..], keys, width, narrow).transposed(), 1.0);
            score_gradient(&mut ds, &p, &deltas[..block], keys, before, shape);
            let ds = View::dense(&ds, block, keys);
            let factor = shape.scale;
            product(
                &mut dq[here..],
                wide,
                ds,
                View::strided(&k[kv_at..], keys, width, narrow),
                factor,
                false,
            );
            let queries = View::strided(&q[here..], block, width, wide);
            product(&mut dk[kv_at..], narrow, ds.transposed(), queries, factor, true);
        }
    }
}

/// Attention of `q` `[tokens, heads · width]`, the last tokens of a sequence, to the whole sequence: `k` and `v` are
/// `[all tokens, kv_heads · width]`.
pub(crate) fn attend_cached(out: &mut [f32], q: &[f32], k: &[f32], v: &[f32], shape: HeadShape) {
    let (wide, narrow, width) = (shape.query_width(), shape.key_width(), shape.width);
    let (tokens, all) = (q.len() / wide, k.len() / narrow);
    if tokens == all && tokens > 1 {
        let mut sums = vec![0.0; tokens * shape.heads];
        forward_segment(out, &mut sums, q, k, v, shape);
        return;
    }
    let mut scores = vec![0.0; all];
    for (token, (out, q)) in out.chunks_exact_mut(wide).zip(q.chunks_exact(wide)).enumerate() {
        let position = all - tokens + token;
        let begin = shape.first_seen(position);
        let seen = position + 1 - begin;
        for head in 0..shape.heads {
            let (at, kv_at) = offsets(head, shape);
            let kv_at = begin * narrow + kv_at;
            attend_one(
                &mut out[at..at + width],
                &mut scores[..seen],
                &q[at..at + width],
                &k[kv_at..],
                &v[kv_at..],
                narrow,
                shape.scale,
            );
        }
    }
}

/// Offsets of a query head and of its key head in their rows.
fn offsets(head: usize, shape: HeadShape) -> (usize, usize) {
    let group = shape.heads / shape.kv_heads;
    (head * shape.width, head / group * shape.width)
}

/// Scaled scores of `block` queries against the first `keys` keys: `[block, keys]`.
fn scores(q: &[f32], k: &[f32], block: usize, keys: usize, shape: HeadShape) -> Vec<f32> {
    let queries = View::strided(q, block, shape.width, shape.query_width());
    let keys = View::strided(k, keys, shape.width, shape.key_width());
    new_product(queries, keys.transposed(), shape.scale)
}

/// Splits a row of scores into keys before the query's window, keys the query attends to, and keys after it. `before`
/// is the number of keys before the first query of the block.
#[inline(always)]
fn parts(row: &mut [f32], at: usize, before: usize, shape: HeadShape) -> [&mut [f32]; 3] {
    let (past, later) = row.split_at_mut(before + at + 1);
    let (early, seen) = past.split_at_mut(shape.first_seen(before + at));
    [early, seen, later]
}

vectorised! {
    /// Replaces row r of `scores` with the softmax over the keys its query attends to, and zeros elsewhere.
    fn softmax_rows(scores: &mut [f32], log_sums: &mut [f32], keys: usize, before: usize, shape: HeadShape) {
        for (row, (scores, log_sum)) in scores.chunks_exact_mut(keys).zip(log_sums).enumerate() {
            let [early, seen, later] = parts(scores, row, before, shape);
            let largest = max(seen);
            let sum = sum_map(seen, |score| exp(score - largest));
            let share = 1.0 / sum;
            for value in seen {
                *value = flush_small(*value * share);
            }
            early.fill(0.0);
            later.fill(0.0);
            *log_sum = largest + sum.ln();
        }
    }
}

vectorised! {
    /// Turns scores into probabilities, given the log-sum-exp of each row.
    fn probabilities(scores: &mut [f32], log_sums: &[f32], keys: usize, before: usize, shape: HeadShape) {
        for (row, (scores, log_sum)) in scores.chunks_exact_mut(keys).zip(log_sums).enumerate() {
            let [early, seen, later] = parts(scores, row, before, shape);
            for value in seen {
                *value = flush_small(exp(*value - log_sum));
            }
            early.fill(0.0);
            later.fill(0.0);
        }
    }
}

vectorised! {
    /// Turns gradients of probabilities into gradients of scores: `p · (dp - Σ p dp)`.
    fn score_gradient(d: &mut [f32], p: &[f32], deltas: &[f32], keys: usize, before: usize, shape: HeadShape) {
        let rows = d.chunks_exact_mut(keys).zip(p.chunks_exact(keys)).zip(deltas).enumerate();
        for (row, ((d, p), delta)) in rows {
            let [early, seen, later] = parts(d, row, before, shape);
            for (d, p) in seen.iter_mut().zip(&p[early.len()..]) {
                *d = p * (*d - delta);
            }
            early.fill(0.0);
            later.fill(0.0);
        }
    }
}

vectorised! {
    fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum2(a, b, |a, b| a * b)
    }
}

vectorised! {
    /// Attention of one head of one query to the keys and values of the tokens it sees, which are `step` apart.
    fn attend_one(out: &mut [f32], scores: &mut [f32], q: &[f32], k: &[f32], v: &[f32], step: usize, scale: f32) {
        let width = q.len();
        for (token, score) in scores.iter_mut().enumerate() {
            *score = sum2(q, &k[token * step..][..width], |a, b| a * b) * scale;
        }
        let largest = max(scores);
        let sum = sum_map(scores, |score| flush_small(exp(score - largest)));
        out.fill(0.0);
        for (token, weight) in scores.iter().enumerate() {
            for (out, value) in out.iter_mut().zip(&v[token * step..][..width]) {
                *out += weight * value;
            }
        }
        for out in out {
            *out /= sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_confident_queries_are_never_subnormal() {
        let keys = 64;
        let scores: Vec<f32> = (0..keys).map(|key| -2.0 * key as f32).collect();
        let shape = HeadShape::new(1, 1, 8);
        let (mut shares, mut log_sums) = (scores.clone(), [0.0]);
        softmax_rows(&mut shares, &mut log_sums, keys, keys - 1, shape);
        let mut again = scores;
        probabilities(&mut again, &log_sums, keys, keys - 1, shape);
        for shares in [shares, again] {
            assert!(shares.iter().all(|share| *share == 0.0 || *share > 1e-35), "{shares:?}");
            assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!(shares[38] > 0.0 && shares[40] == 0.0, "only what is lost in rounding goes");
        }
    }
}
