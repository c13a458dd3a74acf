//! Frozen bfloat16 matrices on burn-flex. Computation is in f32: one block of the matrix at a time is widened into a
//! scratch buffer and multiplied from there, so the whole matrix never exists in f32. Each element of a product must be
//! the same sum in the same order as with the whole matrix in f32, to the last bit. There is no gradient, because only
//! f32 weights are trained.

use burn::backend::tensor::FloatTensor;
use burn::backend::{DispatchDevice, Flex};
use burn::tensor::{DType, Tensor};
use half::bf16;
use rayon::prelude::*;

use super::gemm::{View, product};
use super::simd::vectorised;

/// Elements per block, where the minimum sizes below allow it: few enough to stay in the cache with the other operands.
const BLOCK: usize = 1 << 17;

/// Minimum rows and columns of a block, if the matrix has as many. For matrices below 257 rows or 65 columns, the
/// matmul uses other kernels, which add up in another order: a block must not use one that the whole matrix would not
/// use.
const MIN_ROWS: usize = 320;
const MIN_COLUMNS: usize = 72;

/// Elements per parallel job.
const JOB: usize = 1 << 14;

/// A row-major bfloat16 matrix.
#[derive(Clone, Debug)]
pub(crate) struct HalfPanel {
    tensor: FloatTensor<Flex>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl HalfPanel {
    /// The panel of a bfloat16 tensor on burn-flex; `None` for any other tensor.
    pub(crate) fn of(tensor: &Tensor<2>) -> Option<Self> {
        let flex = matches!(tensor.device().inner().as_dispatch(), DispatchDevice::Flex(_));
        if tensor.dtype() != DType::BF16 || !flex {
            return None;
        }
        assert!(!tensor.is_tracked(), "a matrix in bfloat16 is frozen here");
        let [rows, columns] = tensor.dims();
        match tensor.clone().inner().try_into_primitive::<Flex>() {
            Ok(primitive) => Some(Self { tensor: primitive.to_contiguous(), rows, columns }),
            Err(_) => unreachable!("the device was burn-flex"),
        }
    }

    fn data(&self) -> &[bf16] {
        // The tensor was made contiguous when the panel was created.
        &self.tensor.storage::<bf16>()[..self.rows * self.columns]
    }

    /// Appends row `row`, widened to f32, to `out`.
    pub(crate) fn push_row(&self, row: usize, out: &mut Vec<f32>) {
        let begin = out.len();
        out.resize(begin + self.columns, 0.0);
        widen(&mut out[begin..], &self.data()[row * self.columns..][..self.columns]);
    }

    /// `x` `[n, columns]` times the transpose of the matrix, as a new `[n, rows]` matrix.
    pub(crate) fn times_transposed(&self, x: View<'_>) -> Vec<f32> {
        let (rows, columns) = (self.rows, self.columns);
        let mut out = vec![0.0; x.rows * rows];
        let mut scratch = Vec::new();
        for (first, count) in blocks(rows, MIN_ROWS, BLOCK / columns.max(1)) {
            scratch.resize(count * columns, 0.0);
            let from = &self.data()[first * columns..][..count * columns];
            scratch.par_chunks_mut(JOB).zip(from.par_chunks(JOB)).for_each(|(wide, half)| widen(wide, half));
            let block = View::dense(&scratch, count, columns);
            if x.rows > 0 {
                product(&mut out[first..], rows, x, block.transposed(), 1.0, false);
            }
        }
        out
    }

    /// Writes `x` `[n, rows]` times the matrix, `[n, columns]`, to `out`.
    pub(crate) fn times(&self, out: &mut [f32], x: View<'_>) {
        let (rows, columns) = (self.rows, self.columns);
        let mut scratch = Vec::new();
        for (first, count) in blocks(columns, MIN_COLUMNS, BLOCK / rows.max(1)) {
            scratch.resize(rows * count, 0.0);
            let job = (JOB / count.max(1)).max(1);
            scratch
                .par_chunks_mut(job * count.max(1))
                .zip(self.data().par_chunks(job * columns.max(1)))
                .for_each(|(wide, half)| {
                    for (wide, half) in wide.chunks_exact_mut(count).zip(half.chunks_exact(columns)) {
                        widen(wide, &half[first..first + count]);
                    }
                });
            if x.rows > 0 {
                product(&mut out[first..], columns, x, View::dense(&scratch, rows, count), 1.0, false);
            }
        }
    }
}

/// Splits `whole` into parts of about equal size, each about `wanted` but at least `least`: (first, count).
fn blocks(whole: usize, least: usize, wanted: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = (whole / wanted.max(least)).max(1);
    let begin = move |part: usize| part * whole / parts;
    (0..parts).map(move |part| (begin(part), begin(part + 1) - begin(part)))
}

vectorised! {
    /// Widens bfloat16 to f32: a bfloat16 is the upper half of the f32 of the same value.
    fn widen(wide: &mut [f32], half: &[bf16]) {
        for (wide, half) in wide.iter_mut().zip(half) {
            *wide = f32::from_bits(u32::from(half.to_bits()) << 16);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::tensor::{Device, TensorData};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::kernel::{cross_entropy, gather, linear};

    fn bits(tensor: Tensor<2>) -> Vec<u32> {
        let values = tensor.inner().into_data().try_into_vec::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    }

    fn random(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Vec<bf16> {
        (0..rows * columns).map(|_| bf16::from_f32(rng.random_range(-1.5f32..1.5))).collect()
    }

    /// The same values in bfloat16 and in f32.
    fn matrices(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> [Tensor<2>; 2] {
        let values = random(rows, columns, rng);
        let wide: Vec<f32> = values.iter().map(|value| value.to_f32()).collect();
        let device = Device::flex();
        let half = TensorData::new(values, [rows, columns]);
        [
            Tensor::from_data(half, (&device, DType::BF16)),
            Tensor::from_data(TensorData::new(wide, [rows, columns]), &device),
        ]
    }

    fn leaf(rows: usize, columns: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
        let values: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-1.5f32..1.5)).collect();
        Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
            .autodiff()
            .require_grad()
    }

    #[test]
    fn blocks_cover_everything_once() {
        for whole in [0, 1, 319, 320, 640, 1000, 49152] {
            for wanted in [1, 100, 700, 1 << 20] {
                let parts: Vec<(usize, usize)> = blocks(whole, 320, wanted).collect();
                let mut at = 0;
                for (first, count) in &parts {
                    assert_eq!(*first, at);
                    assert!(parts.len() == 1 || *count >= 320.max(wanted), "{whole} {wanted} {parts:?}");
                    at += count;
                }
                assert_eq!(at, whole);
            }
        }
        assert_eq!(blocks(1000, 320, 1).count(), 3);
    }

    #[test]
    fn products_are_those_of_the_same_values_in_f32_to_the_last_bit() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // Several blocks of rows, of columns, and of both, and a single block.
        for (out, into) in [(2100, 100), (100, 1900), (2000, 600), (700, 900), (60, 48), (300, 65), (257, 3)]
        {
            let [half, wide] = matrices(out, into, &mut rng);
            for tokens in [1, 2, 3, 17, 64, 65, 200] {
                let x = leaf(tokens, into, &mut rng);
                let upstream = leaf(tokens, out, &mut rng).inner();
                let run = |weight: &Tensor<2>| {
                    let y = linear(x.clone(), weight.clone());
                    let mut found = (y.clone() * upstream.clone()).sum().backward();
                    [bits(y), bits(x.grad_remove(&mut found).unwrap())]
                };
                let work = || assert!(run(&half) == run(&wide), "[{tokens}, {into}] by [{out}, {into}]");
                work();
                rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap().install(work);
            }
        }
    }

    #[test]
    fn rows_and_losses_are_those_of_the_same_values_in_f32_to_the_last_bit() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let (vocabulary, width, tokens) = (2500, 200, 90);
        let [half, wide] = matrices(vocabulary, width, &mut rng);
        let indices = Arc::new(vec![3, 0, 2499, usize::MAX, 3]);
        let rows = gather(half.clone(), &indices);
        assert_eq!(rows.dtype(), DType::F32);
        assert_eq!(bits(rows), bits(gather(wide.clone(), &indices)));

        let targets = Arc::new((0..tokens as u32).map(|at| at * 27).collect::<Vec<u32>>());
        let weights = Arc::new((0..tokens).map(|_| rng.random_range(0.0..1.0)).collect::<Vec<f32>>());
        let hidden = leaf(tokens, width, &mut rng);
        for added in [Some(leaf(3, width, &mut rng)), None] {
            let run = |head: &Tensor<2>| {
                let loss = cross_entropy(hidden.clone(), head.clone(), added.clone(), &targets, &weights);
                let mut found = loss.clone().backward();
                let mut all = vec![bits(loss), bits(hidden.grad_remove(&mut found).unwrap())];
                all.extend(added.iter().map(|added| bits(added.grad_remove(&mut found).unwrap())));
                all
            };
            assert!(run(&half) == run(&wide));
        }
    }
}
