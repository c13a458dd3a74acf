//! Random draws of programs. A draw must depend only on the seed, the stream and the place, so that recomputation,
//! threads and machines draw alike.

/// Numbers in [0, 1), multiples of 2⁻²⁴, for the places from 0.
pub(super) fn uniform(seed: u64, stream: &str, count: usize) -> Vec<f32> {
    let key = mix(seed ^ mix(name(stream)));
    (0..count as u64)
        .map(|place| (mix(key ^ mix(place.wrapping_add(GOLDEN))) >> 40) as f32 / 16_777_216.0)
        .collect()
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of SplitMix64 (Steele et al. 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// FNV-1a of a name.
fn name(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_fixed_and_uniform() {
        assert_eq!(uniform(7, "noise", 2), uniform(7, "noise", 5)[..2], "a draw depends on its place only");
        assert_ne!(uniform(7, "noise", 2), uniform(8, "noise", 2));
        assert_ne!(uniform(7, "noise", 2), uniform(7, "other", 2));
        let draws = uniform(1, "", 100_000);
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().map(|draw| f64::from(*draw)).sum::<f64>() / 1e5;
        let second = draws.iter().map(|draw| f64::from(*draw).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 0.5).abs() < 4e-3 && (second - 1.0 / 3.0).abs() < 4e-3, "{mean} {second}");
        let pairs = draws.windows(2).map(|pair| f64::from(pair[0]) * f64::from(pair[1])).sum::<f64>() / 1e5;
        assert!((pairs - 0.25).abs() < 4e-3, "neighbours are independent: {pairs}");
    }
}
