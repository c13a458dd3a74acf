//! A cache of opened tokenizers: a sweep plans a thousand recipes with one backbone. Changed files are read again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use cadre_data::{DataError, Tokenizer};

/// The files of a tokenizer.
const FILES: [&str; 6] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "config.json",
    "chat_template.jinja",
];

/// Size and time of each existing file.
type Stamps = Vec<Option<(u64, Option<SystemTime>)>>;

static OPENED: Mutex<Option<HashMap<PathBuf, (Stamps, Tokenizer)>>> = Mutex::new(None);

/// The tokenizer of this file, or of this folder.
///
/// # Errors
/// A tokenizer that cannot be used ([`Tokenizer::from_file`]).
pub(crate) fn opened(path: &Path) -> Result<Tokenizer, DataError> {
    let stamps = stamps(path);
    {
        let known = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, tokenizer)) = known.as_ref().and_then(|known| known.get(path))
            && *then == stamps
        {
            return Ok(tokenizer.clone());
        }
    }
    let tokenizer = Tokenizer::from_file(path)?;
    let mut known = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    known.get_or_insert_default().insert(path.to_owned(), (stamps, tokenizer.clone()));
    Ok(tokenizer)
}

fn stamps(path: &Path) -> Stamps {
    let stamp = |file: &Path| {
        let found = std::fs::metadata(file).ok()?;
        Some((found.len(), found.modified().ok()))
    };
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let beside = FILES.iter().map(|name| stamp(&folder.join(name)));
    std::iter::once(stamp(path)).chain(beside).collect()
}
