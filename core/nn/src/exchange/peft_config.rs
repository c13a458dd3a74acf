//! Reads PEFT's `adapter_config.json`: keys that scale an update or select modules, keys that have no effect on the
//! result, and unsupported settings. A key in none of the lists must be refused, because it may change the result.

use std::path::{Path, PathBuf};

use cadre_checkpoint::{CheckpointError, LARGEST_CONFIG, read_json};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::peft_targets::{Chosen, PeftTargets};
use crate::adapter::AdapterKind;
use crate::error::NnError;

/// Keys that must be absent, null, false, empty, or equal to the given text.
const REFUSED: &[(&str, &str)] = &[
    ("bias", "none"),
    ("lora_bias", ""),
    ("fan_in_fan_out", ""),
    ("modules_to_save", ""),
    ("layer_replication", ""),
    ("target_parameters", ""),
    ("alora_invocation_tokens", ""),
    ("arrow_config", ""),
    ("use_qalora", ""),
    ("use_bdlora", ""),
    ("megatron_config", ""),
    ("kasa_config", ""),
    ("monteclora_config", ""),
    ("velora_config", ""),
];

/// Keys that are read, whatever the kind.
const READ: &[&str] = &["peft_type", "target_modules", "exclude_modules"];

/// Keys that are read of LoRA and DoRA.
const READ_OF_LORA: &[&str] = &[
    "r",
    "lora_alpha",
    "lora_dropout",
    "use_dora",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "trainable_token_indices",
    "init_lora_weights",
    "layers_to_transform",
    "layers_pattern",
];

/// Keys that are read of IA3.
const READ_OF_IA3: &[&str] = &["feedforward_modules", "init_ia3_weights"];

/// Keys that do not change what a trained adapter computes: its origin, how it was initialised and trained, and where
/// it is loaded. (`lora_dtype` and `lorap_…` are written by ms-swift.)
const HARMLESS: &[&str] = &[
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "inference_mode",
    "loftq_config",
    "lora_dtype",
    "lora_ga_config",
    "lorap_emb_lr",
    "lorap_lr_ratio",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "task_type",
];

/// Values of `init_lora_weights` that leave the backbone's weights unchanged; others may change them too.
const PLAIN_STARTS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// The kind and the scaling of a PEFT adapter.
#[derive(Debug)]
pub(super) struct PeftConfig {
    path: PathBuf,
    pub(super) kind: AdapterKind,
    /// IA3's modules whose inputs are scaled, as given.
    feedforward: Value,
    rank: usize,
    alpha: f64,
    ranks: Vec<(Regex, f64)>,
    alphas: Vec<(Regex, f64)>,
    root: bool,
    pub(super) dropout: f64,
    /// Ids of trained rows by table; the table is `None` if the file gives a bare list.
    pub(super) tokens: Vec<(Option<String>, Vec<usize>)>,
    /// The selected modules; `None` if the file does not specify them.
    pub(super) targets: Option<PeftTargets>,
}

#[derive(Deserialize)]
struct Typed {
    peft_type: String,
    #[serde(default)]
    use_dora: Option<bool>,
    #[serde(default)]
    feedforward_modules: Value,
}

/// The settings of LoRA and DoRA.
#[derive(Deserialize)]
struct Raw {
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    use_rslora: Option<bool>,
    #[serde(default)]
    rank_pattern: Option<Map<String, Value>>,
    #[serde(default)]
    alpha_pattern: Option<Map<String, Value>>,
    #[serde(default)]
    trainable_token_indices: Option<Value>,
    #[serde(default)]
    init_lora_weights: Option<Value>,
}

