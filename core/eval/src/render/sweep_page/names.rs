//! Short names of keys, values as text, and runs as links. Short names must stay unique.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::figures::visible;
use crate::measures::without_noise;
use crate::sweep::plain;
use crate::{SettingSummary, SweepReport};

/// Short names of varied keys.
pub(in crate::render) struct Names<'a> {
    /// The varied keys, in the order of the sweep.
    pub(in crate::render) keys: &'a [String],
    short: BTreeMap<&'a str, String>,
    /// Whether settings come from two recipes or more.
    pub(in crate::render) recipes: bool,
}

impl<'a> Names<'a> {
    pub(in crate::render) fn of(report: &'a SweepReport) -> Self {
        let alone =
            |key: &str| report.keys.iter().filter(|other| last_of(other) == last_of(key)).count() == 1;
        let short = report.keys.iter().map(|key| {
            let name = if alone(key) { last_of(key) } else { key.as_str() };
            (key.as_str(), visible(name))
        });
        let first = report.settings.first();
        Self {
            keys: &report.keys,
            short: short.collect(),
            recipes: report
                .settings
                .iter()
                .any(|setting| Some(&setting.recipe) != first.map(|of| &of.recipe)),
        }
    }

    /// The last part of a key, or all of it where another key ends in the same.
    pub(in crate::render) fn short(&self, key: &str) -> String {
        self.short.get(key).cloned().unwrap_or_else(|| visible(key))
    }

    /// Recipe (where there are several) and values of a setting, without the keys in `without`; may be empty.
    pub(super) fn rest(&self, setting: &SettingSummary, without: &[&str]) -> String {
        let recipe = self.recipes.then(|| visible(&setting.recipe));
        let values = setting.values.iter().filter(|(key, _)| !without.contains(&key.as_str()));
        let values = values.map(|(key, value)| format!("{} {}", self.short(key), value_text(value)));
        recipe.into_iter().chain(values).collect::<Vec<_>>().join(", ")
    }
}

/// The last part of a key.
fn last_of(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// A value as text; numbers without floating-point noise.
pub(in crate::render) fn value_text(value: &Value) -> String {
    match value.as_f64().filter(|_| value.is_f64()) {
        Some(number) => visible(&plain(&Value::from(without_noise(number)))),
        None => visible(&plain(value)),
    }
}

/// The value of a key as text, an en dash where the setting has none.
pub(in crate::render) fn value_or_dash(values: &Map<String, Value>, key: &str) -> String {
    values.get(key).map_or_else(|| "–".to_owned(), value_text)
}

/// A path of a report as a link. `None` for anything but a relative path: a page must not link to other hosts.
pub(super) fn link(path: &str) -> Option<String> {
    let begin = path.split('/').next().unwrap_or(path);
    if path.is_empty() || begin.is_empty() || begin.contains(':') || path.contains('\\') {
        return None;
    }
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/=+,@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{link, value_text};
    use serde_json::json;

    #[test]
    fn values_have_no_floating_point_noise() {
        assert_eq!([json!(0.1 + 0.2), json!(1e-6), json!(3)].map(|of| value_text(&of)), ["0.3", "1e-6", "3"]);
        assert_eq!(value_text(&json!([1, "a"])), "[1,\"a\"]");
    }

    #[test]
    fn links_are_relative_paths_and_nothing_else() {
        assert_eq!(link("../see-1a/report.html").unwrap(), "../see-1a/report.html");
        assert_eq!(link("a b/100%\".html").unwrap(), "a%20b/100%25%22.html");
        for path in ["", "/etc/passwd", "//host/x", "javascript:alert(1)", "https://host/x", "\\\\host\\x"] {
            assert_eq!(link(path), None, "{path}");
        }
    }
}
