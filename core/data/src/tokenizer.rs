//! Tokenizers: a byte-level BPE trained by Cadre, or a Hugging Face `tokenizer.json`. Text is encoded literally: a
//! special token written out in a dataset stays text, unless a template writes it.

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

/// Special tokens of a trained tokenizer, in the order of their ids.
pub const SPECIAL_TOKENS: [&str; 3] = ["<pad>", "<bos>", "<eos>"];

/// Minimum size of a trained tokenizer: the 256 bytes and the special tokens.
pub const MIN_VOCABULARY: u32 = 256 + SPECIAL_TOKENS.len() as u32;

/// A text that the tokenizer of any language model has tokens for.
const PROBE: &str = "Say it again: 0 1 2";

/// Minimum number of occurrences of a pair in the training text to become a token.
const MIN_PAIR_COUNT: u64 = 2;

/// A tokenizer with its special tokens and additional indicator tokens. Cheap to clone.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
    added: Arc<[String]>,
    first_added: u32,
    /// Number of rows of the backbone's embedding; ids at or above it must not occur.
    rows: u32,
}

struct Inner {
    /// Encodes special tokens in a text as plain text.
    literal: tokenizers::Tokenizer,
    /// Encodes special tokens in a text as special tokens; only chat templates need it.
    marked: OnceLock<tokenizers::Tokenizer>,
    /// Whether [`words`] gives the same result as `literal`.
    by_words: bool,
    /// Whether the ids of a text are independent of the preceding text.
    apart: bool,
    /// Whether characters without a token are dropped silently. `leaves` caches which characters have a token.
    drops: bool,
    leaves: joined::Leaves,
    special: SpecialTokens,
    /// Tokens that the post-processor adds before and after a text.
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
    /// Trains a byte-level BPE (with GPT-2's pre-tokenisation) of at most `size` tokens, including [`SPECIAL_TOKENS`]
    /// and the 256 bytes. It has fewer tokens if the texts have no more pairs that occur twice. The same texts give the
    /// same tokenizer, in any order.
    ///
    /// # Errors
    /// `size` is below [`MIN_VOCABULARY`].
    pub fn train_bpe(texts: &mut (dyn Iterator<Item = &str> + Send), size: u32) -> Result<Self, DataError> {
        let trouble = |problem: String| DataError::TokenizerTraining { size, problem };
        if size < MIN_VOCABULARY {
            return Err(trouble(format!(
                "at least {MIN_VOCABULARY} are required: 256 bytes and {}",
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
    /// A missing or malformed file, no file that defines an end token, or a special token that the tokenizer does not
    /// have.
    pub fn from_file(path: &Path) -> Result<Self, DataError> {
        let file = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        const EXPECTED: &str = "a Hugging Face tokenizer.json";
        let bytes = read_file(&file, EXPECTED)?;
        // The tokenizers crate aborts the program on some files that are not valid JSON, even on an invalid escape in a
        // text.
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
                    "it encodes `{PROBE}` to no token at all, so its vocabulary is unusable"
                )));
            }
            Ok(tokenizer)
        };
        contain(read).unwrap_or_else(|problem| Err(trouble(problem)))
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json` to a folder, from which [`Self::from_file`] loads the same
    /// tokenizer. Added tokens are not written, because they belong to an expert.
    ///
    /// # Errors
    /// A file cannot be written.
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
        // Files may have settings of the model that was served with them; only the encoder must truncate examples.
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

    /// The same tokenizer for a backbone whose embedding has this number of rows. There may be fewer rows than tokens
    /// (published Gemma 3 has an image token for which its text model has no row): such an id must not occur.
    ///
    /// # Errors
    /// The end token, or a token that the tokenizer adds to every text, has no row.
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

    /// Token ids of a text, encoded literally: no tokens are added around it, and special tokens written out in it are
    /// plain text.
    ///
    /// # Errors
    /// Text that the tokenizer has no token for (never with a byte-level one), or a token without a row
    /// ([`Self::with_rows`]).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        if self.inner.by_words && !self.inner.drops {
            return self.with_rows_for(text, words::encode(&self.inner.literal, text)?);
        }
        self.encode_with(&self.inner.literal, text)
    }

    /// Like [`Self::encode`], but special tokens written out in the text are encoded as special tokens: for text from a
    /// chat template.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_marked(&self, text: &str) -> Result<Vec<u32>, DataError> {
        self.encode_with(self.marked(), text)
    }

    /// Like [`Self::encode`] (or [`Self::encode_marked`] if `marked`) for many texts, on all cores.
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

    /// The ids of a text with the tokens that the tokenizer's post-processor adds around it: the result of
    /// transformers' `tokenizer(text)`. Never empty: without any ids, it is the opening token, or else the end token.
    pub fn surrounded(&self, ids: Vec<u32>) -> Vec<u32> {
        let ids = self.inner.affixes.put(ids);
        if ids.is_empty() {
            vec![self.bos().filter(|&bos| bos < self.rows).unwrap_or(self.eos())]
        } else {
            ids
        }
    }

    /// Like [`Self::surrounded`], but truncates the text's own ids so that there are at most `most` in all.
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
            let problem =
                format!("the vocabulary has no token for `{lost}` and no replacement for unknown characters");
            return Err(DataError::Tokenise { snippet: shorten(text), problem });
        }
        self.with_rows_for(text, encoding.get_ids().to_vec())
    }

    /// Returns the ids if the backbone has a row for each of them.
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

    /// The text of token ids. Special and added tokens, and ids that are not tokens, are skipped.
    ///
    /// # Errors
    /// The tokenizer's decoder fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, DataError> {
        let own: Vec<u32> =
            ids.iter().copied().filter(|&id| id < self.inner.vocabulary.min(self.first_added)).collect();
        joined::refused(&format!("{} ids", own.len()), || self.inner.literal.decode(&own, true))
    }

    /// The token as written in the vocabulary (byte-level tokenizers write a space as `Ġ`).
    pub fn token(&self, id: u32) -> Option<String> {
        match id.checked_sub(self.first_added) {
            Some(place) => self.added.get(place as usize).cloned(),
            None => self.inner.literal.id_to_token(id),
        }
    }

    /// The id of a token as written in the vocabulary, or of an added token.
    pub fn id_of(&self, token: &str) -> Option<u32> {
        match self.added.iter().position(|added| added == token) {
            Some(place) => Some(self.first_added + place as u32),
            None => self.inner.literal.token_to_id(token),
        }
    }

    /// The single token that a text consists of: a special token by name, or a text that the tokenizer does not split.
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
    /// backbone's embedding (many checkpoints have spare rows; the tokenizer's own tokens at or above `rows` must not
    /// occur, as in [`Self::with_rows`]). No text is ever encoded to the new tokens; only the encoder inserts them.
    ///
    /// # Errors
    /// A token that already exists, and the errors of [`Self::with_rows`].
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

    /// Size of the vocabulary: the largest id plus one, without added tokens.
    pub fn vocabulary(&self) -> u32 {
        self.inner.vocabulary
    }

    /// The opening token that the tokenizer's files define. The post-processor decides whether a text begins with it:
    /// see [`Self::surrounded`].
    pub fn bos(&self) -> Option<u32> {
        self.inner.special.bos
    }

    /// The token that ends a response.
    pub fn eos(&self) -> u32 {
        self.inner.special.eos
    }

    /// The token that pads a batch; the end token if none is defined. It never has a loss and is never attended to.
    pub fn pad(&self) -> u32 {
        self.inner.special.pad.unwrap_or(self.inner.special.eos)
    }

    /// The tokens that end a generation: [`Self::eos`] and others listed in `generation_config.json`.
    pub fn stops(&self) -> &[u32] {
        &self.inner.special.stops
    }

    /// The ids with which a text continues a prompt whose own ids are `ids`: those of prompt and text encoded as one,
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

    /// Ids of a text in the middle of other text: without the blank that some tokenizers insert before a text.
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

    /// Whether the ids of a text are independent of the preceding text.
    pub(crate) fn encodes_apart(&self) -> bool {
        self.inner.apart
    }

    /// Warnings about settings in the tokenizer's files that have no effect: as in transformers, only the
    /// post-processor decides whether texts begin and end with a special token.
    pub fn remarks(&self) -> Vec<String> {
        let special = &self.inner.special;
        let writes = self.inner.affixes.has(special.bos, special.eos);
        let keys = ["add_bos_token", "add_eos_token"];
        let contradicts = keys.iter().zip(special.adds).zip(writes).filter_map(|((key, says), does)| {
            let says = says.filter(|says| *says != does)?;
            let does = if does { "writes one" } else { "writes none" };
            Some(format!(
                "tokenizer_config.json has `{key}: {says}`, but the post_processor of tokenizer.json {does}; as in transformers, the post-processor takes precedence"
            ))
        });
        contradicts.collect()
    }

    /// The chat template in the tokenizer's files.
    pub fn chat_template(&self) -> Option<&str> {
        self.inner.special.chat_template.as_deref()
    }

    /// Text of the opening token that the files define, whether or not it is added to plain prompts.
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
