//! Reads `config.json` into a shape. A setting that would change the computation and is not supported must be an error
//! that names its key; nothing is guessed.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::CheckpointError;
use crate::family::{Bias, FAMILIES, Family, HARMLESS, READ, REFUSED, Windows, family};
use crate::json_file::{LARGEST_CONFIG, read_json};
use crate::shape::BackboneShape;
use crate::variation::{LayerKind, RopeScaling, Variation};

/// Largest plausible value of a size; with a larger one the file is damaged.
const MAX_NUMBER: usize = 1 << 24;

/// Reads the `config.json` of a checkpoint.
///
/// # Errors
/// A missing or malformed file, an unknown family, sizes that do not fit together, or an unsupported value; each error
/// names the file and the key.
pub(crate) fn read_config(path: &Path) -> Result<BackboneShape, CheckpointError> {
    Config { path: path.to_path_buf(), keys: read_json(path, LARGEST_CONFIG)? }.shape()
}

struct Config {
    path: PathBuf,
    keys: Map<String, Value>,
}

/// Base frequencies and scaling of the rotary embedding.
struct Rope {
    theta: f64,
    scaling: RopeScaling,
    window_theta: Option<f64>,
}

impl Config {
    fn shape(&self) -> Result<BackboneShape, CheckpointError> {
        let kind = self.text("model_type")?.unwrap_or_else(|| "llama".to_owned());
        let family = family(&kind).ok_or_else(|| CheckpointError::Family {
            path: self.path.clone(),
            found: kind,
            known: FAMILIES.iter().map(|family| family.model_type).collect(),
        })?;
        self.refuse_what_is_not_done(family)?;
        let context = self.number("max_position_embeddings")?.unwrap_or(family.context);
        let layers = self.required("num_hidden_layers")?;
        if layers > 1 << 16 {
            return Err(self.wrong("num_hidden_layers", "at most 65536"));
        }
        let heads = self.required("num_attention_heads")?;
        let rope = self.rope(family, context)?;
        let shape = BackboneShape {
            vocabulary: self.required("vocab_size")?,
            hidden: self.required("hidden_size")?,
            layers,
            heads,
            kv_heads: self.number("num_key_value_heads")?.or(family.kv_heads).unwrap_or(heads),
            feed_forward: self.required("intermediate_size")?,
            context,
            tied: self.truth("tie_word_embeddings")?.unwrap_or(family.tied),
            rope_theta: rope.theta,
            norm_epsilon: self.real("rms_norm_eps")?.unwrap_or(1e-6),
            variation: Variation::default(),
        };
        let variation = self.variation(family, &shape, &rope)?;
        let shape = BackboneShape { variation, ..shape };
        shape.check()?;
        Ok(shape)
    }

    fn variation(
        &self,
        family: &Family,
        shape: &BackboneShape,
        rope: &Rope,
    ) -> Result<Variation, CheckpointError> {
        let bias = |bias: Bias| match bias {
            Bias::Never => Ok(false),
            Bias::Always => Ok(true),
            Bias::Key(key) => Ok::<_, CheckpointError>(self.truth(key)?.unwrap_or(false)),
        };
        let head_width = self.number("head_dim")?.or(family.head_width);
        let layers = self.layers(family, shape.layers)?;
        let gemma = family.gemma.then_some(());
        let score_scale = match gemma {
            Some(()) => Some(1.0 / self.real("query_pre_attn_scalar")?.unwrap_or(256.0).sqrt()),
            None => None,
        };
        Ok(Variation {
            head_width: head_width.filter(|width| width.checked_mul(shape.heads) != Some(shape.hidden)),
            qkv_bias: bias(family.qkv_bias)?,
            output_bias: bias(family.output_bias)?,
            feed_forward_bias: bias(family.feed_forward_bias)?,
            head_norms: family.head_norms,
            post_norms: family.gemma,
            unit_offset_norms: family.gemma,
            activation: family.activation.1,
            embedding_scale: gemma.map(|()| (shape.hidden as f64).sqrt()),
            score_scale,
            window: if layers.iter().any(|layer| layer.windowed) { self.window(family)? } else { None },
            layers: if layers.iter().all(|layer| *layer == LayerKind::PLAIN) { vec![] } else { layers },
            rope_scaling: rope.scaling,
            window_rope_theta: rope.window_theta,
        })
    }

