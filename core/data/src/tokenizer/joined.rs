//! Encodes text that follows other text. Tokenizers made from SentencePiece insert a blank before the first word of a
//! text, or merge characters across any boundary, so a response encoded by itself has different ids than within its
//! conversation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokenizers::models::ModelWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{Encoding, Model, NormalizerWrapper, Tokenizer};

use super::words::written_byte;
use crate::contained::contain;
use crate::error::DataError;
use crate::format::shorten;

/// Texts after which a piece is encoded to find its ids within a text; their last characters rarely merge with what
/// follows.
const ANCHORS: [&str; 4] = ["\n", ".", "a", "0"];

/// Whether the ids of a text are independent of the preceding text: true for byte-level tokenizers that insert no
/// blank.
pub(super) fn apart(tokenizer: &Tokenizer) -> bool {
    let normalizers_keep = tokenizer.get_normalizer().is_none_or(keeps);
    normalizers_keep && tokenizer.get_pre_tokenizer().is_some_and(is_byte_level)
}

fn keeps(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::NFC(_)
        | NormalizerWrapper::NFD(_)
        | NormalizerWrapper::NFKC(_)
        | NormalizerWrapper::NFKD(_)
        | NormalizerWrapper::Lowercase(_) => true,
        NormalizerWrapper::Sequence(sequence) => sequence.as_ref().iter().all(keeps),
        _ => false,
    }
}

fn is_byte_level(pre_tokenizer: &PreTokenizerWrapper) -> bool {
    match pre_tokenizer {
        PreTokenizerWrapper::ByteLevel(bytes) => !bytes.add_prefix_space,
        PreTokenizerWrapper::Sequence(sequence) => {
            let steps = sequence.as_ref();
            let blank = |step: &PreTokenizerWrapper| match step {
                PreTokenizerWrapper::ByteLevel(bytes) => bytes.add_prefix_space,
                PreTokenizerWrapper::Metaspace(_) => true,
                _ => false,
            };
            steps.iter().any(is_byte_level) && !steps.iter().any(blank)
        }
        _ => false,
    }
}

/// Whether characters without a token are dropped silently: a BPE without an unknown token and without a token for
/// every byte.
pub(super) fn drops(tokenizer: &Tokenizer) -> bool {
    let ModelWrapper::BPE(bpe) = tokenizer.get_model() else { return false };
    if bpe.unk_token.is_some() || bpe.byte_fallback {
        return false;
    }
    let bytes = tokenizer.get_pre_tokenizer().is_some_and(|pre_tokenizer| {
        let of_bytes = |step: &PreTokenizerWrapper| matches!(step, PreTokenizerWrapper::ByteLevel(_));
        match pre_tokenizer {
            PreTokenizerWrapper::Sequence(sequence) => sequence.as_ref().iter().any(of_bytes),
            step => of_bytes(step),
        }
    });
    let every = || (0..=u8::MAX).all(|byte| bpe.token_to_id(&written_byte(byte).to_string()).is_some());
    !(bytes && every())
}

/// Cache: whether a character by itself has a token.
pub(super) type Leaves = Mutex<HashMap<char, bool>>;

/// The first non-blank character that is dropped. Ignores characters of special tokens if these are encoded as such.
/// Offsets cannot be used to find it, because the offsets after a dropped character do not account for it.
pub(super) fn dropped(tokenizer: &Tokenizer, text: &str, marked: bool, known: &Leaves) -> Option<char> {
    let first = |text: &str| text.chars().find(|&c| !c.is_whitespace() && !leaves(tokenizer, c, known));
    let found = first(text)?;
    if !marked {
        return Some(found);
    }
    let mut rest = text.to_owned();
    for token in tokenizer.get_added_vocabulary().get_added_tokens_decoder().values() {
        if !token.content.is_empty() && rest.contains(&token.content) {
            rest = rest.replace(&token.content, " ");
        }
    }
    first(&rest)
}

fn leaves(tokenizer: &Tokenizer, c: char, known: &Leaves) -> bool {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    *known.entry(c).or_insert_with(|| {
        let ids = |text: &str| encode_fast(tokenizer, text).map(|found| found.get_ids().to_vec());
        // After another character, because an inserted blank has a token too.
        match (ids("a"), ids(&format!("a{c}"))) {
            (Ok(before), Ok(both)) => before != both,
            _ => false,
        }
    })
}

/// The ids with which `text` continues `prompt`: those after the prompt's ids or, if the prompt's ids are not a prefix
/// of the whole, the tokens that begin after the prompt. If a token crosses the boundary, its part after the boundary
/// is encoded by itself.
pub(super) fn continuation(
    tokenizer: &Tokenizer,
    prompt: &str,
    ids: &[u32],
    text: &str,
) -> Result<Vec<u32>, DataError> {
    let whole = encode(tokenizer, &[prompt, text].concat())?;
    if let Some(rest) = whole.get_ids().strip_prefix(ids) {
        return Ok(rest.to_vec());
    }
    let border = prompt.len();
    let offsets = whole.get_offsets();
    let first = offsets.iter().position(|(start, _)| *start >= border).unwrap_or(offsets.len());
    let crossing = first.checked_sub(1).map(|last| offsets[last]).filter(|(_, end)| *end > border);
    let mut found = match crossing {
        None => Vec::new(),
        Some((_, end)) => within(tokenizer, &text[..end - border])?,
    };
    found.extend_from_slice(&whole.get_ids()[first..]);
    Ok(found)
}

/// The ids of a piece of text in the middle of other text.
pub(super) fn within(tokenizer: &Tokenizer, piece: &str) -> Result<Vec<u32>, DataError> {
    for anchor in ANCHORS {
        let before = encode(tokenizer, anchor)?;
        let both = encode(tokenizer, &[anchor, piece].concat())?;
        if let Some(rest) = both.get_ids().strip_prefix(before.get_ids())
            && !rest.is_empty()
        {
            return Ok(rest.to_vec());
        }
    }
    let problem = "a token spans the end of the prompt and the beginning of the response, and the response's part of it cannot be encoded separately".to_owned();
    Err(DataError::Tokenise { snippet: shorten(piece), problem })
}

/// Encodes a text with the tokenizer's whole pipeline, except for the post-processor's tokens.
///
/// # Errors
/// Errors of the tokenizer, or a damaged tokenizer.
pub(super) fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Encoding, DataError> {
    refused(text, || tokenizer.encode(text, false))
}

/// Like [`encode`], without offsets.
pub(super) fn encode_fast(tokenizer: &Tokenizer, text: &str) -> Result<Encoding, DataError> {
    refused(text, || tokenizer.encode_fast(text, false))
}

/// Converts errors and panics of the tokenizers crate to an error about the text.
pub(super) fn refused<T>(text: &str, act: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, DataError> {
    contain(act)
        .and_then(|result| result.map_err(|error| error.to_string()))
        .map_err(|problem| DataError::Tokenise { snippet: shorten(text), problem })
}

#[cfg(test)]
mod tests;
