//! Initial rows of the tokens that an expert adds to the vocabulary.

use burn::tensor::Tensor;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::spec::AdapterSpec;
use crate::error::NnError;
use crate::weights;

/// Standard deviation of the noise on an added token's row, relative to that of the table it is added to.
const ADDED_NOISE: f32 = 0.1;

/// Maximum number of table elements downloaded from the device at once.
const ROWS_ELEMENTS: usize = 1 << 20;

/// Initial rows of the added tokens: the mean of the rows that the spec names, or of all rows plus noise.
pub(super) fn added_rows(
    table: &Tensor<2>,
    spec: &AdapterSpec,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<f32>, NnError> {
    let [rows, width] = table.dims();
    if !spec.added_start.is_empty() {
        return named_rows(table, &spec.added_start);
    }
    let mut mean = vec![0.0f64; width];
    each_row(table, &mut |row| {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += f64::from(*value) / rows as f64;
        }
    })?;
    let mut spread = 0.0;
    each_row(table, &mut |row| {
        for (value, mean) in row.iter().zip(&mean) {
            spread += (f64::from(*value) - mean).powi(2);
        }
    })?;
    let deviation = (spread / (rows * width) as f64).sqrt() as f32;
    let mut added = Vec::with_capacity(spec.added_tokens * width);
    for _ in 0..spec.added_tokens {
        added.extend(mean.iter().map(|mean| *mean as f32 + ADDED_NOISE * deviation * normal(rng)));
    }
    Ok(added)
}

/// The mean row of each list of ids.
fn named_rows(table: &Tensor<2>, starts: &[Vec<u32>]) -> Result<Vec<f32>, NnError> {
    let [rows, width] = table.dims();
    let mut added = Vec::with_capacity(starts.len() * width);
    for (row, ids) in starts.iter().enumerate() {
        let mut mean = vec![0.0f64; width];
        for &id in ids {
            if id as usize >= rows {
                return Err(NnError::TokenId { row, id, known: rows });
            }
            let values = weights::download(table.clone().narrow(0, id as usize, 1))?;
            for (mean, value) in mean.iter_mut().zip(values) {
                *mean += f64::from(value) / ids.len() as f64;
            }
        }
        added.extend(mean.into_iter().map(|mean| mean as f32));
    }
    Ok(added)
}

/// Calls `take` with each row of a table, in order. Downloads only a few rows from the device at a time.
fn each_row(table: &Tensor<2>, take: &mut dyn FnMut(&[f32])) -> Result<(), NnError> {
    let [rows, width] = table.dims();
    let max_rows = (ROWS_ELEMENTS / width.max(1)).max(1);
    for first in (0..rows).step_by(max_rows) {
        let block = weights::download(table.clone().narrow(0, first, max_rows.min(rows - first)))?;
        block.chunks_exact(width).for_each(&mut *take);
    }
    Ok(())
}

/// A draw from the standard normal distribution (Box and Muller 1958).
pub(crate) fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}
