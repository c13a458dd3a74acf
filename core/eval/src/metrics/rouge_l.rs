//! ROUGE-L as SSR and SEE measure it: without stemming, lower-casing or a dictionary.

use std::sync::LazyLock;

use regex::Regex;

use super::{best, subsequence::precision_and_recall};

/// Reproduces jieba's tokens on English and Spanish text: words, decimal numbers, runs of dots, single characters. Chinese is
/// split into single characters, where jieba finds words.
#[expect(clippy::expect_used, reason = "a constant pattern; the tests compile it")]
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    // Python's \s, which the definition uses, also matches the four separators \x1c-\x1f.
    Regex::new(r"[A-Za-z0-9]+(?:\.[0-9]+)?%?|\.{2,}|[^\s\x1c-\x1f]").expect("a valid pattern")
});

pub(super) fn tokens(text: &str) -> Vec<&str> {
    TOKEN.find_iter(text).map(|found| found.as_str()).collect()
}

/// F = 2PR / (P + R + 1e-8).
pub(super) fn score(prediction: &str, references: &[String]) -> f64 {
    let prediction = tokens(prediction);
    best(references, |reference| {
        let (precision, recall) = precision_and_recall(&prediction, &tokens(reference));
        2.0 * precision * recall / (precision + recall + 1e-8)
    })
}
