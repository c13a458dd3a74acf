//! Causal attention over sequences that lie end to end, grouped queries included (Ainslie et al.
//! 2023). Probabilities are not kept for the backward but computed again from the log-sum of each
//! query (Dao et al. 2022), so that memory grows with the tokens, not with their square.

use std::sync::Arc;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::attention_composed::{attention_padded, pack, pad};
use super::attention_rows::{backward_segment, forward_segment};
use super::fused::{self, FusedOp, Panel};

/// A sequence among the tokens of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Index of its first token.
    pub(crate) start: usize,
    /// Number of its tokens, at least 1.
    pub(crate) length: usize,
}

/// Heads of an attention block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadShape {
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads.
    pub(crate) kv_heads: usize,
    /// Width of a head.
    pub(crate) width: usize,
    /// Factor of the scores.
    pub(crate) scale: f32,
    /// Tokens a query sees, its own included; none: all before it.
    pub(crate) window: Option<usize>,
}

impl HeadShape {
    /// Heads with the usual factor `1 / sqrt(width)` and no window.
    pub(crate) fn new(heads: usize, kv_heads: usize, width: usize) -> Self {
        Self { heads, kv_heads, width, scale: 1.0 / (width as f32).sqrt(), window: None }
    }

    /// The first token that the one at `position` sees.
    pub(crate) fn first_seen(self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }

    /// Width of a row of queries.
    pub(crate) fn query_width(self) -> usize {
        self.heads * self.width
    }

    /// Width of a row of keys.
    pub(crate) fn key_width(self) -> usize {
        self.kv_heads * self.width
    }
}

/// Attention of each token on itself and those before it in its segment. `q` is
/// [tokens, heads · width], `k` and `v` are [tokens, kv heads · width]; segments cover the tokens
/// in order.
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

/// Inputs, value and the log-sum of each head and query.
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

/// Divides a matrix into the rows of its segments.
fn split<'a>(mut data: &'a mut [f32], segments: &[Segment], width: usize) -> Vec<&'a mut [f32]> {
    let mut parts = Vec::with_capacity(segments.len());
    for segment in segments {
        let (part, rest) = data.split_at_mut(segment.length * width);
        parts.push(part);
        data = rest;
    }
    parts
}
