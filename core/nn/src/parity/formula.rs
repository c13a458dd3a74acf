//! Weights from a formula that both sides can compute: identical to `tests/parity/formula.py`.

use crate::weights::{Weight, WeightMap};

/// Numbers k/128 with -127 ≤ k ≤ 127, from SplitMix64's finaliser applied to the FNV-1a hash of the name.
pub(super) fn units(name: &str, count: usize) -> Vec<f32> {
    let mix = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325, mix);
    let draw = |index: u64| {
        let mut x = seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) % 255) as f32
    };
    (1..=count as u64).map(|index| (draw(index) - 127.0) / 128.0).collect()
}

/// The weights with these names and shapes.
pub(super) fn weights(names: &[(String, Vec<usize>)], unit_offset_norm: bool) -> WeightMap {
    let one = |(name, sizes): &(String, Vec<usize>)| {
        let mut values = units(name, sizes.iter().product());
        for value in &mut values {
            *value = match () {
                () if name.ends_with("norm.weight") && unit_offset_norm => *value,
                () if name.ends_with("norm.weight") => 1.0 + *value,
                () if name.contains("embed_tokens") || name.contains("lm_head") => *value,
                () => *value / 4.0,
            };
        }
        (name.clone(), Weight { shape: sizes.clone(), values })
    };
    names.iter().map(one).collect()
}
