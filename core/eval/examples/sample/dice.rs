//! Numbers that look random and are always the same. Nothing may rest on their quality.

/// A linear congruential generator (Knuth's MMIX constants), with its state.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// 0..1
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}
