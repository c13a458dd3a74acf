//! Attention composed of burn's own operations on padded sequences, for backends without a fused kernel. The contents
//! of the padding, NaN included, must not affect the result.

use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Int, Tensor, TensorData};

use super::attention::{HeadShape, Segment};

/// Unpacks sequences `[tokens, width]` to `[segments, longest, width]`, padding each with zeros.
pub(crate) fn pad(x: Tensor<2>, segments: &[Segment], longest: usize) -> Tensor<3> {
    let [tokens, width] = x.dims();
    let device = x.device().inner();
    let empty = Tensor::<2>::zeros([1, width], &device).cast(x.dtype());
    let places: Vec<i64> = segments
        .iter()
        .flat_map(|segment| {
            (0..longest)
                .map(move |at| if at < segment.length { (segment.start + at) as i64 } else { tokens as i64 })
        })
        .collect();
    let count = places.len();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device);
    Tensor::cat(vec![x, empty], 0).select(0, places).reshape([segments.len(), longest, width])
}

/// The reverse of [`pad`].
pub(crate) fn pack(x: Tensor<3>, segments: &[Segment]) -> Tensor<2> {
    let [rows, longest, width] = x.dims();
    let device = x.device().inner();
    let places: Vec<i64> = segments
        .iter()
        .enumerate()
        .flat_map(|(row, segment)| (0..segment.length).map(move |at| (row * longest + at) as i64))
        .collect();
    let count = places.len();
    x.reshape([rows * longest, width])
        .select(0, Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device))
}

/// Attention of `q` `[rows, queries, heads · width]` to `k` and `v` `[rows, keys, kv_heads · width]`. Query i of row r
/// has position `cached[r] + i`; it attends to the keys of its window up to its position and below `known[r]`.
pub(crate) fn attention_padded(
    q: Tensor<3>,
    k: Tensor<3>,
    v: Tensor<3>,
    shape: HeadShape,
    cached: &[usize],
    known: &[usize],
) -> Tensor<3> {
    let HeadShape { heads, kv_heads, width, scale, .. } = shape;
    let [rows, queries, _] = q.dims();
    let keys = k.dims()[1];
    let device = q.device().inner();
    let dtype = q.dtype();

    let absent: Vec<bool> = known.iter().flat_map(|&known| (0..keys).map(move |key| key >= known)).collect();
    let absent = Tensor::<3, Bool>::from_data(TensorData::new(absent, [rows, keys, 1]), &device);
    let absent = absent.expand([rows, keys, kv_heads * width]);
    let [k, v] = [k, v].map(|x| {
        // 0 · NaN is NaN, so keys and values in the padding must be replaced, not only masked.
        let x = x.mask_fill(absent.clone(), 0.0).reshape([rows, keys, kv_heads, width]).swap_dims(1, 2);
        let group = heads / kv_heads;
        x.reshape([rows, kv_heads, 1, keys * width]).repeat_dim(2, group).reshape([rows, heads, keys, width])
    });
    let q = q.reshape([rows, queries, heads, width]).swap_dims(1, 2);

    let unseen: Vec<bool> = cached
        .iter()
        .zip(known)
        .flat_map(|(&cached, &known)| {
            (0..queries).flat_map(move |query| {
                let position = cached + query;
                // A query in the padding attends to the first key, so that its softmax is finite.
                let seen = if position < known { shape.first_seen(position)..position + 1 } else { 0..1 };
                (0..keys).map(move |key| !seen.contains(&key))
            })
        })
        .collect();
    let unseen = Tensor::<4, Bool>::from_data(TensorData::new(unseen, [rows, 1, queries, keys]), &device);
    let scores = q.matmul(k.swap_dims(2, 3)).cast(burn::tensor::DType::F32) * scale;
    let scores = scores.mask_fill(unseen.expand([rows, heads, queries, keys]), f32::NEG_INFINITY);
    let shares = softmax(scores, 3).cast(dtype);
    shares.matmul(v).swap_dims(1, 2).reshape([rows, queries, heads * width])
}
