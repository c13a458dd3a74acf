//! The indicator tokens: the ids with which an expert accepts or rejects a query.

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::tokenizer::Tokenizer;

/// How an indicator's text becomes ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IndicatorForm {
    /// A new token, whose embedding and head rows the expert trains.
    NewToken,
    /// A token that the tokenizer already has.
    ExistingToken,
    /// Text of any number of tokens.
    Text,
}

/// Token ids with which an expert accepts or rejects a query. Neither list is empty; each has exactly one id, except
/// for [`IndicatorForm::Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndicatorTokens {
    /// Ids of the accepting indicator.
    pub accept: Vec<u32>,
    /// Ids of the rejecting indicator.
    pub reject: Vec<u32>,
}

impl IndicatorTokens {
    /// Looks the indicators up, or adds them with ids `rows` (accept) and `rows + 1` (reject); also returns the
    /// tokenizer that includes them. `rows` is the number of rows of the backbone's embedding.
    ///
    /// # Errors
    /// Indicators of which one is empty or a prefix of the other (or equal to it); an existing token that is split or
    /// that the backbone has no row for; a new token that already exists.
    pub fn new(
        tokenizer: &Tokenizer,
        form: IndicatorForm,
        accept: &str,
        reject: &str,
        rows: u32,
    ) -> Result<(Tokenizer, Self), DataError> {
        let alike = || DataError::IndicatorsAlike { accept: accept.to_owned(), reject: reject.to_owned() };
        if accept.is_empty() || reject.is_empty() || accept == reject {
            return Err(alike());
        }
        let tokenizer = &tokenizer.with_rows(rows)?;
        let (with, indicators) = match form {
            IndicatorForm::NewToken => {
                let (with, ids) = tokenizer.with_added(&[accept, reject], rows)?;
                let (accept, reject) = ids.split_at(1);
                (with, Self { accept: accept.to_vec(), reject: reject.to_vec() })
            }
            IndicatorForm::ExistingToken => (
                tokenizer.clone(),
                Self { accept: vec![tokenizer.single(accept)?], reject: vec![tokenizer.single(reject)?] },
            ),
            IndicatorForm::Text => (
                tokenizer.clone(),
                Self { accept: tokenizer.encode_within(accept)?, reject: tokenizer.encode_within(reject)? },
            ),
        };
        let starts = |one: &[u32], other: &[u32]| one.is_empty() || other.starts_with(one);
        if starts(&indicators.accept, &indicators.reject) || starts(&indicators.reject, &indicators.accept) {
            return Err(alike());
        }
        Ok((with, indicators))
    }
}
