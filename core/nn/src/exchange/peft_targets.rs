//! Selects the modules of a decoder from `target_modules`, `exclude_modules`, `layers_to_transform` and
//! `layers_pattern`, as PEFT does.

use std::collections::BTreeMap;
use std::path::Path;

use cadre_checkpoint::{BackboneShape, CheckpointError, TARGETS};
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::{EMBEDDING, HEAD};
use crate::adapter::Site;
use crate::error::NnError;

/// PEFT's keyword for every linear layer except the head.
const ALL: &str = "all-linear";

/// The settings of a configuration that select modules.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    target_modules: Option<Value>,
    #[serde(default)]
    exclude_modules: Option<Value>,
    #[serde(default)]
    layers_to_transform: Option<Value>,
    #[serde(default)]
    layers_pattern: Option<Value>,
}

/// A list of names or a regular expression.
#[derive(Debug)]
enum Names {
    All,
    Pattern(Regex),
    Listed(Vec<String>),
}

/// The modules that a configuration selects.
#[derive(Debug)]
pub(super) struct PeftTargets {
    targets: Names,
    excluded: Option<Names>,
    layers: Option<Vec<usize>>,
    /// Patterns that capture the layer number in a module's name; any of them may match.
    patterns: Vec<Regex>,
}

/// Modules by name, with their layer and target.
pub(super) type Sites = BTreeMap<String, Site>;

impl PeftTargets {
    /// Reads the settings; `None` if `target_modules` is not given.
    ///
    /// # Errors
    /// A value of the wrong type, or an invalid regular expression.
    pub(super) fn read(path: &Path, chosen: &Chosen) -> Result<Option<Self>, NnError> {
        let refused = |key, value: &Value| {
            let (path, value) = (path.to_path_buf(), value.to_string());
            NnError::from(CheckpointError::Unsupported { path, key, value })
        };
        let names = |key, value: &Value| names(value).ok_or_else(|| refused(key, value));
        let given = |value: &Option<Value>| value.clone().filter(|value| !is_empty(value));
        let Some(targets) = given(&chosen.target_modules) else { return Ok(None) };
        let excluded = match given(&chosen.exclude_modules) {
            Some(value) => Some(names("exclude_modules", &value)?),
            None => None,
        };
        let layers = match given(&chosen.layers_to_transform) {
            Some(value) => Some(numbers(&value).ok_or_else(|| refused("layers_to_transform", &value))?),
            None => None,
        };
        let patterns = match given(&chosen.layers_pattern) {
            None => vec![pattern(r"^.*?\.[^.]*\.(?P<layer>\d+)\.")],
            Some(Value::String(one)) => vec![pattern(&in_name(&one))],
            Some(Value::Array(list)) => {
                list.iter().map(|one| one.as_str().and_then(|one| pattern(&in_name(one)))).collect()
            }
            Some(_) => vec![None],
        };
        let patterns: Option<Vec<Regex>> = patterns.into_iter().collect();
        let patterns = patterns.ok_or_else(|| {
            refused("layers_pattern", chosen.layers_pattern.as_ref().unwrap_or(&Value::Null))
        })?;
        let targets = names("target_modules", &targets)?;
        if !matches!(targets, Names::Listed(_)) && layers.is_some() {
            let value = chosen.layers_to_transform.clone().unwrap_or_default();
            return Err(refused(
                "layers_to_transform (beside a `target_modules` that is not a list)",
                &value,
            ));
        }
        Ok(Some(Self { targets, excluded, layers, patterns }))
    }

    /// The selected modules of a decoder, and the names in `target_modules` that match no module.
    ///
    /// # Errors
    /// No module is selected, or one that cannot be updated here.
    pub(super) fn of(&self, shape: &BackboneShape, path: &Path) -> Result<(Sites, Vec<String>), NnError> {
        let wrong = |problem: String| NnError::AdapterTargets { path: path.into(), problem };
        let mut sites = Sites::new();
        for layer in 0..shape.layers {
            for entry in TARGETS {
                let site = Site { layer, target: entry.target };
                sites.insert(format!("model.layers.{layer}.{}", entry.module), site);
            }
        }
        let tables = [HEAD.to_owned(), format!("model.{EMBEDDING}")];
        let means = |name: &str| self.means(name);
        if let Some(table) = tables.iter().find(|table| !matches!(self.targets, Names::All) && means(table)) {
            return Err(wrong(format!(
                "`target_modules` selects `{table}`, but updates of the embedding or the head are not supported"
            )));
        }
        let unknown: Vec<String> = match &self.targets {
            Names::Listed(listed) => {
                let there = |name: &&String| sites.keys().any(|module| is_named(module, name));
                listed.iter().filter(|name| !there(name)).cloned().collect()
            }
            Names::All | Names::Pattern(_) => Vec::new(),
        };
        sites.retain(|name, _| means(name));
        if sites.is_empty() {
            let known: Vec<&str> =
                TARGETS.iter().map(|entry| entry.module.rsplit('.').next().unwrap_or(entry.module)).collect();
            return Err(wrong(format!(
                "`target_modules` = {} means no module of this backbone's {} layers; its modules are {}",
                self.targets,
                shape.layers,
                known.join(", ")
            )));
        }
        Ok((sites, unknown))
    }

