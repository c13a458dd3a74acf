//! Seeded choices for the built-in language. Must not depend on a clock, a file, the system's randomness or rounding:
//! the same seed and label must give the same choices on every machine.

use cadre_store::Seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of random choices.
pub(super) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of choices for this seed and label.
    pub(super) fn new(seed: u64, label: &str) -> Self {
        Self(ChaCha8Rng::seed_from_u64(Seed(seed).derive(label).0))
    }

    /// An integer in `0..bound`; 0 if `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        // Multiply and shift: the bias is below bound / 2^32, and the result does not depend on a library's algorithm.
        let product = u64::from(self.0.next_u32()) * bound as u64;
        (product >> 32) as usize
    }

    /// An integer in `low..=high`.
    pub(super) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True with a probability of `percent` / 100.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `choices` with equal probability; the default value if there are none.
    pub(super) fn pick<T: Copy + Default>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len());
        choices.get(index).copied().unwrap_or_default()
    }

    /// One of `choices` that is not `other`.
    pub(super) fn pick_but<'a>(&mut self, choices: &[&'a str], other: &str) -> &'a str {
        let left: Vec<&str> = choices.iter().copied().filter(|word| *word != other).collect();
        self.pick(&left)
    }

    /// `count` different elements of `choices`, in random order.
    pub(super) fn several<T: Copy>(&mut self, choices: &[T], count: usize) -> Vec<T> {
        let mut left = choices.to_vec();
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count && !left.is_empty() {
            let index = self.below(left.len());
            taken.push(left.swap_remove(index));
        }
        taken
    }

    /// `count` different integers in `1..=high`, in random order.
    pub(super) fn numbers(&mut self, high: usize, count: usize) -> Vec<usize> {
        let all: Vec<usize> = (1..=high).collect();
        self.several(&all, count)
    }
}
