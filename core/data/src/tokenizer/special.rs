//! The special tokens of a tokenizer as defined in Hugging Face's files. They must never be guessed from their
//! spelling.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::SPECIAL_TOKENS;
use crate::error::DataError;
use crate::format::parse_json_file;
use crate::template::read_template;

/// The tokenizer's files that define special tokens.
const CONFIG: &str = "tokenizer_config.json";
const MAP: &str = "special_tokens_map.json";
/// The model's files that define special tokens by id.
const GENERATION: &str = "generation_config.json";
const MODEL: &str = "config.json";

/// Defaults of transformers' tokenizer classes: class, opening token, end token.
const CLASSES: [(&str, &str, &str); 4] = [
    ("LlamaTokenizer", "<s>", "</s>"),
    ("GPT2Tokenizer", "<|endoftext|>", "<|endoftext|>"),
    ("GemmaTokenizer", "<bos>", "<eos>"),
    ("CodeLlamaTokenizer", "<s>", "</s>"),
];

/// The settings in the files beside a `tokenizer.json`.
#[derive(Debug, Clone)]
pub(super) struct SpecialTokens {
    pub(super) bos: Option<u32>,
    pub(super) eos: u32,
    pub(super) pad: Option<u32>,
    /// All ids that end a generation, `eos` first.
    pub(super) stops: Vec<u32>,
    pub(super) chat_template: Option<String>,
    /// `add_bos_token` and `add_eos_token`, which have no effect.
    pub(super) adds: [Option<bool>; 2],
}

impl SpecialTokens {
    /// The special tokens of a tokenizer trained by Cadre.
    pub(super) fn trained(tokenizer: &tokenizers::Tokenizer) -> Self {
        let id = |index: usize| tokenizer.token_to_id(SPECIAL_TOKENS[index]);
        let eos = id(2).unwrap_or_default();
        Self { bos: id(1), eos, pad: id(0), stops: vec![eos], chat_template: None, adds: [None, None] }
    }

    /// Reads the special tokens from the files in a folder.
    pub(super) fn read(folder: &Path, tokenizer: &tokenizers::Tokenizer) -> Result<Self, DataError> {
        let read = |name: &'static str| -> Result<Option<Map<String, Value>>, DataError> {
            let file = folder.join(name);
            if file.is_file() { parse_json_file(&file, "a JSON object").map(Some) } else { Ok(None) }
        };
        let files = Files {
            folder,
            tokenizer,
            config: read(CONFIG)?,
            map: read(MAP)?,
            generation: read(GENERATION)?,
            model: read(MODEL)?,
        };
        let ends = files.ends()?;
        let Some(eos) = ends.first().copied() else {
            return Err(DataError::NoSpecialToken {
                folder: folder.to_owned(),
                token: "eos_token",
                searched: [CONFIG, MAP, GENERATION, MODEL].map(str::to_owned).to_vec(),
            });
        };
        let mut stops = vec![eos];
        let generation = files.generation.as_ref();
        for id in generation.and_then(|file| ids(file, "eos_token", tokenizer).ok()).unwrap_or_default() {
            if !stops.contains(&id) {
                stops.push(id);
            }
        }
        Ok(Self {
            bos: files.named("bos_token")?.first().copied(),
            eos,
            pad: files.named("pad_token")?.first().copied(),
            stops,
            adds: ["add_bos_token", "add_eos_token"]
                .map(|key| files.config.as_ref().and_then(|file| file.get(key)).and_then(Value::as_bool)),
            chat_template: chat_template(folder, files.config.as_ref())?,
        })
    }
}

struct Files<'a> {
    folder: &'a Path,
    tokenizer: &'a tokenizers::Tokenizer,
    config: Option<Map<String, Value>>,
    map: Option<Map<String, Value>>,
    generation: Option<Map<String, Value>>,
    model: Option<Map<String, Value>>,
}

impl Files<'_> {
    /// The ids of a token according to the tokenizer's own files, read like transformers: `special_tokens_map.json`
    /// takes precedence over `tokenizer_config.json`, but is ignored if the latter lists an `added_tokens_decoder`.
    /// `None` if no file has the key; empty if a file states that there is no such token.
    fn of_tokenizer(&self, token: &str) -> Result<Option<Vec<u32>>, DataError> {
        let listed = |file: &Map<String, Value>| file.contains_key("added_tokens_decoder");
        let map = self.map.as_ref().filter(|_| !self.config.as_ref().is_some_and(listed));
        for (name, file) in [(MAP, map), (CONFIG, self.config.as_ref())] {
            match file {
                Some(file) if file.contains_key(token) => return self.ids(name, file, token).map(Some),
                _ => {}
            }
        }
        let class = self.config.as_ref().and_then(|file| file.get("tokenizer_class")).and_then(Value::as_str);
        let class = class.map(|class| class.strip_suffix("Fast").unwrap_or(class));
        let known = CLASSES.iter().find(|(name, ..)| Some(*name) == class);
        let text = known.and_then(|(_, bos, eos)| match token {
            "bos_token" => Some(*bos),
            "eos_token" => Some(*eos),
            _ => None,
        });
        Ok(text.and_then(|text| self.tokenizer.token_to_id(text)).map(|id| vec![id]))
    }

    /// The ids of an optional token. The model's files are used only if the tokenizer has no configuration file.
    fn named(&self, token: &'static str) -> Result<Vec<u32>, DataError> {
        if let Some(ids) = self.of_tokenizer(token)? {
            return Ok(ids);
        }
        if self.config.is_some() {
            return Ok(Vec::new());
        }
        self.of_model(token, &[(GENERATION, &self.generation), (MODEL, &self.model)])
    }

    /// The ids of the end token, which training requires. The model's files define it if the tokenizer's do not.
    fn ends(&self) -> Result<Vec<u32>, DataError> {
        match self.of_tokenizer("eos_token")? {
            Some(ids) if !ids.is_empty() => Ok(ids),
            // The tokenizer states that it has none; `generation_config.json` may still define how a generation ends.
            Some(_) => self.of_model("eos_token", &[(GENERATION, &self.generation)]),
            None => self.of_model("eos_token", &[(GENERATION, &self.generation), (MODEL, &self.model)]),
        }
    }

    fn of_model(
        &self,
        token: &str,
        files: &[(&str, &Option<Map<String, Value>>)],
    ) -> Result<Vec<u32>, DataError> {
        for (name, file) in files {
            if let Some(file) = file {
                let found = self.ids(name, file, token)?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
        Ok(Vec::new())
    }

    fn ids(&self, name: &str, file: &Map<String, Value>, token: &str) -> Result<Vec<u32>, DataError> {
        ids(file, token, self.tokenizer).map_err(|text| DataError::Tokenizer {
            file: self.folder.join(name),
            problem: format!("{token} is `{}`, which tokenizer.json does not have", text.escape_debug()),
        })
    }
}

/// The ids that a file gives for a special token: `<token>` as text or as an object with `content`, or `<token>_id` as
/// a number or a list. The error is the text of a token that the tokenizer does not have.
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

/// `chat_template.jinja`, or `chat_template` in `tokenizer_config.json`: a text, or a list of named templates of which
/// `default` is used.
fn chat_template(folder: &Path, config: Option<&Map<String, Value>>) -> Result<Option<String>, DataError> {
    let file = folder.join("chat_template.jinja");
    if file.is_file() {
        return read_template(&file, "a chat template").map(Some);
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

/// Writes the files from which [`SpecialTokens::read`] restores the same special tokens.
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

#[cfg(test)]
mod tests;
