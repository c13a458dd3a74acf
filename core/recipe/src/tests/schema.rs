//! The generated files say what the code does, and the schema says nothing that the check passes over.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{reference_markdown, schema_json};

#[test]
fn generated_files_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let hint = "run `cargo run -p cadre-recipe --bin recipe-docs -- --write`";
    assert_eq!(fs::read_to_string(folder.join("recipe.schema.json")).unwrap(), schema_json(), "{hint}");
    let reference = fs::read_to_string(folder.join("../../docs/recipe-reference.md")).unwrap();
    assert_eq!(reference, reference_markdown(), "{hint}");
}

#[test]
fn every_word_of_the_schema_is_checked() {
    const CHECKED: &[&str] = &[
        "$ref",
        "$defs",
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "oneOf",
        "const",
        "enum",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "format",
    ];
    // `pattern` stands beside a `format` that is checked.
    const SAID: &[&str] = &["$schema", "title", "description", "default", "pattern", "x-expected", "x-words"];
    fn walk(node: &Value, names: bool, found: &mut BTreeSet<String>) {
        match node {
            Value::Object(map) => {
                for (key, inner) in map {
                    if !names {
                        found.insert(key.clone());
                    }
                    if key == "default" && !names {
                        continue;
                    }
                    walk(inner, !names && (key == "properties" || key == "$defs"), found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, false, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(crate::generate::schema::schema(), false, &mut found);
    let unknown: Vec<_> = found
        .iter()
        .filter(|word| !CHECKED.contains(&word.as_str()) && !SAID.contains(&word.as_str()))
        .collect();
    assert!(unknown.is_empty(), "the check does not know {unknown:?}");
}

#[test]
fn formats_are_those_the_check_knows() {
    fn formats(node: &Value, found: &mut BTreeSet<String>) {
        match node {
            Value::Object(map) => {
                if let Some(Value::String(format)) = map.get("format") {
                    found.insert(format.clone());
                }
                map.values().for_each(|inner| formats(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|item| formats(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    formats(crate::generate::schema::schema(), &mut found);
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["backend", "double", "name", "path", "uint", "uint32", "uint64"]);
}

#[test]
fn every_key_has_a_meaning() {
    use crate::generate::schema::{all_keys, lookup, note};
    use crate::read::key_path::KeyPath;
    let keys = all_keys();
    assert!(keys.len() > 90, "{}", keys.len());
    for key in keys.iter().map(KeyPath::to_string) {
        let node = lookup(&KeyPath::of(&key)).unwrap_or_else(|| panic!("{key}"));
        // The forms of an alternative are covered by their table.
        let form = ["train-bpe", "file", "sample"].iter().any(|form| key.ends_with(form));
        assert!(form || note(node, "description").is_some(), "{key} has no description");
    }
}
