//! The JSON schema of recipes, generated from the section structs. Recipes are validated against it, and the key
//! reference is generated from it.

use std::sync::OnceLock;

use schemars::schema_for;
use serde_json::{Map, Value, json};

use crate::read::key_path::KeyPath;
use crate::section::recipe::Recipe;

/// The schema of a recipe file as pretty JSON, with a line break at its end.
pub fn schema_json() -> String {
    let mut root = schema().clone();
    let inherit = json!({
        "description": "Files to inherit; later ones override earlier ones. Paths are relative to this file or to the folder `recipes`.",
        "type": "array", "items": { "type": "string" }, "default": [],
    });
    if let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("inherit".to_owned(), inherit);
    }
    // Fragments are incomplete and recipes may inherit their sections, so an editor must not report missing sections.
    if let Some(root) = root.as_object_mut() {
        root.remove("required");
        root.insert("title".to_owned(), json!("A Cadre recipe"));
    }
    format!("{root:#}\n")
}

/// The schema of a recipe after inheritance.
pub(crate) fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut root = schema_for!(Recipe).to_value();
        tidy(&mut root);
        root
    })
}

/// The definition that a node refers to, or the node itself.
pub(crate) fn resolved(node: &'static Value) -> &'static Value {
    let name = node.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
    name.and_then(|name| schema().get("$defs")?.get(name)).unwrap_or(node)
}

/// An annotation of a field, or else of its type.
pub(crate) fn note(node: &'static Value, name: &str) -> Option<&'static Value> {
    node.get(name).or_else(|| resolved(node).get(name))
}

/// The alternatives of a node.
pub(crate) fn branches(node: &'static Value) -> &'static [Value] {
    node.get("oneOf").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The words that a text may be, each with its meaning; empty if any text is allowed.
pub(crate) fn words(node: &'static Value) -> Vec<(&'static str, &'static str)> {
    let node = resolved(node);
    let meaning = node.get("description").and_then(Value::as_str).unwrap_or_default();
    if let Some(word) = node.get("const").and_then(Value::as_str) {
        return vec![(word, meaning)];
    }
    let listed = node.get("enum").or_else(|| node.get("x-words")).and_then(Value::as_array);
    if let Some(listed) = listed {
        return listed.iter().filter_map(Value::as_str).map(|word| (word, "")).collect();
    }
    branches(node).iter().flat_map(words).collect()
}

/// The tables of a node: itself, or those among its alternatives.
pub(crate) fn tables(node: &'static Value) -> Vec<&'static Value> {
    let node = resolved(node);
    match branches(node) {
        [] => Some(node).filter(|node| node.get("type") == Some(&json!("object"))).into_iter().collect(),
        branches => branches.iter().flat_map(tables).collect(),
    }
}

/// The properties of a table's schema.
pub(crate) fn properties(node: &'static Value) -> Option<&'static Map<String, Value>> {
    node.get("properties").and_then(Value::as_object)
}

/// The schema node of a key, if it exists. Plugin settings and tasks in tables may have any name.
pub(crate) fn lookup(path: &KeyPath) -> Option<&'static Value> {
    use crate::read::key_path::Step;
    path.0.iter().try_fold(schema(), |node, step| match step {
        Step::Key(key) => tables(node).into_iter().find_map(|table| {
            let open = || table.get("additionalProperties").filter(|rest| **rest != Value::Bool(false));
            properties(table).and_then(|known| known.get(key)).or_else(open)
        }),
        Step::Place(_) => resolved(node).get("items"),
    })
}

/// All dotted keys of recipes, without plugin settings and list places.
pub(crate) fn all_keys() -> &'static [KeyPath] {
    fn walk(node: &'static Value, path: &KeyPath, keys: &mut Vec<KeyPath>) {
        for table in tables(node) {
            for (key, inner) in properties(table).into_iter().flatten() {
                let path = path.key(key);
                keys.push(path.clone());
                walk(inner, &path, keys);
            }
        }
    }
    static KEYS: OnceLock<Vec<KeyPath>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys = Vec::new();
        walk(schema(), &KeyPath::default(), &mut keys);
        keys
    })
}

/// Removes null, which TOML cannot express, and line breaks within sentences.
fn tidy(node: &mut Value) {
    match node {
        Value::Object(map) => {
            if map.get("default") == Some(&Value::Null) {
                map.remove("default");
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [single] = types.as_slice() {
                    let single = single.clone();
                    map.insert("type".to_owned(), single);
                }
            }
            if let Some(Value::Array(any)) = map.get_mut("anyOf") {
                any.retain(|branch| branch.get("type") != Some(&json!("null")));
                if let [Value::Object(single)] = any.as_slice() {
                    let single = single.clone();
                    map.remove("anyOf");
                    single.into_iter().for_each(|(key, value)| {
                        map.entry(key).or_insert(value);
                    });
                }
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            map.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
