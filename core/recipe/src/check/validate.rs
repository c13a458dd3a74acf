//! Validates a recipe against the schema: unknown keys, wrong types and numbers out of range, in one pass.

use std::collections::HashSet;
use std::str::FromStr as _;

use serde_json::{Map, Value, json};

use crate::check::unknown_key;
use crate::diagnostics::expectation::{did_you_mean, expected, found, listed, nearest_word, short_name};
use crate::diagnostics::mistake::Mistake;
use crate::diagnostics::recipe_error::{MAX_PLACED, Point};
use crate::diagnostics::syntax::meant_number;
use crate::generate::expand::inline;
use crate::generate::schema::{branches, note, properties, resolved, schema, tables, words};
use crate::read::key_path::{KeyPath, Step};
use crate::section::device::Backend;

/// An error at a key, before it is located in a text.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) path: KeyPath,
    pub(crate) point: Point,
    pub(crate) mistake: Mistake,
    pub(crate) expected: Option<String>,
    pub(crate) suggestion: Option<String>,
    /// The other key of a contradiction.
    pub(crate) beside: Option<KeyPath>,
}

impl Finding {
    pub(crate) fn key(path: KeyPath, mistake: Mistake) -> Self {
        Self { path, point: Point::Key, mistake, expected: None, suggestion: None, beside: None }
    }

    pub(crate) fn value(path: KeyPath, mistake: Mistake) -> Self {
        Self { point: Point::Value, ..Self::key(path, mistake) }
    }

    pub(crate) fn beside(mut self, other: KeyPath) -> Self {
        self.beside = Some(other);
        self
    }

    pub(crate) fn expect(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn suggest(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion.or(self.suggestion);
        self
    }
}

/// The findings of a walk over a recipe.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub(crate) findings: Vec<Finding>,
    /// The keys with paths, whose variables are expanded later.
    pub(crate) paths: Vec<KeyPath>,
    /// Number of values that were skipped after the maximum number of errors.
    pub(crate) more: usize,
}

/// Checks a whole recipe.
pub(crate) fn recipe(value: &Value) -> Walk {
    let mut walk = Walk::default();
    walk.check(schema(), value, &KeyPath::default());
    walk
}

/// A table in the syntax of a recipe.
pub(crate) fn table_name(path: &KeyPath) -> String {
    if path.0.iter().all(|step| matches!(step, Step::Key(_))) {
        format!("`[{path}]`")
    } else {
        format!("`{path}`")
    }
}

