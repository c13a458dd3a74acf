//! Seeded choice for the built-in language. Never reads a clock, a file or the system's randomness,
//! and rounds nothing: the same seed and label give the same choices on every machine.

use cadre_store::Seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of choices.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of choices that `seed` and `label` name.
    pub(super) fn new(seed: u64, label: &str) -> Self {
        Self(ChaCha8Rng::seed_from_u64(Seed(seed).derive(label).0))
    }

    /// A whole number in `0..bound`; 0 where `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // Multiply and shift: the bias is below bound / 2^32, and no library decides it.
        let product = u64::from(self.0.next_u32()) * bound as u64;
        (product >> 32) as usize
    }

    /// A whole number in `low..=high`.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `percent` of a hundred draws.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, each as likely; the default value where there are none.
    pub(super) fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len());
        choices.get(index).copied().unwrap_or_default()
    }

    /// One of `choices` that is not `other`.
    pub(super) fn pick_but<'a>(&mut self, choices: &[&'a str], other: &str) -> &'a str {
        let left: Vec<&str> = choices.iter().copied().filter(|word| *word != other).collect();
        self.pick(&left)
    }

    /// `count` different ones of `choices`, in random order.
    pub(super) fn several<T: Copy>(&mut self, choices: &[T], count: usize) -> Vec<T> {
        let mut left = choices.to_vec();
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count && !left.is_empty() {
            let index = self.below(left.len());
            taken.push(left.swap_remove(index));
        }
        taken
    }

    /// `count` different numbers in `1..=high`, in random order.
    pub(super) fn numbers(&mut self, high: usize, count: usize) -> Vec<usize> {
        let all: Vec<usize> = (1..=high).collect();
        self.several(&all, count)
    }
}