    /// Refuses keys that would change the computation. Unknown keys only cause a warning, because Hugging Face's own
    /// models do not read them either.
    fn refuse_what_is_not_done(&self, family: &Family) -> Result<(), CheckpointError> {
        let plain = |value: &Value| value.is_null() || *value == Value::Bool(false);
        for (key, allowed) in REFUSED {
            if let Some(value) = self.keys.get(*key).filter(|value| !plain(value))
                && (allowed.is_none() || value.as_f64() != *allowed)
            {
                return Err(self.unsupported(key, value));
            }
        }
        let (name, _) = family.activation;
        if let Some(found) = self.text(family.activation_key)?
            && found != name
        {
            return Err(self.unsupported(family.activation_key, &Value::String(found)));
        }
        let unknown = self.keys.iter().filter(|(key, value)| {
            let key = key.as_str();
            let known = READ.contains(&key) || HARMLESS.contains(&key);
            !known && !plain(value) && !REFUSED.iter().any(|(refused, _)| *refused == key)
        });
        for (key, _) in unknown {
            tracing::warn!(file = %self.path.display(), key, "ignoring an unknown key");
        }
        Ok(())
    }

    /// The kind of each layer.
    fn layers(&self, family: &Family, count: usize) -> Result<Vec<LayerKind>, CheckpointError> {
        let uses_rope = self.uses_rope(family, count)?;
        let active = match family.windows {
            Windows::Never => false,
            Windows::All | Windows::Pattern => self.window(family)?.is_some(),
            Windows::Late | Windows::WithoutRope => {
                self.truth("use_sliding_window")?.unwrap_or(false) && self.window(family)?.is_some()
            }
        };
        let listed = self.layer_types(count)?;
        let late = self.number("max_window_layers")?.unwrap_or(28);
        let pattern = match self.number("sliding_window_pattern")? {
            Some(pattern) => pattern,
            None => self.number("_sliding_window_pattern")?.unwrap_or(6),
        };
        let windowed = |layer: usize| match (&listed, family.windows) {
            (_, Windows::Never) => false,
            (_, Windows::All) => active,
            (Some(listed), _) => listed[layer],
            (None, Windows::Late) => active && layer >= late,
            (None, Windows::WithoutRope) => active && !uses_rope[layer],
            (None, Windows::Pattern) => active && pattern > 0 && !(layer + 1).is_multiple_of(pattern),
        };
        if let Some(listed) = &listed
            && (0..count).any(|layer| listed[layer] != windowed(layer) || (listed[layer] && !active))
        {
            return Err(self.unsupported("layer_types", &self.keys["layer_types"]));
        }
        Ok((0..count)
            .map(|layer| LayerKind { windowed: windowed(layer), uses_rope: uses_rope[layer] })
            .collect())
    }

    /// Whether each layer applies rotary embedding.
    fn uses_rope(&self, family: &Family, count: usize) -> Result<Vec<bool>, CheckpointError> {
        const KEY: &str = "no_rope_layers";
        if !family.may_skip_rope {
            return Ok(vec![true; count]);
        }
        if let Some(list) = self.keys.get(KEY).filter(|value| !value.is_null()) {
            let read = |value: &Value| value.as_u64().map(|number| number != 0).or(value.as_bool());
            let list: Option<Vec<bool>> = list
                .as_array()
                .and_then(|list| list.iter().map(read).collect())
                .filter(|list: &Vec<bool>| list.len() >= count);
            let mut list =
                list.ok_or_else(|| self.wrong(KEY, "a number (0: no rotary embedding) for each layer"))?;
            list.truncate(count);
            return Ok(list);
        }
        let interval = self.number("no_rope_layer_interval")?.unwrap_or(4);
        Ok((0..count).map(|layer| interval == 0 || !(layer + 1).is_multiple_of(interval)).collect())
    }