    fn means(&self, module: &str) -> bool {
        let excluded = |names: &Names| match names {
            Names::All => false,
            other => other.has(module),
        };
        if self.excluded.as_ref().is_some_and(excluded) || !self.targets.has(module) {
            return false;
        }
        let exact =
            matches!(&self.targets, Names::Listed(listed) if listed.iter().any(|name| name == module));
        let Some(layers) = self.layers.as_ref().filter(|_| !exact) else { return true };
        let layer = self.patterns.iter().find_map(|pattern| pattern.captures(module)?.name("layer"));
        layer.and_then(|layer| layer.as_str().parse().ok()).is_some_and(|layer| layers.contains(&layer))
    }
}

impl Names {
    fn has(&self, module: &str) -> bool {
        match self {
            Self::All => true,
            Self::Pattern(pattern) => pattern.is_match(module),
            Self::Listed(listed) => listed.iter().any(|name| is_named(module, name)),
        }
    }
}

impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str(ALL),
            Self::Pattern(pattern) => f.write_str(pattern.as_str()),
            Self::Listed(listed) => write!(f, "[{}]", listed.join(", ")),
        }
    }
}

/// Whether `name` is this module's name or a dot-separated suffix of it.
fn is_named(module: &str, name: &str) -> bool {
    module == name || module.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

fn names(value: &Value) -> Option<Names> {
    match value {
        Value::String(word) if word.eq_ignore_ascii_case(ALL) => Some(Names::All),
        Value::String(text) => pattern(&format!("^(?:{text})$")).map(Names::Pattern),
        Value::Array(list) => {
            list.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>().map(Names::Listed)
        }
        _ => None,
    }
}

/// One number, or a list of numbers.
fn numbers(value: &Value) -> Option<Vec<usize>> {
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    match value {
        Value::Array(list) => list.iter().map(number).collect(),
        one => number(one).map(|one| vec![one]),
    }
}

fn in_name(layers: &str) -> String {
    format!(r"^(?:.*?\.)?(?:{layers})\.(?P<layer>\d+)\.")
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixture::shape;

    fn meant(config: Value) -> Result<(Vec<String>, Vec<String>), String> {
        let chosen: Chosen = serde_json::from_value(config).unwrap();
        let path = Path::new("adapter_config.json");
        let targets = PeftTargets::read(path, &chosen).map_err(|problem| problem.to_string())?;
        let (sites, unknown) =
            targets.unwrap().of(&shape(false), path).map_err(|problem| problem.to_string())?;
        Ok((sites.into_keys().collect(), unknown))
    }

    #[test]
    fn modules_are_chosen_as_peft_chooses_them() {
        let q = ["model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"].map(str::to_owned);
        let only = |config| meant(config).unwrap();
        assert_eq!(only(json!({ "target_modules": ["q_proj"] })).0, q);
        assert_eq!(only(json!({ "target_modules": r".*\.self_attn\.q_proj" })).0, q);
        assert_eq!(only(json!({ "target_modules": "all-linear" })).0.len(), 14);
        assert_eq!(only(json!({ "target_modules": ["q_proj"], "layers_to_transform": [1] })).0, q[1..]);
        assert_eq!(only(json!({ "target_modules": ["q_proj"], "layers_to_transform": 0 })).0, q[..1]);
        let named =
            json!({ "target_modules": ["q_proj"], "layers_to_transform": [1], "layers_pattern": "layers" });
        assert_eq!(only(named).0, q[1..]);
        let without = json!({ "target_modules": ["q_proj", "v_proj"], "exclude_modules": ["v_proj"] });
        assert_eq!(only(without).0, q);
        // `proj` is a suffix of a name, but not a whole dot-separated component.
        let (sites, unknown) = only(json!({ "target_modules": ["q_proj", "query_key_value", "proj"] }));
        assert_eq!((sites, unknown.join(" ")), (q.to_vec(), "query_key_value proj".to_owned()));
    }

    #[test]
    fn targets_that_select_no_module_are_refused_by_name() {
        for (config, part) in [
            (json!({ "target_modules": ["query_key_value"] }), "[query_key_value] means no module"),
            (json!({ "target_modules": ".*c_attn" }), "c_attn"),
            (json!({ "target_modules": ["q_proj"], "layers_to_transform": [7] }), "2 layers"),
            (
                json!({ "target_modules": ["q_proj"], "layers_pattern": "h", "layers_to_transform": [0] }),
                "q_proj",
            ),
            (json!({ "target_modules": ["q_proj", "lm_head"] }), "`lm_head`"),
            (json!({ "target_modules": ["embed_tokens"] }), "`model.embed_tokens`"),
            (json!({ "target_modules": 3 }), "`target_modules` = 3"),
            (json!({ "target_modules": "(" }), "`target_modules` = \"(\""),
            (json!({ "target_modules": ["q_proj"], "layers_to_transform": "all" }), "layers_to_transform"),
            (json!({ "target_modules": "all-linear", "layers_to_transform": [0] }), "layers_to_transform"),
        ] {
            let error = meant(config.clone()).expect_err(part);
            assert!(error.contains("adapter_config.json") && error.contains(part), "{config}: {error}");
        }
    }
}
