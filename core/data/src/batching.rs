//! Which rows make which training step: seeded, length-bucketed, resumable by step number. Holds lengths only,
//! never tokens.

use cadre_store::Seed;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::DataError;

/// Steps whose rows are drawn together and sorted by length. More steps waste less padding; fewer keep a step
/// closer to a plain random draw.
const BUCKET_STEPS: usize = 8;

/// Lengths within one such stretch count as equal, so that rows keep their random order inside a bucket.
const BUCKET_TOKENS: usize = 16;

/// One optimizer step: the rows of each forward and backward pass, gradients of which are accumulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRows {
    /// At most `accumulate` batches of at most `batch` row numbers each; none is empty.
    pub batches: Vec<Vec<usize>>,
}

impl StepRows {
    /// Rows of the step in all.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(Vec::len).sum()
    }
}

/// The order in which rows are trained on.
///
/// Every epoch visits every row once, in an order of its own. A step holds `batch × accumulate` rows; the last of
/// an epoch, wherever it falls, holds what is left over. The rows of a step do not depend on how it is divided into
/// batches: `batch = 32, accumulate = 1` and `batch = 8, accumulate = 4` train on the same rows in each step.
#[derive(Debug, Clone)]
pub struct Batches {
    lengths: Vec<usize>,
    batch: usize,
    accumulate: usize,
    seed: Seed,
}

impl Batches {
    /// A plan over rows of these lengths (tokens).
    ///
    /// # Errors
    /// When `batch` or `accumulate` is 0.
    pub fn new(lengths: Vec<usize>, batch: usize, accumulate: usize, seed: Seed) -> Result<Self, DataError> {
        if batch == 0 || accumulate == 0 {
            return Err(DataError::NoBatch { batch, accumulate });
        }
        Ok(Self { lengths, batch, accumulate, seed })
    }

    /// Optimizer steps an epoch takes: rows ÷ (batch × accumulate), rounded up. 0 without rows.
    pub fn steps_per_epoch(&self) -> u64 {
        self.lengths.len().div_ceil(self.rows_per_step()) as u64
    }

    /// Epoch of a step, and its place in that epoch, both from 0.
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
        // What does not fill a step is taken off before sorting: otherwise it would always be the longest rows.
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

    /// The steps from step `first` (from 0) on, epoch after epoch without end; empty without rows. What follows a
    /// step does not depend on where the walk began.
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

    /// Batches of one step hold rows of like length, too.
    fn divide(&self, mut rows: Vec<usize>) -> StepRows {
        rows.sort_by_key(|&row| self.lengths[row]);
        StepRows { batches: rows.chunks(self.batch).map(<[usize]>::to_vec).collect() }
    }
}

#[cfg(test)]
mod tests;
