//! Splits text into words like GPT-2 and encodes each word with the BPE alone. For plain byte-level tokenizers the
//! result equals that of the `tokenizers` pipeline, ten times as fast. Must not be used if the pipeline does anything
//! else.

use std::collections::HashMap;
use std::sync::LazyLock;

use rayon::prelude::*;
use regex::Regex;
use tokenizers::models::ModelWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{Model, Tokenizer};

use super::joined::refused;
use crate::error::DataError;

/// Minimum number of texts per thread.
const MIN_CHUNK: usize = 64;

/// GPT-2's pattern without `\s+(?!\S)`, which [`Words`] implements itself: without lookahead the regex needs no
/// backtracking.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant pattern, compiled by every test in this file")]
    Regex::new(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+").expect("a pattern")
});

/// The character that a byte-level vocabulary writes for each byte.
static WRITTEN: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = '\u{100}'..;
    std::array::from_fn(|byte| match byte as u8 {
        printable @ (b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF) => char::from(printable),
        _ => next.next().unwrap_or_default(),
    })
});

/// The words of a text, in order. Concatenated, they are the text.
pub(super) struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let found = PATTERN.find_at(self.text, self.at)?;
        let mut end = found.end();
        // The last of several blanks belongs to the following word.
        if let Some(last) = found.as_str().chars().next_back()
            && last.is_whitespace()
            && end < self.text.len()
            && found.len() > last.len_utf8()
        {
            end -= last.len_utf8();
        }
        let word = &self.text[self.at..end];
        self.at = end;
        Some(word)
    }
}

/// A word as written in a byte-level vocabulary.
pub(super) fn written(word: &str) -> String {
    word.bytes().map(|byte| WRITTEN[usize::from(byte)]).collect()
}

/// A byte as written in a byte-level vocabulary.
pub(super) fn written_byte(byte: u8) -> char {
    WRITTEN[usize::from(byte)]
}

/// Whether a tokenizer, with special tokens in text taken as text, consists only of these words and a BPE.
pub(super) fn applies(tokenizer: &Tokenizer) -> bool {
    let plain = match tokenizer.get_pre_tokenizer() {
        Some(PreTokenizerWrapper::ByteLevel(bytes)) => bytes.use_regex && !bytes.add_prefix_space,
        _ => false,
    };
    let added = tokenizer.get_added_vocabulary().get_added_tokens_decoder();
    plain
        && matches!(tokenizer.get_model(), ModelWrapper::BPE(_))
        && tokenizer.get_normalizer().is_none()
        && added.values().all(|token| token.special)
}

/// Ids of many texts, on all cores.
pub(super) fn encode_all(tokenizer: &Tokenizer, texts: &[String]) -> Result<Vec<Vec<u32>>, DataError> {
    let chunk = texts.len().div_ceil(rayon::current_num_threads()).max(MIN_CHUNK);
    let parts: Result<Vec<Vec<Vec<u32>>>, DataError> =
        texts.par_chunks(chunk).map(|texts| encode_chunk(tokenizer, texts)).collect();
    Ok(parts?.into_iter().flatten().collect())
}

/// Ids of several texts; repeated words are cached.
fn encode_chunk(tokenizer: &Tokenizer, texts: &[String]) -> Result<Vec<Vec<u32>>, DataError> {
    let mut pool: Vec<u32> = Vec::new();
    let mut known: HashMap<&str, std::ops::Range<usize>> = HashMap::new();
    let mut all = Vec::with_capacity(texts.len());
    for text in texts {
        let mut ids = Vec::with_capacity(text.len() / 3);
        for word in Words::of(text) {
            if let Some(place) = known.get(word) {
                ids.extend_from_slice(&pool[place.clone()]);
                continue;
            }
            let start = pool.len();
            push(tokenizer, word, &mut pool)?;
            known.insert(word, start..pool.len());
            ids.extend_from_slice(&pool[start..]);
        }
        all.push(ids);
    }
    Ok(all)
}

/// Ids of one text.
pub(super) fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, DataError> {
    let mut ids = Vec::with_capacity(text.len() / 3);
    for word in Words::of(text) {
        push(tokenizer, word, &mut ids)?;
    }
    Ok(ids)
}

fn push(tokenizer: &Tokenizer, word: &str, ids: &mut Vec<u32>) -> Result<(), DataError> {
    let tokens = refused(word, || tokenizer.get_model().tokenize(&written(word)))?;
    ids.extend(tokens.iter().map(|token| token.id));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Words, written};

    #[test]
    fn gpt2_words() {
        let words = |text| Words::of(text).collect::<Vec<_>>();
        assert_eq!(words("I'll sort 12 lists, dear"), ["I", "'ll", " sort", " 12", " lists", ",", " dear"]);
        assert_eq!(words("a  b\n\nc \td  "), ["a", " ", " b", "\n", "\n", "c", " ", "\t", "d", "  "]);
        assert_eq!(words(" \n"), [" \n"]);
        assert_eq!(words(""), [""; 0]);
    }

    #[test]
    fn the_byte_alphabet() {
        assert_eq!(written(" ä\n"), "ĠÃ¤Ċ");
    }
}
