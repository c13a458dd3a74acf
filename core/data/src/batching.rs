//! Plans which rows make up which training step: seeded, bucketed by length, resumable by step number. Works on lengths
//! only, not on tokens.

use cadre_store::Seed;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::DataError;

/// Number of steps whose rows are drawn together and sorted by length. More steps waste less padding; fewer keep a step
/// closer to a uniform random draw.
const BUCKET_STEPS: usize = 8;

/// Lengths within one interval of this many tokens count as equal, so that rows keep their random order inside a
/// bucket.
const BUCKET_TOKENS: usize = 16;

/// One optimizer step: the rows of each forward and backward pass, whose gradients are accumulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRows {
    /// At most `accumulate` batches of at most `batch` row indices each; none is empty.
    pub batches: Vec<Vec<usize>>,
}

impl StepRows {
    /// Total number of rows in the step.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(Vec::len).sum()
    }
}

/// The order in which rows are trained on.
///
/// Every epoch visits every row once, in its own order. A step has `batch × accumulate` rows; one step of each epoch,
/// at a random position, has the remaining rows. The rows of a step do not depend on how it is split into batches:
/// `batch = 32, accumulate = 1` and `batch = 8, accumulate = 4` train on the same rows in each step.
#[derive(Debug, Clone)]
pub struct Batches {
    lengths: Vec<usize>,
    batch: usize,
    accumulate: usize,
    seed: Seed,
}

impl Batches {
    /// A plan over rows with these lengths (in tokens).
    ///
    /// # Errors
    /// `batch` or `accumulate` is 0.
    pub fn new(lengths: Vec<usize>, batch: usize, accumulate: usize, seed: Seed) -> Result<Self, DataError> {
        if batch == 0 || accumulate == 0 {
            return Err(DataError::NoBatch { batch, accumulate });
        }
        Ok(Self { lengths, batch, accumulate, seed })
    }

    /// Optimizer steps per epoch: rows ÷ (batch × accumulate), rounded up. 0 without rows.
    pub fn steps_per_epoch(&self) -> u64 {
        self.lengths.len().div_ceil(self.rows_per_step()) as u64
    }

    /// The epoch of a step and the step's index within the epoch, both from 0.
    pub fn place(&self, step: u64) -> (u64, u64) {
        let steps = self.steps_per_epoch().max(1);
        (step / steps, step % steps)
    }

    /// All steps of an epoch (from 0), in order.
    pub fn epoch(&self, epoch: u64) -> Vec<StepRows> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed.derive(&format!("epoch/{epoch}")).0);
        let mut rows: Vec<usize> = (0..self.lengths.len()).collect();
        rows.shuffle(&mut rng);
        let per_step = self.rows_per_step();
        // The remainder is taken off before sorting: otherwise it would always consist of the longest rows.
        let left_over = rows.split_off(rows.len() - rows.len() % per_step);
        let mut steps: Vec<Vec<usize>> = Vec::new();
        for window in rows.chunks_mut(per_step * BUCKET_STEPS) {
            window.sort_by_key(|&row| self.lengths[row].div_ceil(BUCKET_TOKENS));
            steps.extend(window.chunks(per_step).map(<[usize]>::to_vec));
        }
        if !left_over.is_empty() {
            steps.push(left_over);
        }
        steps.shuffle(&mut rng);
        steps.into_iter().map(|rows| self.divide(rows)).collect()
    }

    /// The steps from step `first` (counted from 0) on, over endless epochs; empty without rows. The steps do not
    /// depend on `first`: any start gives the same plan.
    pub fn starting_at(&self, first: u64) -> impl Iterator<Item = StepRows> {
        let (epoch, place) = self.place(first);
        let mut skip = usize::try_from(place).unwrap_or(usize::MAX);
        let end = if self.lengths.is_empty() { epoch } else { u64::MAX };
        (epoch..end).flat_map(move |epoch| {
            let skipped = std::mem::take(&mut skip);
            self.epoch(epoch).into_iter().skip(skipped)
        })
    }

    fn rows_per_step(&self) -> usize {
        self.batch * self.accumulate
    }

    /// Splits the rows of a step into batches of similar length.
    fn divide(&self, mut rows: Vec<usize>) -> StepRows {
        rows.sort_by_key(|&row| self.lengths[row]);
        StepRows { batches: rows.chunks(self.batch).map(<[usize]>::to_vec).collect() }
    }
}

#[cfg(test)]
mod tests;
