//! The special tokens of a tokenizer as Hugging Face files name them. Never guesses one by its looks.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::SPECIAL_TOKENS;
use crate::error::DataError;
use crate::format::parse_json_file;

/// Files that may name special tokens, the first that does wins.
const FILES: [&str; 4] =
    ["tokenizer_config.json", "special_tokens_map.json", "generation_config.json", "config.json"];

/// What the files beside a `tokenizer.json` say.
#[derive(Debug, Clone)]
pub(super) struct SpecialTokens {
    pub(super) bos: Option<u32>,
    pub(super) eos: u32,
    pub(super) pad: Option<u32>,
    /// Whether sequences open with `bos`.
    pub(super) puts_bos: bool,
    /// All ids that end a generation, `eos` first.
    pub(super) stops: Vec<u32>,
    pub(super) chat_template: Option<String>,
}

impl SpecialTokens {
    /// Those of a tokenizer trained here.
    pub(super) fn trained(tokenizer: &tokenizers::Tokenizer) -> Self {
        let id = |place: usize| tokenizer.token_to_id(SPECIAL_TOKENS[place]);
        let eos = id(2).unwrap_or_default();
        Self { bos: id(1), eos, pad: id(0), puts_bos: true, stops: vec![eos], chat_template: None }
    }

    /// Those named in the files of a folder.
    pub(super) fn read(folder: &Path, tokenizer: &tokenizers::Tokenizer) -> Result<Self, DataError> {
        let mut files = Vec::new();
        for name in FILES {
            let file = folder.join(name);
            if file.is_file() {
                let value: Map<String, Value> = parse_json_file(&file, "a JSON object")?;
                files.push((name, value));
            }
        }
        let find = |token: &'static str| -> Result<Vec<u32>, DataError> {
            for (name, file) in &files {
                let named = ids(file, token, tokenizer).map_err(|text| DataError::Tokenizer {
                    file: folder.join(name),
                    problem: format!("{token} is `{text}`, which tokenizer.json does not have"),
                })?;
                if !named.is_empty() {
                    return Ok(named);
                }
            }
            Ok(Vec::new())
        };
        let Some(eos) = find("eos_token")?.first().copied() else {
            return Err(DataError::NoSpecialToken {
                folder: folder.to_owned(),
                token: "eos_token",
                searched: FILES.iter().map(|&name| name.to_owned()).collect(),
            });
        };
        let mut stops = vec![eos];
        for (_, file) in files.iter().filter(|(name, _)| *name == "generation_config.json") {
            for id in ids(file, "eos_token", tokenizer).unwrap_or_default() {
                if !stops.contains(&id) {
                    stops.push(id);
                }
            }
        }
        let config = files.iter().find(|(name, _)| *name == FILES[0]);
        let puts_bos =
            config.and_then(|(_, file)| file.get("add_bos_token")).and_then(Value::as_bool).unwrap_or(true);
        Ok(Self {
            bos: find("bos_token")?.first().copied(),
            eos,
            pad: find("pad_token")?.first().copied(),
            puts_bos,
            stops,
            chat_template: chat_template(folder, config.map(|(_, file)| file))?,
        })
    }
}

/// The ids a file gives a special token: `<token>` as text or as an object with `content`, or `<token>_id` as a
/// number or a list. The text of a token the tokenizer lacks is the error.
fn ids(
    file: &Map<String, Value>,
    token: &str,
    tokenizer: &tokenizers::Tokenizer,
) -> Result<Vec<u32>, String> {
    let content = match file.get(token) {
        Some(Value::String(text)) => Some(text.as_str()),
        Some(Value::Object(object)) => object.get("content").and_then(Value::as_str),
        _ => None,
    };
    if let Some(text) = content {
        return match tokenizer.token_to_id(text) {
            Some(id) => Ok(vec![id]),
            None => Err(text.to_owned()),
        };
    }
    let numbers = match file.get(&format!("{token}_id")) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(number) => std::slice::from_ref(number),
        None => &[],
    };
    let mut found = Vec::new();
    for number in numbers.iter().filter(|number| !number.is_null()) {
        let id = number.as_u64().and_then(|id| u32::try_from(id).ok());
        match id.filter(|&id| tokenizer.id_to_token(id).is_some()) {
            Some(id) => found.push(id),
            None => return Err(number.to_string()),
        }
    }
    Ok(found)
}

/// `chat_template.jinja`, or what `tokenizer_config.json` has under `chat_template`: a text, or a list of named
/// ones of which `default` is taken.
fn chat_template(folder: &Path, config: Option<&Map<String, Value>>) -> Result<Option<String>, DataError> {
    let file = folder.join("chat_template.jinja");
    if file.is_file() {
        return std::fs::read_to_string(&file).map(Some).map_err(|source| DataError::Read { file, source });
    }
    Ok(match config.and_then(|config| config.get("chat_template")) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(list)) => list
            .iter()
            .find(|entry| entry.get("name").and_then(Value::as_str) == Some("default"))
            .and_then(|entry| entry.get("template"))
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => None,
    })
}

/// Writes what [`SpecialTokens::read`] needs to find the same again.
pub(super) fn save_config(
    folder: &Path,
    special: &SpecialTokens,
    tokenizer: &tokenizers::Tokenizer,
) -> Result<(), DataError> {
    let text = |id: Option<u32>| id.and_then(|id| tokenizer.id_to_token(id));
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": text(special.bos),
        "eos_token": text(Some(special.eos)),
        "pad_token": text(special.pad),
        "add_bos_token": special.puts_bos,
        "chat_template": special.chat_template,
    });
    write(folder, "tokenizer_config.json", &config)?;
    if special.stops.len() > 1 {
        write(folder, "generation_config.json", &json!({ "eos_token_id": special.stops }))?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, value: &Value) -> Result<(), DataError> {
    let file = folder.join(name);
    std::fs::write(&file, format!("{value:#}\n")).map_err(|source| DataError::Read { file, source })
}
