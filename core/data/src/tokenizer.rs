//! Text to token ids and back: a byte-level BPE trained here, or a Hugging Face `tokenizer.json`. Text is taken
//! literally: a special token written out in a dataset stays text, but where a template puts it.

mod affixes;
mod joined;
mod special;
mod words;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use serde_json::Value;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Trainer};

use crate::contained::contain;
use crate::error::DataError;
use crate::format::{parse_json, read_file, shorten};
use affixes::Affixes;
use special::{SpecialTokens, save_config};
use words::Words;

/// Special tokens of a tokenizer trained here, in the order of their ids.
pub const SPECIAL_TOKENS: [&str; 3] = ["<pad>", "<bos>", "<eos>"];

/// Least size of a trained tokenizer: the 256 bytes and the special tokens.
pub const MIN_VOCABULARY: u32 = 256 + SPECIAL_TOKENS.len() as u32;

/// A text that every tokenizer of a language model has tokens for.
const PROBE: &str = "Say it again: 0 1 2";

/// A pair must occur this often in the training text to become a token.
const MIN_PAIR_COUNT: u64 = 2;

/// A tokenizer with its special tokens, and the indicator tokens put on top of it. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
    added: Arc<[String]>,
    first_added: u32,
    /// Rows of the embedding that is used with it; ids from there on must not occur.
    rows: u32,
}

struct Inner {
    /// Special tokens in text are text.
    literal: tokenizers::Tokenizer,
    /// Special tokens in text are special tokens; only chat templates need it.
    marked: OnceLock<tokenizers::Tokenizer>,
    /// Whether [`words`] gives what `literal` gives.
    by_words: bool,
    /// Whether a text's ids do not depend on what stands before it.
    apart: bool,
    /// Whether characters without a token vanish, and which of those looked at do not.
    drops: bool,
    leaves: joined::Leaves,
    special: SpecialTokens,
    /// What the post-processor puts before and behind a text.
    affixes: Affixes,
    vocabulary: u32,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Tokenizer")
            .field("vocabulary", &self.inner.vocabulary)
            .field("special", &self.inner.special)
            .field("added", &self.added)
            .finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Trains a byte-level BPE (pre-tokenised as GPT-2) of at most `size` tokens, [`SPECIAL_TOKENS`] and the 256
    /// bytes among them; fewer when the texts have no more pairs that occur twice. The same texts give the same
    /// tokenizer, in whatever order they come.
    ///
    /// # Errors
    /// A size below [`MIN_VOCABULARY`].
    pub fn train_bpe(texts: &mut (dyn Iterator<Item = &str> + Send), size: u32) -> Result<Self, DataError> {
        let trouble = |problem: String| DataError::TokenizerTraining { size, problem };
        if size < MIN_VOCABULARY {
            return Err(trouble(format!(
                "at least {MIN_VOCABULARY} are needed: 256 bytes and {}",
                SPECIAL_TOKENS.join(", ")
            )));
        }
        let special = SPECIAL_TOKENS.iter().map(|token| AddedToken::from(*token, true)).collect();
        let mut trainer = BpeTrainer::builder()
            .vocab_size(size as usize)
            .min_frequency(MIN_PAIR_COUNT)
            .special_tokens(special)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .show_progress(false)
            .build();
        let trouble_in = |error: tokenizers::Error| trouble(error.to_string());
        let mut model = BPE::default();
        trainer.feed(texts, |text| Ok(Words::of(text).map(words::written).collect())).map_err(trouble_in)?;
        let special = trainer.train(&mut model).map_err(trouble_in)?;
        let bytes = ByteLevel::new(false, false, true);
        let mut trained = tokenizers::Tokenizer::new(model);
        trained.with_pre_tokenizer(Some(bytes));
        trained.with_decoder(Some(bytes));
        trained.add_special_tokens(special).map_err(trouble_in)?;
        let opening = affixes::opened_by(SPECIAL_TOKENS[1], &trained).map_err(trouble)?;
        trained.with_post_processor(Some(opening));
        let special = SpecialTokens::trained(&trained);
        Self::assemble(trained, special).ok_or_else(|| trouble("it has no token".into()))
    }

