//! The key reference: every section and key with type, default and meaning, from the schema. It never says what the
//! schema does not.

use std::fmt::Write as _;

use serde_json::Value;

use crate::diagnostics::expectation::expected;
use crate::generate::expand::inline;
use crate::generate::schema::{branches, note, properties, resolved, schema, tables, words};
use crate::read::key_path::KeyPath;

const HEAD: &str = "# The keys of a recipe

Written from the code by `cargo run -p cadre-recipe --bin recipe-docs -- --write`; do not edit it here.

Layers, lowest first: defaults, inherited files, the recipe, the environment (`CADRE__SECTION__KEY`: `__` goes down, `_`
is `-`), `--set section.key=value`. A layer that names one of several alternatives (`steps` over `epochs`, `count` over
`share`, `checkpoint` over `pretrain`), another plugin or another format puts away the lower layers' keys that belong to
the old one.

`inherit = [\"base/tiny-stream.toml\"]` at the top of a file names files to start from, the last of them strongest; they
lie beside the file or in the folder `recipes`. `name`, `reference` and `summary` are not inherited.

In paths, `~` and `$NAME` are expanded; `$CADRE_DATA` is `../shared/data` beside the checkout where it is not set and
that folder is there. Relative paths start at the file that names them.
";

/// The reference as Markdown.
pub fn reference_markdown() -> String {
    let mut text = HEAD.to_owned();
    let root = schema();
    let Some(keys) = properties(root) else {
        return text;
    };
    text.push_str("\n## The head\n");
    let heads: Vec<_> = keys.iter().filter(|(_, node)| !is_section(node)).collect();
    rows(&mut text, &heads, root, &KeyPath::default());
    for (key, node) in keys.iter().filter(|(_, node)| is_section(node)) {
        let required = requires(root, key);
        section(&mut text, node, &KeyPath::default().key(key), required, 2);
    }
    text
}

/// Whether a key opens a table of its own in the reference.
fn is_section(node: &'static Value) -> bool {
    branches(resolved(node)).is_empty() && properties(resolved(node)).is_some()
}

fn section(text: &mut String, node: &'static Value, path: &KeyPath, required: bool, level: usize) {
    let table = resolved(node);
    let Some(keys) = properties(table) else {
        return;
    };
    let meaning = note(node, "description").and_then(Value::as_str).unwrap_or_default();
    let optional = if required { "" } else { " It may be left out." };
    let _ = write!(text, "\n{} `[{path}]`\n\n{meaning}{optional}\n", "#".repeat(level.min(4)));
    let (inner, own): (Vec<_>, Vec<_>) = keys.iter().partition(|(_, node)| is_section(node));
    rows(text, &own, table, path);
    if table.get("additionalProperties") == Some(&Value::Bool(true)) {
        text.push_str("\nFurther keys are the plugin's own.\n");
    }
    for (key, node) in inner {
        section(text, node, &path.key(key), requires(table, key), level + 1);
    }
    let lists = own.iter().filter_map(|(key, node)| Some((key, resolved(node).get("items")?)));
    for (key, items) in lists.filter(|(_, items)| is_section(items)) {
        list_of_tables(text, items, &path.key(key), level + 1);
    }
    for (key, node) in &own {
        forms(text, node, &path.key(key), level + 1);
    }
}

/// The keys of the tables of a list.
fn list_of_tables(text: &mut String, node: &'static Value, path: &KeyPath, level: usize) {
    let table = resolved(node);
    let Some(keys) = properties(table) else {
        return;
    };
    let _ = write!(text, "\n{} `{path}[…]`\n", "#".repeat(level.min(4)));
    rows(text, &keys.iter().collect::<Vec<_>>(), table, path);
}

/// What the words and forms of a key mean, where the code says it.
fn forms(text: &mut String, node: &'static Value, path: &KeyPath, level: usize) {
    let words = words(node);
    let tables: Vec<_> = tables(node).into_iter().filter(|_| !branches(resolved(node)).is_empty()).collect();
    let told = words.iter().filter(|(_, meaning)| !meaning.is_empty());
    if told.count() < 2 && tables.iter().all(|table| table.get("description").is_none()) {
        return;
    }
    let _ = write!(text, "\n`{path}`:\n\n");
    for (word, meaning) in &words {
        let _ = writeln!(text, "- `{word}`: {meaning}");
    }
    for table in tables {
        for (key, inner) in properties(table).into_iter().flatten() {
            let meaning = table.get("description").and_then(Value::as_str).unwrap_or_default();
            let _ = writeln!(text, "- `{{ {key} = … }}`: {meaning} Takes {}.", expected(inner));
        }
    }
    for table in resolved(node).get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        for (key, inner) in properties(table).into_iter().flatten().filter(|(_, inner)| is_section(inner)) {
            list_of_form(text, inner, &path.key(key), level);
        }
    }
}

fn list_of_form(text: &mut String, node: &'static Value, path: &KeyPath, level: usize) {
    let table = resolved(node);
    let Some(keys) = properties(table) else {
        return;
    };
    let _ = write!(text, "\n{} `{path}`\n", "#".repeat(level.min(4)));
    rows(text, &keys.iter().collect::<Vec<_>>(), table, path);
}

type Key = (&'static String, &'static Value);

fn rows(text: &mut String, keys: &[Key], table: &'static Value, path: &KeyPath) {
    let keys: Vec<&Key> = keys.iter().filter(|(key, _)| !refused(path, key)).collect();
    if keys.is_empty() {
        return;
    }
    text.push_str("\n| key | takes | default | meaning |\n|---|---|---|---|\n");
    for (key, node) in keys {
        let default = match note(node, "default") {
            Some(value) => format!("`{}`", inline(value)),
            None if requires(table, key) && path.is_root() && *key == "name" => "the file's name".to_owned(),
            None if requires(table, key) => "must be given".to_owned(),
            None => String::new(),
        };
        let meaning = note(node, "description").and_then(Value::as_str).unwrap_or_default();
        let cells = [format!("`{key}`"), expected(node), default, meaning.to_owned()];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
}

/// Keys of a shared table that this use of it refuses.
fn refused(path: &KeyPath, key: &str) -> bool {
    match path.to_string().as_str() {
        "routing.router" => key == "share" || key == "count",
        "backbone.pretrain.corpus" | "evaluation.out-of-distribution" => key == "count",
        _ => false,
    }
}

fn requires(table: &'static Value, key: &str) -> bool {
    let required = table.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|name| name == key))
}
