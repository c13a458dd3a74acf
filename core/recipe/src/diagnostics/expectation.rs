//! Descriptions of expected values, from the schema, and of found values; the choice of suggestions.

use serde_json::Value;

use crate::diagnostics::synonyms;
use crate::generate::schema::{branches, note, resolved, tables, words};

/// Bytes of a word up to which it is compared with others.
const LONGEST_COMPARED: usize = 200;
/// Characters of a name that a message shows.
const LONGEST_NAME: usize = 60;

/// A description of the values of a key: "a whole number from 1 to 4096".
pub(crate) fn expected(node: &'static Value) -> String {
    if let Some(text) = note(node, "x-expected").and_then(Value::as_str) {
        return text.to_owned();
    }
    let words = listed(crate::generate::schema::words(node).iter().map(|(word, _)| *word), "or");
    let forms = tables(node).iter().filter_map(|table| form(table)).collect::<Vec<_>>().join(" or ");
    match (words.is_empty(), forms.is_empty()) {
        (false, true) => words,
        (true, false) if !branches(resolved(node)).is_empty() => forms,
        (false, false) => format!("{words}, or {forms}"),
        _ => plain(node),
    }
}

fn plain(node: &'static Value) -> String {
    match note(node, "type").and_then(Value::as_str).unwrap_or_default() {
        "integer" => ranged("a whole number", node),
        "number" => ranged("a number", node),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => {
            let items = resolved(node).get("items").map_or_else(|| "values".to_owned(), items);
            let length = match (note(node, "minItems"), note(node, "maxItems")) {
                (Some(min), Some(max)) if min == max => format!(", {min} of them"),
                (Some(_), _) => ", at least one".to_owned(),
                (None, _) => String::new(),
            };
            format!("a list of {items}{length}")
        }
        "object" => {
            let required = resolved(node).get("required").and_then(Value::as_array);
            let names = required.into_iter().flatten().filter_map(Value::as_str);
            let names = listed(names, "and");
            if names.is_empty() { "a table".to_owned() } else { format!("a table with {names}") }
        }
        "string" => match note(node, "format").and_then(Value::as_str) {
            Some("path") => "a path".to_owned(),
            Some("name") => "a name of letters, digits, `-`, `_` and `.`".to_owned(),
            _ if note(node, "minLength").is_some() => "a non-empty text".to_owned(),
            _ => "a text".to_owned(),
        },
        _ => "any value".to_owned(),
    }
}

fn items(node: &'static Value) -> String {
    let words = words(node);
    if !words.is_empty() {
        return listed(words.iter().map(|(word, _)| *word), "or");
    }
    match note(node, "type").and_then(Value::as_str).unwrap_or_default() {
        "string" => "texts".to_owned(),
        "integer" => "whole numbers".to_owned(),
        "object" => "tables".to_owned(),
        _ => "values".to_owned(),
    }
}

/// `{ train-bpe = … }` for a table with a single required key.
fn form(table: &'static Value) -> Option<String> {
    let required = table.get("required")?.as_array()?;
    let [key] = required.as_slice() else {
        return None;
    };
    Some(format!("`{{ {} = … }}`", key.as_str()?))
}

fn ranged(what: &str, node: &'static Value) -> String {
    let bound = |name| note(node, name).map(number);
    let low = bound("minimum");
    let width = || match note(node, "format").and_then(Value::as_str) {
        Some("uint32") => Some(u32::MAX.to_string()),
        _ => None,
    };
    let high = bound("maximum").or_else(width);
    match (low, bound("exclusiveMinimum"), high, bound("exclusiveMaximum")) {
        (Some(low), _, Some(high), _) => format!("{what} from {low} to {high}"),
        (Some(low), _, _, Some(high)) => format!("{what} from {low}, below {high}"),
        (Some(low), ..) => format!("{what}, at least {low}"),
        (_, Some(low), Some(high), _) => format!("{what} above {low}, at most {high}"),
        (_, Some(low), ..) => format!("{what} above {low}"),
        (.., Some(high), _) => format!("{what}, at most {high}"),
        _ => what.to_owned(),
    }
}

/// A bound without a needless fraction: 1, not 1.0.
fn number(bound: &Value) -> String {
    match bound.as_f64() {
        Some(value) if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        _ => bound.to_string(),
    }
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn listed<'a>(words: impl Iterator<Item = &'a str>, last: &str) -> String {
    let mut words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.pop() {
        None => String::new(),
        Some(only) if words.is_empty() => only,
        Some(end) => format!("{} {last} {end}", words.join(", ")),
    }
}

/// A description of a value that was found: "the text \"x\"", "a list".
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) if number.is_f64() => format!("the number {number}"),
        Value::Number(number) => format!("the whole number {number}"),
        Value::String(text) => format!("the text {}", short(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
    }
}

/// A text in quotes, truncated if it is long.
pub(crate) fn short(text: &str) -> String {
    let shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() { format!("{shown:?}…") } else { format!("{shown:?}") }
}

/// The candidate with the least edit distance to a word, if the distance is small compared with the word.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = word.to_lowercase().replace('_', "-");
    if written.len() > LONGEST_COMPARED {
        return None;
    }
    let allowed = (written.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&written, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The most probable choice for a word: a synonym, another spelling, or the nearest.
pub(crate) fn nearest_word<'a>(word: &str, choices: &[&'a str]) -> Option<&'a str> {
    synonyms::of_word(word, choices.iter().copied()).or_else(|| nearest(word, choices.iter().copied()))
}

/// The choices, most similar to `word` first.
pub(crate) fn by_similarity<'a>(word: &str, choices: &[&'a str]) -> Vec<&'a str> {
    let mut sorted = choices.to_vec();
    if word.len() <= LONGEST_COMPARED {
        let word = synonyms::spelled(word);
        let similarity = |choice: &str| strsim::jaro_winkler(&word, &choice.to_lowercase());
        sorted.sort_by(|one, other| similarity(other).total_cmp(&similarity(one)));
    }
    sorted
}

/// A name on one line, cut where it is long.
pub(crate) fn short_name(name: &str) -> String {
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    let shown: String = name.chars().take(LONGEST_NAME).map(plain).collect();
    if name.chars().nth(LONGEST_NAME).is_some() { format!("{shown}…") } else { shown }
}

/// "did you mean `x`?"
pub(crate) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}
