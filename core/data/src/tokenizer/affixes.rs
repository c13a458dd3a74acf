//! The tokens that a tokenizer's post-processor adds around a text. They cannot be derived from the other files: a file
//! may define an opening token that is never written.

use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{Encoding, Token, Tokenizer};

/// Ids before and after every text.
#[derive(Debug, Clone, Default)]
pub(super) struct Affixes {
    before: Vec<u32>,
    behind: Vec<u32>,
}

impl Affixes {
    /// Runs the post-processor on a placeholder for a text. `None` if it removes the placeholder.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        const TEXT: u32 = u32::MAX;
        let text = Encoding::from_tokens(vec![Token::new(TEXT, "a".into(), (0, 1))], 0);
        let affixes = tokenizer.post_process(text, None, true).ok()?;
        let ids = affixes.get_ids();
        let index = ids.iter().position(|&id| id == TEXT)?;
        Some(Self { before: ids[..index].to_vec(), behind: ids[index + 1..].to_vec() })
    }

    pub(super) fn put(&self, text: Vec<u32>) -> Vec<u32> {
        if self.before.is_empty() && self.behind.is_empty() {
            return text;
        }
        [self.before.as_slice(), &text, &self.behind].concat()
    }

    /// Whether the first id before a text is `first`, and whether the last id after it is `last`.
    pub(super) fn has(&self, first: Option<u32>, last: u32) -> [bool; 2] {
        [first.is_some() && self.before.first().copied() == first, self.behind.last() == Some(&last)]
    }

    /// All ids before and after a text.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.before.iter().chain(&self.behind).copied()
    }
}

/// A post-processor that begins every text with this token.
pub(super) fn opened_by(token: &str, tokenizer: &Tokenizer) -> Result<TemplateProcessing, String> {
    let id = tokenizer.token_to_id(token).ok_or_else(|| format!("no token `{token}`"))?;
    let mut builder = TemplateProcessing::builder();
    builder.try_single(format!("{token} $A")).map_err(|error| error.to_string())?;
    builder.try_pair(format!("{token} $A {token}:1 $B:1")).map_err(|error| error.to_string())?;
    builder.special_tokens(vec![(token.to_owned(), id)]).build().map_err(|error| error.to_string())
}
