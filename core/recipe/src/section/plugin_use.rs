//! The use of a policy in a recipe: the plugin, its budget, and its settings.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use serde_json::{Map, Value};

/// A policy and its settings: `{ plugin = "see", threshold = 0.5 }`. Keys other than Cadre's own are passed
/// to the plugin, which rejects unknown ones.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginUse {
    /// The plugin's name, as listed by `cadre plugin list`.
    pub plugin: String,
    /// Selectors: the budget as a share of a task's training set, 0 < share ≤ 1.
    pub share: Option<f64>,
    /// Selectors: the budget as a number of examples per task, at least 1.
    pub count: Option<u32>,
    /// All other keys, which are passed to the plugin.
    pub settings: Map<String, Value>,
}

impl Serialize for PluginUse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("plugin", &self.plugin)?;
        if let Some(share) = self.share {
            map.serialize_entry("share", &share)?;
        }
        if let Some(count) = self.count {
            map.serialize_entry("count", &count)?;
        }
        for (key, value) in &self.settings {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for PluginUse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Map::deserialize(deserializer)?;
        let plugin = settings.shift_remove("plugin").ok_or_else(|| de::Error::missing_field("plugin"))?;
        let share = settings.shift_remove("share").map(f64::deserialize).transpose();
        let count = settings.shift_remove("count").map(u32::deserialize).transpose();
        Ok(Self {
            plugin: String::deserialize(plugin).map_err(de::Error::custom)?,
            share: share.map_err(de::Error::custom)?,
            count: count.map_err(de::Error::custom)?,
            settings,
        })
    }
}

impl JsonSchema for PluginUse {
    fn schema_name() -> Cow<'static, str> {
        "PluginUse".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A policy and its settings. Keys other than Cadre's own are passed to the plugin, which rejects unknown ones.",
            "properties": {
                "plugin": {
                    "type": "string", "minLength": 1,
                    "description": "The plugin's name, as listed by `cadre plugin list`.",
                },
                "share": {
                    "type": "number", "exclusiveMinimum": 0.0, "maximum": 1.0,
                    "description": "Selectors: the budget as a share of a task's training set. Exactly one of `share` and `count`.",
                },
                "count": {
                    "type": "integer", "format": "uint32", "minimum": 1,
                    "description": "Selectors: the budget as a number of examples per task.",
                },
            },
            "required": ["plugin"],
            "additionalProperties": true,
        })
    }
}
