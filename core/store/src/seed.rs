//! Seeds, and the derivation of seeds from a seed. Must not use the clock or system randomness.

use serde::{Deserialize, Serialize};

/// A random seed. Seeds of components are derived by label, so that adding a component does not change the random
/// draws of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of the component `label`: the first eight bytes (little-endian) of the BLAKE3 digest of this seed's
    /// eight bytes followed by the label.
    #[must_use]
    pub fn derive(self, label: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0.to_le_bytes());
        hasher.update(label.as_bytes());
        let mut first = [0u8; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self(u64::from_le_bytes(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_seeds_both_count() {
        let seed = Seed(7);
        assert_eq!(seed.derive("a"), Seed(7).derive("a"));
        assert_ne!(seed.derive("a"), seed.derive("b"));
        assert_ne!(seed.derive("a"), Seed(8).derive("a"));
        assert_ne!(seed.derive("a").derive("b"), seed.derive("b").derive("a"));
    }
}