/// Whether a text is valid as the name of a recipe and of the folder of its runs.
pub(crate) fn is_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first
        && text.len() <= 100
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl Walk {
    pub(crate) fn check(&mut self, node: &'static Value, value: &Value, path: &KeyPath) {
        if self.findings.len() >= MAX_PLACED {
            self.more += 1;
            return;
        }
        let target = resolved(node);
        match value {
            Value::Object(table) if self.accepts(target, "object") => self.table(node, table, path),
            Value::Array(list) if self.accepts(target, "array") => self.list(target, list, path),
            Value::String(text) if self.accepts(target, "string") => self.text(node, text, path),
            Value::Bool(_) if self.accepts(target, "boolean") => {}
            Value::Number(number) if self.accepts(target, "number") => {
                self.number(node, number.as_f64(), value, path)
            }
            Value::Number(number) if !number.is_f64() && self.accepts(target, "integer") => {
                self.number(node, number.as_f64(), value, path);
            }
            _ if target == &json!(true) || target.as_object().is_some_and(Map::is_empty) => {}
            other => {
                let mistake = Mistake::WrongType { key: path.to_string(), found: found(other) };
                let meant = other
                    .as_str()
                    .and_then(|text| self.meant(target, text))
                    .or_else(|| self.meant_within(target, other, path));
                self.findings
                    .push(Finding::value(path.clone(), mistake).expect(expected(node)).suggest(meant));
            }
        }
    }

    /// The TOML syntax of a value that was written as a text: `True`, `.5`, `1.e-4`, a number in quotes.
    fn meant(&self, node: &'static Value, text: &str) -> Option<String> {
        let truth = ["true", "false"].into_iter().find(|word| text.trim().eq_ignore_ascii_case(word));
        if let Some(word) = truth.filter(|_| self.accepts(node, "boolean")) {
            return Some(did_you_mean(word));
        }
        let number: f64 = meant_number(text.trim())?.parse().ok()?;
        match (self.accepts(node, "number"), self.accepts(node, "integer")) {
            (true, _) => Some(did_you_mean(&toml::Value::Float(number).to_string())),
            (false, true) if number.fract() == 0.0 => Some(did_you_mean(&format!("{number:.0}"))),
            _ => None,
        }
    }

    /// The list or table that a single value stands for: `seeds = 3`, `router = "see"`, `[[stream]]`.
    fn meant_within(&self, node: &'static Value, value: &Value, path: &KeyPath) -> Option<String> {
        let Some(Step::Key(key)) = path.0.last() else { return None };
        if value.is_array() && self.accepts(node, "object") {
            return Some(format!("`[{path}]` has one pair of brackets: only lists of tables have two"));
        }
        if value.is_array() || value.is_object() {
            return None;
        }
        let fits = |inner: &'static Value| {
            let mut walk = Self::default();
            walk.check(inner, value, path);
            walk.findings.is_empty()
        };
        if self.accepts(node, "array") {
            let items =
                std::iter::once(node).chain(branches(node)).find_map(|node| resolved(node).get("items"));
            return items
                .filter(|items| fits(items))
                .map(|_| did_you_mean(&format!("{key} = [{}]", inline(value))));
        }
        let table = tables(node).into_iter().next().filter(|_| self.accepts(node, "object"))?;
        let required = table.get("required").and_then(Value::as_array);
        let first = required
            .and_then(|names| names.first()?.as_str())
            .or_else(|| properties(table)?.keys().map(String::as_str).next())?;
        let inner = properties(table)?.get(first)?;
        fits(inner).then(|| did_you_mean(&format!("{key} = {{ {first} = {} }}", inline(value))))
    }

    /// Whether a node, or one of its alternatives, takes this type.
    fn accepts(&self, node: &'static Value, name: &str) -> bool {
        let node = resolved(node);
        node.get("type").and_then(Value::as_str) == Some(name)
            || branches(node).iter().any(|branch| self.accepts(branch, name))
    }

    fn table(&mut self, node: &'static Value, table: &Map<String, Value>, path: &KeyPath) {
        let forms = tables(node);
        let tagged: Vec<&'static str> = if branches(resolved(node)).is_empty()
            || forms.iter().any(|form| properties(form).is_none())
        {
            Vec::new()
        } else {
            forms.iter().filter_map(|form| properties(form)).flat_map(Map::keys).map(String::as_str).collect()
        };
        if !tagged.is_empty() {
            return self.one_of(&forms, &tagged, table, path);
        }
        let Some(form) = forms.first() else { return };
        let open = form.get("additionalProperties").filter(|rest| **rest != json!(false));
        for (key, value) in table {
            match properties(form).and_then(|known| known.get(key)) {
                Some(inner) => self.check(inner, value, &path.key(key)),
                None => match open {
                    Some(rest) => self.check(rest, value, &path.key(key)),
                    None if self.findings.len() >= MAX_PLACED => self.more += 1,
                    None => self.unknown(key, value, properties(form), path),
                },
            }
        }
        let required = form.get("required").and_then(Value::as_array).into_iter().flatten();
        for key in required.filter_map(Value::as_str).filter(|key| !table.contains_key(*key)) {
            self.missing(key, properties(form).and_then(|known| known.get(key)), path);
        }
    }

    /// A table whose only key selects its form.
    fn one_of(
        &mut self,
        forms: &[&'static Value],
        tags: &[&'static str],
        table: &Map<String, Value>,
        path: &KeyPath,
    ) {
        let table_name = table_name(path);
        for (key, value) in table {
            match forms.iter().filter_map(|form| properties(form)).find_map(|known| known.get(key)) {
                Some(inner) => self.check(inner, value, &path.key(key)),
                None => {
                    let mistake = Mistake::UnknownKey { key: key.clone(), table: table_name.clone() };
                    let near = nearest_word(key, tags).map(did_you_mean);
                    let all = listed(tags.iter().copied(), "or");
                    self.findings.push(Finding::key(path.key(key), mistake).expect(all).suggest(near));
                }
            }
        }
        let given: Vec<&str> = tags.iter().copied().filter(|tag| table.contains_key(*tag)).collect();
        if given.len() != 1 && (given.len() > 1 || table.is_empty()) {
            let keys = listed(tags.iter().copied(), "and");
            let mistake = Mistake::ExactlyOne { table: table_name, keys, found: either(&given) };
            self.findings.push(Finding::value(path.clone(), mistake));
        }
    }

    fn unknown(
        &mut self,
        key: &str,
        value: &Value,
        known: Option<&'static Map<String, Value>>,
        path: &KeyPath,
    ) {
        let siblings: Vec<&'static str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let name = short_name(key);
        let mistake = if path.is_root() {
            Mistake::UnknownSection { what: if value.is_object() { "section" } else { "key" }, name }
        } else {
            Mistake::UnknownKey { key: name, table: table_name(path) }
        };
        let mut finding = Finding::key(path.key(key), mistake);
        finding.suggestion = section_in_another_place(&path.key(key), value)
            .or_else(|| unknown_key::suggestion(key, path, &siblings));
        if finding.suggestion.is_none() {
            finding.expected = Some(format!("one of {}", listed(siblings.into_iter(), "or")));
        }
        self.findings.push(finding);
    }

    fn missing(&mut self, key: &str, inner: Option<&'static Value>, path: &KeyPath) {
        let is_table =
            inner.is_some_and(|inner| !tables(inner).is_empty() && branches(resolved(inner)).is_empty());
        let what = match (path.is_root(), is_table) {
            (true, true) => format!("section `[{key}]`"),
            (true, false) => format!("`{key}`"),
            (false, _) => format!("`{key}` in {}", table_name(path)),
        };
        let mut finding = Finding::key(path.clone(), Mistake::Missing { what });
        if let Some(inner) = inner.filter(|_| !path.is_root()) {
            finding.expected = Some(format!("`{key}`: {}", expected(inner)));
        }
        self.findings.push(finding);
    }

    fn list(&mut self, node: &'static Value, list: &[Value], path: &KeyPath) {
        let arrays = std::iter::once(node).chain(branches(node)).map(resolved);
        let Some(node) = arrays.into_iter().find(|node| node.get("type") == Some(&json!("array"))) else {
            return;
        };
        let bound = |name: &str| node.get(name).and_then(Value::as_u64).unwrap_or(list.len() as u64);
        if (list.len() as u64) < bound("minItems") || (list.len() as u64) > bound("maxItems") {
            let found = match list.len() {
                0 => "an empty list".to_owned(),
                length => format!("a list of {length}"),
            };
            let mistake = Mistake::OutOfRange { key: path.to_string(), found };
            self.findings.push(Finding::value(path.clone(), mistake).expect(expected(node)));
        }
        let unique = node.get("uniqueItems") == Some(&json!(true));
        let mut seen = HashSet::new();
        for (place, item) in list.iter().enumerate() {
            if let Some(inner) = node.get("items") {
                self.check(inner, item, &path.place(place));
            }
            if unique && !seen.insert(item.to_string()) && self.findings.len() < MAX_PLACED {
                let mistake = Mistake::Twice { key: path.to_string(), found: item.to_string() };
                self.findings.push(Finding::value(path.place(place), mistake));
            }
        }
    }

    fn text(&mut self, node: &'static Value, text: &str, path: &KeyPath) {
        let format = note(node, "format").and_then(Value::as_str);
        if format == Some("path") {
            self.paths.push(path.clone());
        }
        let words = words(node);
        let fits = match format {
            Some("backend") => Backend::from_str(text).is_ok(),
            Some("name") => is_name(text),
            _ => words.is_empty() || words.iter().any(|(word, _)| *word == text),
        };
        if !fits {
            let mistake = Mistake::UnknownWord { key: path.to_string(), found: short_name(text) };
            let choices: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let only = |only: &&str| format!("`{only}` is the only value so far");
            let near = match choices.as_slice() {
                [single] => Some(only(single)),
                _ => nearest_word(text, &choices).map(did_you_mean),
            };
            self.findings.push(Finding::value(path.clone(), mistake).expect(expected(node)).suggest(near));
        } else if text.is_empty() && (format == Some("path") || min_length(node) > 0) {
            let mistake = Mistake::OutOfRange { key: path.to_string(), found: "an empty text".to_owned() };
            self.findings.push(Finding::value(path.clone(), mistake).expect("a non-empty text"));
        }
    }

    fn number(&mut self, node: &'static Value, number: Option<f64>, value: &Value, path: &KeyPath) {
        let bound = |name| note(node, name).and_then(Value::as_f64);
        let width = match note(node, "format").and_then(Value::as_str) {
            Some("uint32") => f64::from(u32::MAX),
            _ => f64::INFINITY,
        };
        let fits = number.is_some_and(|number| {
            bound("minimum").is_none_or(|low| number >= low)
                && bound("exclusiveMinimum").is_none_or(|low| number > low)
                && number <= bound("maximum").unwrap_or(width)
                && bound("exclusiveMaximum").is_none_or(|high| number < high)
        });
        if !fits {
            let mistake = Mistake::OutOfRange { key: path.to_string(), found: value.to_string() };
            self.findings.push(Finding::value(path.clone(), mistake).expect(expected(node)));
        }
    }
}

/// The key that an unknown section leads to, where its parts are in another order: `adapter.expert.rank`.
fn section_in_another_place(path: &KeyPath, value: &Value) -> Option<String> {
    let mut parts: Vec<&str> = path
        .0
        .iter()
        .filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Place(_) => None,
        })
        .collect();
    let mut below = value;
    while let Some((key, inner)) =
        below.as_object().filter(|table| table.len() == 1).and_then(|table| table.iter().next())
    {
        parts.push(key);
        below = inner;
    }
    if parts.len() <= path.0.len() {
        return None;
    }
    unknown_key::reordered(&parts).map(|key| did_you_mean(&key))
}

/// "both", "none", or the keys that are there.
pub(crate) fn either(given: &[&str]) -> String {
    if given.is_empty() { "none".to_owned() } else { listed(given.iter().copied(), "and") }
}

fn min_length(node: &'static Value) -> u64 {
    let own = note(node, "minLength").and_then(Value::as_u64);
    let branch = || branches(resolved(node)).iter().find_map(|branch| branch.get("minLength")?.as_u64());
    own.or_else(branch).unwrap_or(0)
}