    /// Loads a `tokenizer.json`, or the one in a folder. Special tokens are read from `tokenizer_config.json`,
    /// `special_tokens_map.json`, `generation_config.json` and `config.json` beside it, in this order.
    ///
    /// # Errors
    /// A missing or broken file; no end token named anywhere; a special token that the tokenizer does not have.
    pub fn from_file(path: &Path) -> Result<Self, DataError> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        const EXPECTED: &str = "a Hugging Face tokenizer.json";
        let bytes = read_file(&file, EXPECTED)?;
        // The crate ends the program at some files that are not JSON, to the last escape in a text.
        parse_json::<Value>(&file, &bytes, EXPECTED)?;
        let trouble = |problem: String| DataError::Tokenizer { file: file.clone(), problem };
        let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
        let read = || {
            let literal =
                tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| trouble(error.to_string()))?;
            let special = SpecialTokens::read(&folder, &literal)?;
            let tokenizer =
                Self::assemble(literal, special).ok_or_else(|| trouble("it has no token".into()))?;
            let probe = tokenizer.inner.literal.encode_fast(PROBE, false);
            if probe.is_ok_and(|encoding| encoding.is_empty()) {
                return Err(trouble(format!(
                    "it encodes `{PROBE}` to no token at all: its vocabulary does not fit"
                )));
            }
            Ok(tokenizer)
        };
        contain(read).unwrap_or_else(|problem| Err(trouble(problem)))
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` into a folder, from where [`Self::from_file`] reads the
    /// same tokenizer. Added tokens are not written: they belong to an expert.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), DataError> {
        let file = folder.join("tokenizer.json");
        let json = self
            .inner
            .literal
            .to_string(false)
            .map_err(|error| DataError::Tokenizer { file: file.clone(), problem: error.to_string() })?;
        std::fs::write(&file, json).map_err(|source| DataError::Read { file, source })?;
        save_config(folder, &self.inner.special, &self.inner.literal)
    }

    fn assemble(mut literal: tokenizers::Tokenizer, special: SpecialTokens) -> Option<Self> {
        // Files may carry settings of the model that was served with them; examples are cut by the encoder alone.
        literal.with_truncation(None).ok()?;
        literal.with_padding(None);
        literal.set_encode_special_tokens(true);
        let affixes = Affixes::of(&literal)?;
        let last = literal.get_vocab(true).into_values().max()?;
        let vocabulary = last.checked_add(1)?;
        Some(Self {
            inner: Arc::new(Inner {
                by_words: words::applies(&literal),
                apart: joined::apart(&literal),
                drops: joined::drops(&literal),
                leaves: joined::Leaves::default(),
                affixes,
                literal,
                marked: OnceLock::new(),
                special,
                vocabulary,
            }),
            added: Arc::new([]),
            first_added: vocabulary,
            rows: u32::MAX,
        })
    }

    /// The same tokenizer for a backbone with so many rows of embedding. There may be fewer than tokens (published
    /// Gemma 3 has a token for images that its text model has no row for): such an id must only not occur.
    ///
    /// # Errors
    /// An end token, or one that the tokenizer puts around every text, without a row.
    pub fn with_rows(&self, rows: u32) -> Result<Self, DataError> {
        let mut needed = self.inner.affixes.ids().chain([self.eos()]);
        if let Some(id) = needed.find(|&id| id >= rows) {
            return Err(DataError::NoRow {
                token: self.token(id).unwrap_or_default(),
                id,
                rows,
                place: "every text".into(),
            });
        }
        Ok(Self { rows, ..self.clone() })
    }

    /// Token ids of a text, taken literally: nothing is put around it, and special tokens written out in it are
    /// ordinary text.
    ///
    /// # Errors
    /// Text that the tokenizer has no token for, never with a byte-level one; a token without a row
    /// ([`Self::with_rows`]).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        if self.inner.by_words && !self.inner.drops {
            return self.with_rows_for(text, words::encode(&self.inner.literal, text)?);
        }
        self.encode_with(&self.inner.literal, text)
    }

    /// As [`Self::encode`], but special tokens written out are those tokens: for text a chat template made.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_marked(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.encode_with(self.marked(), text)
    }

    /// As [`Self::encode`] (or [`Self::encode_marked`]) for many texts, on all cores.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_all(&self, texts: Vec<String>, marked: bool) -> Result<Vec<Vec<u32>>, DataError> {
        if self.inner.by_words && !marked && !self.inner.drops && self.inner.vocabulary <= self.rows {
            return words::encode_all(&self.inner.literal, &texts);
        }
        let encode = |text: &String| if marked { self.encode_marked(text) } else { self.encode(text) };
        texts.par_iter().map(encode).collect()
    }

    /// Ids with what the tokenizer's post-processor puts around a text: what transformers' `tokenizer(text)` gives. Never
    /// empty: where there is nothing at all, a generation begins with the opening token, or with the end token.
    pub fn surrounded(&self, ids: Vec<u32>) -> Vec<u32> {
        let ids = self.inner.affixes.put(ids);
        if ids.is_empty() {
            vec![self.bos().filter(|&bos| bos < self.rows).unwrap_or(self.eos())]
        } else {
            ids
        }
    }

    /// As [`Self::surrounded`], without the last of the text's own ids where there are more than `most` in all.
    pub(crate) fn surrounded_within(&self, mut ids: Vec<u32>, most: usize) -> Vec<u32> {
        ids.truncate(most.saturating_sub(self.inner.affixes.ids().count()));
        self.surrounded(ids)
    }

    fn encode_with(&self, tokenizer: &tokenizers::Tokenizer, text: &str) -> Result<Vec<u32>, DataError> {
        let encoding = joined::encode_fast(tokenizer, text)?;
        let inner = &self.inner;
        let marked = !tokenizer.get_encode_special_tokens();
        if inner.drops
            && let Some(lost) = joined::dropped(&inner.literal, text, marked, &inner.leaves)
        {
            let problem = format!("the vocabulary has no token for `{lost}`, and nothing in its place");
            return Err(DataError::Tokenise { snippet: shorten(text), problem });
        }
        self.with_rows_for(text, encoding.get_ids().to_vec())
    }

    /// The ids, if the backbone has a row for each.
    fn with_rows_for(&self, text: &str, ids: Vec<u32>) -> Result<Vec<u32>, DataError> {
        match ids.iter().find(|&&id| id >= self.rows) {
            None => Ok(ids),
            Some(&id) => Err(DataError::NoRow {
                token: self.inner.literal.id_to_token(id).unwrap_or_default(),
                id,
                rows: self.rows,
                place: format!("`{}`", shorten(text)),
            }),
        }
    }

    fn marked(&self) -> &tokenizers::Tokenizer {
        self.inner.marked.get_or_init(|| {
            let mut marked = self.inner.literal.clone();
            marked.set_encode_special_tokens(false);
            marked
        })
    }

    /// The text of token ids; special and added tokens are left out, ids that are no token are too.
    ///
    /// # Errors
    /// When the tokenizer's decoder refuses.
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let own: Vec<u32> =
            ids.iter().copied().filter(|&id| id < self.inner.vocabulary.min(self.first_added)).collect();
        joined::refused(&format!("{} ids", own.len()), || self.inner.literal.decode(&own, true))
    }

    /// The token as the vocabulary writes it (byte-level tokenizers write a space as `Ġ`).
    pub fn token(&self, id: u32) -> Option<String> {
        match id.checked_sub(self.first_added) {
            Some(place) => self.added.get(place as usize).cloned(),
            None => self.inner.literal.id_to_token(id),
        }
    }

    /// The id of a token written as the vocabulary writes it; added tokens are found too.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        match self.added.iter().position(|added| added == token) {
            Some(place) => Some(self.first_added + place as u32),
            None => self.inner.literal.token_to_id(token),
        }
    }

    /// The one token that a text is: a special token by name, or a text the tokenizer keeps whole.
    ///
    /// # Errors
    /// [`DataError::SplitToken`] with the pieces.
    pub fn single(&self, text: &str) -> Result<u32, DataError> {
        if let Some(id) = self.inner.literal.token_to_id(text) {
            return self.with_rows_for(text, vec![id]).map(|_| id);
        }
        match self.encode(text)?.as_slice() {
            [id] => Ok(*id),
            ids => Err(DataError::SplitToken {
                token: text.to_owned(),
                pieces: ids.iter().filter_map(|&id| self.token(id)).collect(),
            }),
        }
    }

    /// The same tokenizer with new tokens at ids `rows`, `rows + 1`, …, where `rows` is the number of rows of the
    /// backbone's embedding (many checkpoints have spare rows; tokens of the tokenizer from there on must not occur, as
    /// in [`Self::with_rows`]). No text is ever encoded to them: they are put in by the encoder.
    ///
    /// # Errors
    /// A token that is there already; those of [`Self::with_rows`].
    pub fn with_added(&self, tokens: &[&str], rows: u32) -> Result<(Self, Vec<u32>), DataError> {
        let fitting = self.with_rows(rows)?;
        for token in tokens {
            if let Some(id) = self.inner.literal.token_to_id(token) {
                return Err(DataError::TokenExists { token: (*token).to_owned(), id });
            }
        }
        let ids = (rows..).take(tokens.len()).collect();
        let with = Self {
            added: tokens.iter().map(|&token| token.to_owned()).collect(),
            first_added: rows,
            ..fitting
        };
        Ok((with, ids))
    }

    /// Tokens in all: one more than the largest id, added ones not counted.
    pub fn vocabulary(&self) -> u32 {
        self.inner.vocabulary
    }

    /// The token that the tokenizer's files name as the opening one. Whether a text opens with it, the post-processor
    /// says: [`Self::surrounded`].
    pub fn bos(&self) -> Option<u32> {
        self.inner.special.bos
    }

    /// Token that ends a response.
    pub fn eos(&self) -> u32 {
        self.inner.special.eos
    }

    /// Token that fills a batch; the end token where none is named. Never learnt, never attended to.
    pub fn pad(&self) -> u32 {
        self.inner.special.pad.unwrap_or(self.inner.special.eos)
    }

    /// Tokens at which generation ends: [`Self::eos`] and others that `generation_config.json` lists.
    pub fn stops(&self) -> &[u32] {
        &self.inner.special.stops
    }

    /// The ids by which a text goes on after a prompt, whose own ids are `ids`: those of prompt and text as a whole,
    /// without the prompt's. `marked` as in [`Self::encode_all`].
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn continuation(
        &self,
        prompt: &str,
        ids: &[u32],
        text: &str,
        marked: bool,
    ) -> Result<Vec<u32>, DataError> {
        let encode = |text: &str| if marked { self.encode_marked(text) } else { self.encode(text) };
        if self.inner.apart {
            return encode(text);
        }
        let tokenizer = if marked { self.marked() } else { &self.inner.literal };
        if self.inner.drops || self.inner.vocabulary > self.rows {
            encode(&[prompt, text].concat())?;
        }
        joined::continuation(tokenizer, prompt, ids, text)
    }

    /// Ids of a text that stands after other text: without the blank that some tokenizers put in front of a text.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub(crate) fn encode_within(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let ids = self.encode(text)?;
        if self.inner.apart {
            return Ok(ids);
        }
        joined::within(&self.inner.literal, text).and_then(|ids| self.with_rows_for(text, ids))
    }

    /// Whether the ids of a text are the same wherever it stands.
    pub(crate) fn encodes_apart(&self) -> bool {
        self.inner.apart
    }

    /// What the tokenizer's files say and nobody follows, for a warning: whether texts open and end with a special token
    /// is decided by the post-processor alone, as in transformers.
    pub fn remarks(&self) -> Vec<String> {
        let special = &self.inner.special;
        let writes = self.inner.affixes.has(special.bos, special.eos);
        let keys = ["add_bos_token", "add_eos_token"];
        let contradicts = keys.iter().zip(special.adds).zip(writes).filter_map(|((key, says), does)| {
            let says = says.filter(|says| *says != does)?;
            let does = if does { "writes one" } else { "writes none" };
            Some(format!(
                "tokenizer_config.json has `{key}: {says}`, and the post_processor of tokenizer.json {does}: as in transformers, the post-processor counts"
            ))
        });
        contradicts.collect()
    }

    /// The chat template in the tokenizer's files.
    pub fn chat_template(&self) -> Option<&str> {
        self.inner.special.chat_template.as_deref()
    }

    /// Text of the opening token as files name it, whether or not it is put before plain prompts.
    pub(crate) fn bos_text(&self) -> Option<String> {
        self.inner.special.bos.and_then(|id| self.token(id))
    }

    /// Text of the end token.
    pub(crate) fn eos_text(&self) -> String {
        self.token(self.eos()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
