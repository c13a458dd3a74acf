//! Causal attention over packed sequences, including grouped queries (Ainslie et al. 2023). Probabilities are not saved
//! for the backward pass but recomputed from each query's log-sum-exp (Dao et al. 2022), so memory grows linearly with
//! the tokens, not quadratically.

use std::sync::Arc;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::attention_composed::{attention_padded, pack, pad};
use super::attention_rows::{backward_segment, forward_segment};
use super::fused::{self, FusedOp, Panel};

/// A sequence within the tokens of a packed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Index of its first token.
    pub(crate) start: usize,
    /// Number of its tokens, at least 1.
    pub(crate) length: usize,
}

/// The head layout of an attention block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadShape {
    /// Number of query heads.
    pub(crate) heads: usize,
    /// Number of key and value heads; divides `heads`.
    pub(crate) kv_heads: usize,
    /// Width of a head.
    pub(crate) width: usize,
    /// Scale of the scores.
    pub(crate) scale: f32,
    /// Number of tokens a query attends to, itself included; `None` means all preceding tokens.
    pub(crate) window: Option<usize>,
}

impl HeadShape {
    /// Heads with the usual scale `1 / sqrt(width)` and no window.
    pub(crate) fn new(heads: usize, kv_heads: usize, width: usize) -> Self {
        Self { heads, kv_heads, width, scale: 1.0 / (width as f32).sqrt(), window: None }
    }

    /// Index of the first token that the token at `position` attends to.
    pub(crate) fn first_seen(self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }

    /// Width of a row of queries: `heads · width`.
    pub(crate) fn query_width(self) -> usize {
        self.heads * self.width
    }

    /// Width of a row of keys: `kv_heads · width`.
    pub(crate) fn key_width(self) -> usize {
        self.kv_heads * self.width
    }
}

/// Attention of each token to itself and to the tokens before it in its segment. `q` is `[tokens, heads · width]`, `k`
/// and `v` are `[tokens, kv_heads · width]`. Segments cover the tokens in order.
pub(crate) fn attention(
    q: Tensor<2>,
    k: Tensor<2>,
    v: Tensor<2>,
    shape: HeadShape,
    segments: &Arc<Vec<Segment>>,
) -> Tensor<2> {
    if fused::takes(&q) {
        return fused::apply(Attention { shape, segments: Arc::clone(segments) }, [q, k, v]);
    }
    let lengths: Vec<usize> = segments.iter().map(|segment| segment.length).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let [q, k, v] = [q, k, v].map(|x| pad(x, segments, longest));
    let out = attention_padded(q, k, v, shape, &vec![0; lengths.len()], &lengths);
    pack(out, segments)
}

#[derive(Clone, Debug)]
struct Attention {
    shape: HeadShape,
    segments: Arc<Vec<Segment>>,
}

/// Inputs, output, and the log-sum-exp of each query and head.
#[derive(Clone, Debug)]
struct Saved {
    q: Panel,
    k: Panel,
    v: Panel,
    out: Panel,
    log_sums: Vec<f32>,
}

impl FusedOp<3> for Attention {
    type Saved = Option<Saved>;

    fn forward(&self, [q, k, v]: [Panel; 3], tracked: [bool; 3]) -> (Panel, Option<Saved>) {
        let shape = self.shape;
        let mut out = vec![0.0; q.rows * q.columns];
        let mut log_sums = vec![0.0; q.rows * shape.heads];
        let outs = split(&mut out, &self.segments, shape.query_width());
        let sums = split(&mut log_sums, &self.segments, shape.heads);
        (outs, sums, self.segments.as_slice()).into_par_iter().for_each(|(out, sums, segment)| {
            let q = rows(&q, segment);
            let (k, v) = (rows(&k, segment), rows(&v, segment));
            forward_segment(out, sums, q, k, v, shape);
        });
        let out = Panel::new(out, q.rows, q.columns);
        let saved = tracked.contains(&true).then(|| Saved { q, k, v, out: out.clone(), log_sums });
        (out, saved)
    }

    fn backward(&self, saved: Option<Saved>, gradient: Panel, tracked: [bool; 3]) -> [Option<Panel>; 3] {
        let Some(saved) = saved else { return [None, None, None] };
        let Saved { q, k, v, out, log_sums } = saved;
        let shape = self.shape;
        let mut dq = vec![0.0; q.rows * q.columns];
        let mut dk = vec![0.0; k.rows * k.columns];
        let mut dv = vec![0.0; v.rows * v.columns];
        let dqs = split(&mut dq, &self.segments, shape.query_width());
        let dks = split(&mut dk, &self.segments, shape.key_width());
        let dvs = split(&mut dv, &self.segments, shape.key_width());
        (dqs, dks, dvs, self.segments.as_slice()).into_par_iter().for_each(|(dq, dk, dv, segment)| {
            let sums = &log_sums[segment.start * shape.heads..][..segment.length * shape.heads];
            let inputs = [&q, &k, &v, &out, &gradient].map(|panel| rows(panel, segment));
            backward_segment([dq, dk, dv], inputs, sums, shape);
        });
        let [to_q, to_k, to_v] = tracked;
        [
            to_q.then(|| Panel::new(dq, q.rows, q.columns)),
            to_k.then(|| Panel::new(dk, k.rows, k.columns)),
            to_v.then(|| Panel::new(dv, v.rows, v.columns)),
        ]
    }
}

/// The rows of a segment.
fn rows<'a>(panel: &'a Panel, segment: &Segment) -> &'a [f32] {
    &panel.data()[segment.start * panel.columns..][..segment.length * panel.columns]
}

/// Splits a matrix into the rows of each segment.
fn split<'a>(mut data: &'a mut [f32], segments: &[Segment], width: usize) -> Vec<&'a mut [f32]> {
    let mut parts = Vec::with_capacity(segments.len());
    for segment in segments {
        let (part, rest) = data.split_at_mut(segment.length * width);
        parts.push(part);
        data = rest;
    }
    parts
}
