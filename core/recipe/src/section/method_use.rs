//! The use of a method of a collection in a recipe: its name and its settings, which the collection declares.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use serde_json::{Map, Value};

/// A method and its settings: `{ plugin = "ties", rule = "mergekit" }`. The method declares its settings; unknown ones
/// and values out of range are errors of the recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodUse {
    /// The method's name, as listed by `cadre plugin list`.
    pub plugin: String,
    /// All other keys.
    pub settings: Map<String, Value>,
}

impl Serialize for MethodUse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("plugin", &self.plugin)?;
        for (key, value) in &self.settings {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for MethodUse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Map::deserialize(deserializer)?;
        let plugin = settings.shift_remove("plugin").ok_or_else(|| de::Error::missing_field("plugin"))?;
        Ok(Self { plugin: String::deserialize(plugin).map_err(de::Error::custom)?, settings })
    }
}

impl JsonSchema for MethodUse {
    fn schema_name() -> Cow<'static, str> {
        "MethodUse".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A method and its settings, which `cadre plugin show NAME` lists.",
            "properties": {
                "plugin": {
                    "type": "string", "minLength": 1,
                    "description": "The method's name, as listed by `cadre plugin list`.",
                },
            },
            "required": ["plugin"],
            "additionalProperties": true,
        })
    }
}
