//! Equality of texts except for white space; case, punctuation and Unicode normalisation forms matter.

use super::{best, squad::is_space};

pub(super) fn score(prediction: &str, references: &[String]) -> f64 {
    best(references, |reference| if words(prediction).eq(words(reference)) { 1.0 } else { 0.0 })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}
