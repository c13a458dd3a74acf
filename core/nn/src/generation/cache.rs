//! The key-value cache. Rows are not padded on burn-flex, and finished rows are dropped.

use burn::tensor::{Bool, Tensor, TensorData};
use rayon::prelude::*;

use crate::kernel::{HeadShape, Segment, attend_cached, attention_padded, fused, pack, pad};

/// Number of tokens by which the capacity grows where the cache is one tensor.
const GROWTH: usize = 64;

/// The cache of a batch, with one entry per layer.
#[derive(Debug)]
pub(crate) struct KvCache {
    layers: Vec<CacheLayer>,
}

#[derive(Debug)]
enum CacheLayer {
    Empty,
    /// burn-flex: one growing list per row.
    Lists(Vec<RowCache>),
    /// Other backends: `[rows, capacity, width]` each, and the number of tokens in each row.
    Padded(Box<PaddedCache>),
}

#[derive(Debug)]
struct PaddedCache {
    k: Tensor<3>,
    v: Tensor<3>,
    lengths: Vec<usize>,
}

#[derive(Debug, Default)]
struct RowCache {
    k: Vec<f32>,
    v: Vec<f32>,
}

impl KvCache {
    /// An empty cache for a decoder with this many layers.
    pub(crate) fn new(layers: usize) -> Self {
        Self { layers: (0..layers).map(|_| CacheLayer::Empty).collect() }
    }

    /// Appends the keys and values of a pass and attends its queries to all tokens in the cache.
    pub(crate) fn attend(
        &mut self,
        layer: usize,
        q: Tensor<2>,
        k: Tensor<2>,
        v: Tensor<2>,
        shape: HeadShape,
        segments: &[Segment],
    ) -> Tensor<2> {
        let layer = &mut self.layers[layer];
        if matches!(layer, CacheLayer::Empty) {
            *layer = if fused::takes(&q) {
                CacheLayer::Lists(segments.iter().map(|_| RowCache::default()).collect())
            } else {
                let width = shape.key_width();
                let empty = || {
                    Tensor::<3>::zeros([segments.len(), GROWTH, width], &q.device().inner()).cast(q.dtype())
                };
                CacheLayer::Padded(Box::new(PaddedCache {
                    k: empty(),
                    v: empty(),
                    lengths: vec![0; segments.len()],
                }))
            };
        }
        match layer {
            CacheLayer::Lists(rows) => attend_lists(rows, q, k, v, shape, segments),
            CacheLayer::Padded(padded) => {
                let PaddedCache { k: all_k, v: all_v, lengths } = padded.as_mut();
                let cached = lengths.clone();
                for (length, segment) in lengths.iter_mut().zip(segments) {
                    *length += segment.length;
                }
                let longest = segments.iter().map(|segment| segment.length).max().unwrap_or(0);
                for (all, new) in [(&mut *all_k, k), (&mut *all_v, v)] {
                    append(all, pad(new, segments, longest), &cached, segments);
                }
                let q = pad(q, segments, longest);
                let out = attention_padded(q, all_k.clone(), all_v.clone(), shape, &cached, lengths);
                pack(out, segments)
            }
            CacheLayer::Empty => unreachable!("filled above"),
        }
    }

    /// Retains the given rows, in ascending order.
    pub(crate) fn retain_rows(&mut self, retained: &[usize]) {
        for layer in &mut self.layers {
            match layer {
                CacheLayer::Empty => {}
                CacheLayer::Lists(rows) => {
                    let mut number = 0;
                    rows.retain(|_| {
                        number += 1;
                        retained.binary_search(&(number - 1)).is_ok()
                    });
                }
                CacheLayer::Padded(padded) => {
                    let PaddedCache { k, v, lengths } = padded.as_mut();
                    let indices: Vec<i64> = retained.iter().map(|&row| row as i64).collect();
                    let indices = Tensor::from_data(TensorData::new(indices, [retained.len()]), &k.device());
                    *k = k.clone().select(0, indices.clone());
                    *v = v.clone().select(0, indices);
                    *lengths = retained.iter().map(|&row| lengths[row]).collect();
                }
            }
        }
    }
}

fn attend_lists(
    rows: &mut [RowCache],
    q: Tensor<2>,
    k: Tensor<2>,
    v: Tensor<2>,
    shape: HeadShape,
    segments: &[Segment],
) -> Tensor<2> {
    let (q, k, v) = (fused::panel(q), fused::panel(k), fused::panel(v));
    let (wide, narrow) = (shape.query_width(), shape.key_width());
    let outs: Vec<Vec<f32>> = rows
        .par_iter_mut()
        .zip(segments)
        .map(|(row, segment)| {
            let span = segment.start * narrow..(segment.start + segment.length) * narrow;
            row.k.extend_from_slice(&k.data()[span.clone()]);
            row.v.extend_from_slice(&v.data()[span]);
            let mut out = vec![0.0; segment.length * wide];
            let q = &q.data()[segment.start * wide..][..segment.length * wide];
            attend_cached(&mut out, q, &row.k, &row.v, shape);
            out
        })
        .collect();
    fused::tensor(fused::Panel::new(outs.concat(), q.rows, q.columns))
}

/// Appends the new tokens of each row to its cached ones.
fn append(all: &mut Tensor<3>, new: Tensor<3>, cached: &[usize], segments: &[Segment]) {
    let [rows, room, width] = all.dims();
    let device = all.device();
    let needed =
        cached.iter().zip(segments).map(|(cached, segment)| cached + segment.length).max().unwrap_or(0);
    let mut grown = all.clone();
    let mut room = room;
    if needed > room {
        let more = (needed - room).next_multiple_of(GROWTH);
        let empty = Tensor::<3>::zeros([rows, more, width], &device).cast(all.dtype());
        grown = Tensor::cat(vec![grown, empty], 1);
        room += more;
    }
    for offset in 0..new.dims()[1] {
        let indices = cached.iter().zip(segments);
        let here: Vec<bool> = indices
            .flat_map(|(cached, segment)| {
                (0..room).map(move |at| offset < segment.length && at == cached + offset)
            })
            .collect();
        let here = Tensor::<3, Bool>::from_data(TensorData::new(here, [rows, room, 1]), &device);
        let value = new.clone().narrow(1, offset, 1).expand([rows, room, width]);
        grown = grown.mask_where(here.expand([rows, room, width]), value);
    }
    *all = grown;
}
