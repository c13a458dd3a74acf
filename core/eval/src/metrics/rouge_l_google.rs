//! ROUGE-L of the `rouge_score` package (rougeL, not rougeLsum), without its stemmer.

use super::{best, subsequence::precision_and_recall};

fn tokens(lower: &str) -> Vec<&str> {
    lower
        .split(|sign: char| !(sign.is_ascii_lowercase() || sign.is_ascii_digit()))
        .filter(|token| !token.is_empty())
        .collect()
}

/// F = 2PR / (P + R).
pub(super) fn score(prediction: &str, references: &[String]) -> f64 {
    let prediction = prediction.to_lowercase();
    let prediction = tokens(&prediction);
    best(references, |reference| {
        let (precision, recall) = precision_and_recall(&prediction, &tokens(&reference.to_lowercase()));
        if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
    })
}
