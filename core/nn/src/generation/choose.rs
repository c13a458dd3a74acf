//! Chooses the next token from the logits of one row: greedily or by sampling.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::spec::Strategy;
use crate::kernel::simd::{exp, max, sum2, vectorised};

/// Chooses a token from the row's logits. `seen` contains the row's tokens so far.
pub(crate) fn choose(logits: &[f32], seen: &[u32], strategy: Strategy, rng: &mut ChaCha8Rng) -> usize {
    match strategy {
        Strategy::Greedy => first_largest(logits),
        Strategy::Sample { temperature, top_p, repetition_penalty } => {
            let mut logits = logits.to_vec();
            penalise(&mut logits, seen, repetition_penalty);
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut shares: Vec<(usize, f64)> = logits
                .iter()
                .enumerate()
                .map(|(id, logit)| (id, (f64::from(logit - largest) / f64::from(temperature)).exp()))
                .collect();
            // The order is total: ties are broken by id.
            shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let whole: f64 = shares.iter().map(|(_, share)| share).sum();
            let mut kept = 0.0;
            let mut count = 0;
            for (_, share) in &shares {
                kept += share;
                count += 1;
                if kept >= f64::from(top_p) * whole {
                    break;
                }
            }
            let mut draw = rng.random::<f64>() * kept;
            for (id, share) in &shares[..count] {
                draw -= share;
                if draw < 0.0 {
                    return *id;
                }
            }
            shares[count - 1].0
        }
    }
}

fn first_largest(logits: &[f32]) -> usize {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best
}

/// Repetition penalty (Keskar et al. 2019): the logit of a token seen before is divided by the penalty if positive and
/// multiplied if negative, once, however often the token was seen.
fn penalise(logits: &mut [f32], seen: &[u32], penalty: f32) {
    if penalty == 1.0 {
        return;
    }
    let mut ids = seen.to_vec();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        if let Some(logit) = logits.get_mut(id as usize) {
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
    }
}

/// Log-probabilities of the given ids; negative infinity for an id past the end of the logits.
pub(crate) fn log_softmax_at(logits: &[f32], ids: &[u32]) -> Vec<f32> {
    let log_sum = log_sum_exp(logits);
    let of = |&id: &u32| match logits.get(id as usize) {
        Some(logit) => (f64::from(*logit) - log_sum) as f32,
        None => f32::NEG_INFINITY,
    };
    ids.iter().map(of).collect()
}

vectorised! {
    fn log_sum_exp(logits: &[f32]) -> f64 {
        let largest = max(logits);
        // Short sums in f32, added up in f64.
        let sum: f64 = logits
            .chunks(512)
            .map(|chunk| f64::from(sum2(chunk, chunk, |logit, _| exp(logit - largest))))
            .sum();
        f64::from(largest) + sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const SAMPLE: Strategy = Strategy::Sample { temperature: 1.0, top_p: 1.0, repetition_penalty: 1.0 };

    #[test]
    fn greedy_takes_the_first_of_equals() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        assert_eq!(choose(&[0.0, 3.0, 3.0], &[], Strategy::Greedy, &mut rng), 1);
    }

    #[test]
    fn sampling_follows_the_probabilities() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let mut counts = [0usize; 3];
        for _ in 0..20_000 {
            counts[choose(&logits, &[], SAMPLE, &mut rng)] += 1;
        }
        for (count, share) in counts.iter().zip([0.5, 0.3, 0.2]) {
            assert!((*count as f64 / 20_000.0 - share).abs() < 0.015, "{counts:?}");
        }
        let narrow = Strategy::Sample { temperature: 1.0, top_p: 0.7, repetition_penalty: 1.0 };
        assert!((0..2000).all(|_| choose(&logits, &[], narrow, &mut rng) < 2));
        let tiny = Strategy::Sample { temperature: 0.01, top_p: 1.0, repetition_penalty: 1.0 };
        assert!((0..200).all(|_| choose(&logits, &[], tiny, &mut rng) == 0));
    }

    #[test]
    fn the_penalty_turns_the_choice() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let harsh = Strategy::Sample { temperature: 0.01, top_p: 1.0, repetition_penalty: 2.0 };
        assert_eq!(choose(&[3.0, 2.0], &[0, 0], harsh, &mut rng), 1);
        assert_eq!(choose(&[-3.0, -2.0], &[1], harsh, &mut rng), 0);
    }

    #[test]
    fn log_probabilities_sum_to_one() {
        let logits = [1.0f32, 2.0, -5.0, 0.25];
        let total: f64 =
            log_softmax_at(&logits, &[0, 1, 2, 3]).iter().map(|value| f64::from(*value).exp()).sum();
        assert!((total - 1.0).abs() < 1e-6);
        assert_eq!(log_softmax_at(&logits, &[9]), [f32::NEG_INFINITY]);
    }
}