impl PeftConfig {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// A missing or malformed file, another kind of adapter, or an unsupported setting.
    pub(super) fn read(path: &Path) -> Result<Self, NnError> {
        let json = |source| CheckpointError::Json { path: path.into(), source };
        let value: Value = read_json(path, LARGEST_CONFIG)?;
        let unsupported = |key, value: &Value| {
            Err(CheckpointError::Unsupported { path: path.into(), key, value: value.to_string() }.into())
        };
        for (key, neutral) in REFUSED {
            if let Some(found) = value.get(key).filter(|found| !is_neutral(found, neutral)) {
                return unsupported(key, found);
            }
        }
        let typed: Typed = serde_json::from_value(value.clone()).map_err(json)?;
        let (kind, own) = match typed.peft_type.as_str() {
            "LORA" if typed.use_dora == Some(true) => (AdapterKind::Dora, READ_OF_LORA),
            "LORA" => (AdapterKind::Lora, READ_OF_LORA),
            "IA3" => (AdapterKind::Ia3, READ_OF_IA3),
            _ => return unsupported("peft_type", &Value::String(typed.peft_type)),
        };
        let known = |key: &str| {
            READ.contains(&key)
                || own.contains(&key)
                || HARMLESS.contains(&key)
                || REFUSED.iter().any(|(refused, _)| *refused == key)
        };
        let unknown = value.as_object().into_iter().flatten();
        if let Some((key, found)) =
            unknown.into_iter().find(|(key, found)| !known(key) && !is_neutral(found, ""))
        {
            return Err(NnError::AdapterKey { path: path.into(), key: key.clone(), value: short(found) });
        }
        let chosen: Chosen = serde_json::from_value(value.clone()).map_err(json)?;
        let targets = PeftTargets::read(path, &chosen)?;
        if kind == AdapterKind::Ia3 {
            return Ok(Self {
                path: path.into(),
                kind,
                feedforward: typed.feedforward_modules,
                rank: 0,
                alpha: 0.0,
                ranks: Vec::new(),
                alphas: Vec::new(),
                root: false,
                dropout: 0.0,
                tokens: Vec::new(),
                targets,
            });
        }
        let raw: Raw = serde_json::from_value(value).map_err(json)?;
        if let Some(start) = raw.init_lora_weights.as_ref()
            && start.as_str().is_some_and(|start| !PLAIN_STARTS.contains(&start.to_lowercase().as_str()))
        {
            return unsupported("init_lora_weights", start);
        }
        let tokens = match &raw.trainable_token_indices {
            None | Some(Value::Null) => Vec::new(),
            Some(value) => match tables(value) {
                Some(tables) => tables,
                None => return unsupported("trainable_token_indices", value),
            },
        };
        Ok(Self {
            path: path.into(),
            kind,
            feedforward: Value::Null,
            rank: raw.r,
            alpha: raw.lora_alpha,
            ranks: patterns(path, raw.rank_pattern)?,
            alphas: patterns(path, raw.alpha_pattern)?,
            root: raw.use_rslora.unwrap_or(false),
            dropout: raw.lora_dropout,
            tokens,
            targets,
        })
    }

    /// Checks that IA3 scales the inputs of a module exactly where this crate does.
    ///
    /// # Errors
    /// `feedforward_modules` selects other modules.
    pub(super) fn check_feedforward(&self, module: &str, on_input: bool) -> Result<(), NnError> {
        let given = match &self.feedforward {
            Value::String(pattern) => {
                Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(module))
            }
            Value::Array(names) => names.iter().filter_map(Value::as_str).any(|name| module.ends_with(name)),
            _ => false,
        };
        if given == on_input {
            return Ok(());
        }
        Err(CheckpointError::Unsupported {
            path: self.path.clone(),
            key: "feedforward_modules (supported: `down_proj`, and no other module)",
            value: format!("{} at `{module}`", self.feedforward),
        }
        .into())
    }

    /// Scale of the update of a module (such as `model.layers.0.self_attn.q_proj`) whose matrices have this rank.
    ///
    /// # Errors
    /// The rank differs from the one in the configuration, or alpha is not a finite number.
    pub(super) fn scale(&self, module: &str, rank: usize) -> Result<f64, NnError> {
        let of = |patterns: &[(Regex, f64)]| {
            patterns.iter().find(|(pattern, _)| pattern.is_match(module)).map(|(_, value)| *value)
        };
        let expected = of(&self.ranks).unwrap_or(self.rank as f64);
        if rank == 0 || expected != rank as f64 {
            return Err(NnError::AdapterRank {
                path: self.path.clone(),
                module: module.into(),
                found: rank,
                expected,
            });
        }
        let alpha = of(&self.alphas).unwrap_or(self.alpha);
        let scale = if self.root { alpha / expected.sqrt() } else { alpha / expected };
        if scale.is_finite() {
            Ok(scale)
        } else {
            Err(NnError::Setting { field: "lora_alpha", value: alpha, range: "a finite number" })
        }
    }
}

/// A value, shortened for an error message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn is_neutral(value: &Value, neutral: &str) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text == neutral,
        Value::Array(list) => list.is_empty(),
        Value::Object(table) => table.is_empty(),
        _ => false,
    }
}

/// PEFT's patterns: regular expressions for the end of a module's name. The first match applies.
fn patterns(path: &Path, given: Option<Map<String, Value>>) -> Result<Vec<(Regex, f64)>, NnError> {
    let one = |(pattern, value): (String, Value)| {
        let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$")).ok();
        regex.zip(value.as_f64()).ok_or_else(|| CheckpointError::Unsupported {
            path: path.into(),
            key: "rank_pattern, alpha_pattern",
            value: format!("{pattern}: {value}"),
        })
    };
    Ok(given.unwrap_or_default().into_iter().map(one).collect::<Result<_, _>>()?)
}

/// The lists of `trainable_token_indices`.
fn tables(value: &Value) -> Option<Vec<(Option<String>, Vec<usize>)>> {
    let list = |value: &Value| -> Option<Vec<usize>> {
        value.as_array()?.iter().map(|id| id.as_u64().and_then(|id| usize::try_from(id).ok())).collect()
    };
    match value {
        Value::Object(tables) => {
            tables.iter().map(|(name, value)| Some((Some(name.clone()), list(value)?))).collect()
        }
        bare => Some(vec![(None, list(bare)?)]),
    }
}
