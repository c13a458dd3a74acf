//! The length of the longest common subsequence of two token lists, and the precision and recall that ROUGE-L derives from it.

use std::collections::HashMap;

/// Length of the longest common subsequence of two token lists.
///
/// Bit-parallel (Hyyrö, "Bit-parallel LCS-length computation revisited", 2004): time |left|·|right|/64, memory |right|.
pub(super) fn common_subsequence(left: &[&str], right: &[&str]) -> usize {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, token) in right.iter().enumerate() {
        places.entry(token).or_default().push(place);
    }
    let blocks = right.len().div_ceil(64);
    // A cleared bit means that the LCS grows by one; bits past the end of `right` match nothing and stay set.
    let mut open = vec![u64::MAX; blocks];
    let mut matches = vec![0u64; blocks];
    for token in left {
        let Some(places) = places.get(token) else { continue };
        for place in places {
            matches[place / 64] |= 1 << (place % 64);
        }
        let mut carry = false;
        for (open, matches) in open.iter_mut().zip(&matches) {
            let hit = *open & matches;
            let (sum, over) = open.overflowing_add(hit);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            carry = over || over_again;
            *open = sum | (*open & !matches);
        }
        for place in places {
            matches[place / 64] = 0;
        }
    }
    open.iter().map(|block| block.count_zeros() as usize).sum()
}

/// Precision and recall of the subsequence, 0 where a side is empty.
pub(super) fn precision_and_recall(prediction: &[&str], reference: &[&str]) -> (f64, f64) {
    if prediction.is_empty() || reference.is_empty() {
        return (0.0, 0.0);
    }
    let common = common_subsequence(prediction, reference) as f64;
    (common / prediction.len() as f64, common / reference.len() as f64)
}
