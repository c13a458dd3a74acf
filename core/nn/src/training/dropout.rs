//! Dropout on the input of updates (Srivastava et al. 2014, as in PEFT). Which elements are dropped must depend only on
//! seed, step, projection, token and column, never on micro-batches or threads.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::kernel::simd::vectorised;
use crate::weights::upload;

/// Dropout of one forward pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    /// Seed of the step.
    pub(crate) seed: u64,
    /// Fraction of elements to drop, in [0, 1).
    pub(crate) share: f64,
    /// Index of the pass's first token within the batch.
    pub(crate) first_token: usize,
}

impl Dropout {
    /// Drops elements of the input `x` of a projection and scales up the others. Row i of `x` is the token `needed[i]`
    /// of the pass, or token i without `needed`.
    pub(crate) fn apply(&self, x: Tensor<2>, site: usize, needed: Option<&Arc<Vec<usize>>>) -> Tensor<2> {
        let [rows, columns] = x.dims();
        let mut factors = vec![0.0; rows * columns];
        let keep = (1.0 / (1.0 - self.share)) as f32;
        let limit = (self.share * 4_294_967_296.0) as u32;
        for (row, factors) in factors.chunks_exact_mut(columns).enumerate() {
            let token = self.first_token + needed.map_or(row, |needed| needed[row]);
            fill(factors, mixed(self.seed, site as u64, token as u64), limit, keep);
        }
        let factors = upload(factors, [rows, columns], &x.device().inner()).cast(x.dtype());
        x * factors
    }
}

vectorised! {
    fn fill(factors: &mut [f32], key: u32, limit: u32, keep: f32) {
        for (column, factor) in factors.iter_mut().enumerate() {
            *factor = if hash(key ^ (column as u32).wrapping_mul(0x9E37_79B9)) < limit { 0.0 } else { keep };
        }
    }
}

/// A 32-bit mixing function (Wellons 2018, "lowbias32").
#[inline(always)]
fn hash(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Mixes three numbers into a key with the finaliser of SplitMix64 (Steele et al. 2014).
fn mixed(seed: u64, site: u64, token: u64) -> u32 {
    let mut x = seed;
    for part in [site, token] {
        x = (x ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
    }
    (x >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn drop(first_token: usize, rows: usize, needed: Option<Vec<usize>>) -> Vec<f32> {
        let ones = upload(vec![1.0; rows * 64], [rows, 64], &Device::flex());
        let dropout = Dropout { seed: 5, share: 0.25, first_token };
        dropout.apply(ones, 3, needed.map(Arc::new).as_ref()).into_data().try_into_vec::<f32>().unwrap()
    }

    #[test]
    fn the_share_is_dropped_and_the_mean_stays() {
        let values = drop(0, 400, None);
        let dropped = values.iter().filter(|value| **value == 0.0).count() as f64 / values.len() as f64;
        assert!((dropped - 0.25).abs() < 0.01, "{dropped}");
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!((mean - 1.0).abs() < 0.015, "{mean}");
    }

    #[test]
    fn a_token_drops_the_same_wherever_it_is_computed() {
        let whole = drop(0, 10, None);
        assert_eq!(&whole[4 * 64..], drop(4, 6, None));
        assert_eq!(&whole[7 * 64..8 * 64], drop(0, 1, Some(vec![7])));
    }
}