    /// Which layers are windowed according to `layer_types`.
    fn layer_types(&self, count: usize) -> Result<Option<Vec<bool>>, CheckpointError> {
        const KEY: &str = "layer_types";
        let Some(list) = self.keys.get(KEY).filter(|value| !value.is_null()) else { return Ok(None) };
        let wrong = || self.wrong(KEY, "full_attention or sliding_attention for each layer");
        let list = list.as_array().filter(|list| list.len() == count).ok_or_else(wrong)?;
        let read = |value: &Value| match value.as_str() {
            Some("full_attention") => Ok(false),
            Some("sliding_attention") => Ok(true),
            Some(_) => Err(self.unsupported(KEY, value)),
            None => Err(wrong()),
        };
        list.iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    fn window(&self, family: &Family) -> Result<Option<usize>, CheckpointError> {
        match self.keys.get("sliding_window") {
            None => Ok(family.window),
            Some(Value::Null) => Ok(None),
            Some(_) => self.number("sliding_window"),
        }
    }

    fn rope(&self, family: &Family, context: usize) -> Result<Rope, CheckpointError> {
        let theta = self.real("rope_theta")?.unwrap_or(family.rope_theta);
        let mut rope = Rope { theta, scaling: RopeScaling::None, window_theta: None };
        if family.gemma {
            rope.window_theta = Some(self.real("rope_local_base_freq")?.unwrap_or(10_000.0));
        }
        for key in ["rope_scaling", "rope_parameters"] {
            let Some(value) = self.keys.get(key).filter(|value| !value.is_null()) else { continue };
            let table = value.as_object().ok_or_else(|| self.wrong(key, "a table"))?;
            // One table for all layers, or one for each kind of layer.
            let full = match table.get("full_attention") {
                Some(full) => {
                    full.as_object().ok_or_else(|| self.wrong(key, "a table for each kind of layer"))?
                }
                None => table,
            };
            let (own, scaling) = self.stretching(key, full, context)?;
            rope.theta = own.unwrap_or(rope.theta);
            rope.scaling = scaling;
            if let Some(windowed) = table.get("sliding_attention").and_then(Value::as_object) {
                let (own, scaling) = self.stretching(key, windowed, context)?;
                let own = own.or(rope.window_theta).unwrap_or(rope.theta);
                if !family.gemma && (own != rope.theta || scaling != rope.scaling)
                    || family.gemma && scaling != RopeScaling::None
                {
                    return Err(self.unsupported(key, value));
                }
                rope.window_theta = rope.window_theta.map(|_| own);
            }
        }
        Ok(rope)
    }

    /// Base frequency and scaling in one table of rotary settings.
    fn stretching(
        &self,
        key: &'static str,
        table: &Map<String, Value>,
        context: usize,
    ) -> Result<(Option<f64>, RopeScaling), CheckpointError> {
        let given = || Value::Object(table.clone());
        let number = |name: &str| table.get(name).and_then(Value::as_f64);
        let needed = |name: &'static str| {
            let found = number(name).filter(|value| value.is_finite() && *value > 0.0);
            found.ok_or_else(|| self.wrong(key, "the numbers that its rope_type requires, each above 0"))
        };
        if number("partial_rotary_factor").is_some_and(|share| share != 1.0) {
            return Err(self.unsupported(key, &given()));
        }
        let kind = table.get("rope_type").or_else(|| table.get("type"));
        let scaling = match kind.and_then(Value::as_str) {
            None if kind.is_none_or(Value::is_null) => RopeScaling::None,
            Some("default") => RopeScaling::None,
            Some("linear") => RopeScaling::Linear { factor: needed("factor")? },
            Some("llama3") => RopeScaling::Llama3 {
                factor: needed("factor")?,
                low: needed("low_freq_factor")?,
                high: needed("high_freq_factor")?,
                original_context: match number("original_max_position_embeddings") {
                    Some(original) => original,
                    None => self.real("original_max_position_embeddings")?.unwrap_or(context as f64),
                },
            },
            _ => return Err(self.unsupported(key, &given())),
        };
        Ok((number("rope_theta"), scaling))
    }

    fn required(&self, key: &'static str) -> Result<usize, CheckpointError> {
        self.number(key)?.ok_or_else(|| self.wrong(key, "a whole number"))
    }

    fn number(&self, key: &'static str) -> Result<Option<usize>, CheckpointError> {
        let Some(value) = self.keys.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        match number.filter(|number| *number <= MAX_NUMBER) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(key, "a whole number")),
        }
    }

    fn real(&self, key: &'static str) -> Result<Option<f64>, CheckpointError> {
        let Some(value) = self.keys.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "a number"))
    }

    fn truth(&self, key: &'static str) -> Result<Option<bool>, CheckpointError> {
        let Some(value) = self.keys.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.wrong(key, "true or false"))
    }

    fn text(&self, key: &'static str) -> Result<Option<String>, CheckpointError> {
        let Some(value) = self.keys.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| self.wrong(key, "a text"))
    }

    fn wrong(&self, key: &'static str, expected: &'static str) -> CheckpointError {
        let value = self.keys.get(key).map_or_else(|| "missing".to_owned(), short);
        CheckpointError::ConfigValue { path: self.path.clone(), key, value, expected }
    }

    fn unsupported(&self, key: &'static str, value: &Value) -> CheckpointError {
        CheckpointError::Unsupported { path: self.path.clone(), key, value: short(value) }
    }
}

/// A value, shortened for an error message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
