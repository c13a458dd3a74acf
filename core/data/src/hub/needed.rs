//! Which files of a repository are needed, and which are visibly missing in a local copy.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::format::{ROW_ENDINGS, row_ending};

/// What a name on the Hub is used as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubUse {
    /// Rows: files ending in `.jsonl`, `.json`, `.csv`, `.tsv` (also compressed as `.gz` or `.zst`) or `.parquet`.
    Dataset,
    /// A backbone: configuration, weights, tokenizer.
    Checkpoint,
    /// A tokenizer alone.
    Tokenizer,
    /// A LoRA adapter in PEFT's layout.
    Adapter,
}

const TOKENIZER: [&str; 5] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
];
const INDEX: &str = "model.safetensors.index.json";

impl HubUse {
    /// Whether a file is needed. `folder` is the folder or file in the name, if there is one.
    pub(super) fn needs(self, folder: Option<&str>, file: &str) -> bool {
        let inner = match folder {
            None => file,
            // The name may refer to a single file.
            Some(folder) if self == Self::Dataset && folder == file => file,
            Some(folder) => match file.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) {
                Some(inner) => inner,
                None => return false,
            },
        };
        match self {
            Self::Dataset => {
                let hidden = inner.split('/').any(|part| part.starts_with('.'));
                !hidden && row_ending(Path::new(inner)).is_some_and(|ending| ROW_ENDINGS.contains(&ending))
            }
            Self::Tokenizer => TOKENIZER.contains(&inner),
            Self::Checkpoint => {
                // `consolidated.safetensors` contains the same weights again, under other names.
                let others = ["adapter_", "consolidated"];
                let weights =
                    inner.ends_with(".safetensors") && !others.iter().any(|other| inner.starts_with(other));
                inner == "config.json"
                    || inner == INDEX
                    || TOKENIZER.contains(&inner)
                    || (weights && !inner.contains('/'))
            }
            Self::Adapter => ["adapter_config.json", "adapter_model.safetensors"].contains(&inner),
        }
    }

    /// The files that are needed, for messages.
    pub(super) fn files(self) -> &'static str {
        match self {
            Self::Dataset => "files ending in .jsonl, .json, .csv, .tsv or .parquet",
            Self::Checkpoint => "config.json, *.safetensors and tokenizer.json",
            Self::Tokenizer => "tokenizer.json",
            Self::Adapter => "adapter_config.json and adapter_model.safetensors",
        }
    }

    /// What is visibly missing in a copy for which there is no list of files.
    pub(super) fn missing(self, place: &Path) -> Option<String> {
        let absent = |names: &[&str]| {
            let name = names.iter().find(|name| !place.join(name).is_file())?;
            Some(format!("{} is missing", place.join(name).display()))
        };
        match self {
            Self::Dataset => {
                (!any_rows(place, 8)).then(|| format!("there are no rows in {}", place.display()))
            }
            Self::Tokenizer => absent(&["tokenizer.json"]),
            Self::Adapter => absent(&["adapter_config.json", "adapter_model.safetensors"]),
            Self::Checkpoint => absent(&["config.json", "tokenizer.json"]).or_else(|| missing_weights(place)),
        }
    }
}

/// The missing shards of an index, or without an index, missing weights.
fn missing_weights(place: &Path) -> Option<String> {
    let index = place.join(INDEX);
    if let Ok(text) = std::fs::read(&index) {
        let Ok(Value::Object(index_of)) = serde_json::from_slice(&text) else {
            return Some(format!("{} is not JSON", index.display()));
        };
        let map = index_of.get("weight_map").and_then(Value::as_object);
        let shards: BTreeSet<&str> =
            map.into_iter().flat_map(|map| map.values()).filter_map(Value::as_str).collect();
        let missing: Vec<&str> =
            shards.iter().copied().filter(|shard| !place.join(shard).is_file()).collect();
        let first = missing.first()?;
        let (count, all) = (missing.len(), shards.len());
        return Some(format!("{count} of {all} shards listed in {INDEX} are missing, such as {first}"));
    }
    let has_weights = std::fs::read_dir(place).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.path().extension().is_some_and(|ending| ending == "safetensors"))
        })
    });
    (!has_weights).then(|| format!("there are no *.safetensors in {}", place.display()))
}

/// Whether there is a file of rows in this folder or below it.
fn any_rows(place: &Path, depth: usize) -> bool {
    if place.is_file() {
        return true;
    }
    let Ok(entries) = std::fs::read_dir(place) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            depth > 0 && any_rows(&path, depth - 1)
        } else {
            HubUse::Dataset.needs(None, &name)
        }
    })
}
