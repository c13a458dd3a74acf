//! Random draws and quantiles for intervals by resampling. All draws are seeded, so intervals are reproducible.

/// A number in 0..`end`, from SplitMix64 (Steele, Lea and Flood 2014, doi 10.1145/2660193.2660195). The bias of
/// the multiply-shift reduction is at most `end` in 2⁶⁴.
pub(crate) fn below(state: &mut u64, end: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^= word >> 31;
    ((u128::from(word) * end as u128) >> 64) as usize
}

/// The mean of `draws` values drawn with replacement from at least one value.
pub(crate) fn resampled_mean(values: &[f64], draws: usize, state: &mut u64) -> f64 {
    let sum: f64 = (0..draws).map(|_| values[below(state, values.len())]).sum();
    sum / draws as f64
}

/// The quantile `share` (0..1) of values by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996).
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    let index = (values.len() - 1) as f64 * share;
    let (_, low, above) = values.select_nth_unstable_by(index as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().reduce(f64::min).unwrap_or(low);
    low + (high - low) * index.fract()
}

/// A seed from words: 64-bit FNV-1a with a separator after each word, so that ("ab", "c") and ("a", "bc") differ.
pub(crate) fn seed_of(words: [&str; 3]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Whether all values are equal.
pub(crate) fn level(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::{below, quantile};

    #[test]
    fn draws_stay_below_their_end_and_reach_all_of_it() {
        let mut state = 3;
        let mut seen = [0_u32; 7];
        for _ in 0..70_000 {
            seen[below(&mut state, 7)] += 1;
        }
        assert!(seen.iter().all(|count| (9_500..10_500).contains(count)), "{seen:?}");
    }

    #[test]
    fn quantiles_interpolate() {
        // numpy.quantile([1, 2, 3, 4], [0, 0.25, 0.5, 0.9, 1])
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.9, 3.7), (1.0, 4.0)] {
            assert!((quantile(&mut [4.0, 1.0, 3.0, 2.0], share) - expected).abs() < 1e-12);
        }
    }
}
