//! Exact match and token F1 of the official SQuAD 2.0 evaluation script, with the same normalisation as its Python code.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use super::best;

/// Python's `\w+`: letters, numbers of all kinds and the underscore, but no combining marks.
#[expect(clippy::expect_used, reason = "a constant pattern; the tests compile it")]
static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]+").expect("a valid pattern"));

/// Python's `str.isspace`, which `str.split()` uses: Unicode white space and four ASCII separators.
pub(super) fn is_space(sign: char) -> bool {
    sign.is_whitespace() || ('\x1c'..='\x1f').contains(&sign)
}

/// Lower case, no ASCII punctuation, no articles, single spaces: in that order.
fn normalise(text: &str) -> Vec<String> {
    let text: String = text.to_lowercase().chars().filter(|sign| !sign.is_ascii_punctuation()).collect();
    // The original `\b(a|an|the)\b` matches whole words only.
    let text = WORD.replace_all(&text, |found: &regex::Captures<'_>| match &found[0] {
        "a" | "an" | "the" => " ".to_owned(),
        word => word.to_owned(),
    });
    text.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

pub(super) fn exact(prediction: &str, references: &[String]) -> f64 {
    let prediction = normalise(prediction);
    best(references, |reference| if prediction == normalise(reference) { 1.0 } else { 0.0 })
}

pub(super) fn f1(prediction: &str, references: &[String]) -> f64 {
    let prediction = normalise(prediction);
    best(references, |reference| {
        let reference = normalise(reference);
        if prediction.is_empty() || reference.is_empty() {
            return if prediction == reference { 1.0 } else { 0.0 };
        }
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for word in &reference {
            *counts.entry(word).or_default() += 1;
        }
        let mut same = 0.0;
        for word in &prediction {
            if let Some(count) = counts.get_mut(word.as_str()).filter(|count| **count > 0) {
                *count -= 1;
                same += 1.0;
            }
        }
        if same == 0.0 {
            return 0.0;
        }
        let precision = same / prediction.len() as f64;
        let recall = same / reference.len() as f64;
        2.0 * precision * recall / (precision + recall)
    })
}
