//! Text filters as in Jinja2.

use std::sync::LazyLock;

use minijinja::formatting::FormatStyle;
use minijinja::value::{Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State};
use regex::Regex;

use super::arguments::Arguments;
use super::bounds::{TEXT, charge, refused, too_much_text};
use super::filters::text;
use super::methods::{capitalized, centered, replaced, stripped};
use super::operators::formatted;
use super::printing::escaped;

type Given = Rest<ValueOrKwargs>;

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter("string", |state: &mut State, value: Value| made(state, text(&value)?));
    environment
        .add_filter("upper", |state: &mut State, value: Value| made(state, text(&value)?.to_uppercase()));
    environment
        .add_filter("lower", |state: &mut State, value: Value| made(state, text(&value)?.to_lowercase()));
    environment
        .add_filter("capitalize", |state: &mut State, value: Value| made(state, capitalized(&text(&value)?)));
    environment.add_filter("title", |state: &mut State, value: Value| made(state, titled(&text(&value)?)));
    environment.add_filter("escape", |state: &mut State, value: Value| escape(state, value, false));
    environment.add_filter("e", |state: &mut State, value: Value| escape(state, value, false));
    environment.add_filter("forceescape", |state: &mut State, value: Value| escape(state, value, true));
    environment.add_filter("trim", trim);
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("indent", indent);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("format", format);
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("wordcount", wordcount);
    environment.add_filter("striptags", minijinja_contrib::filters::striptags);
    environment.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
}

/// The text produced by a filter; its length is counted.
fn made(state: &mut State, text: String) -> Result<Value, Error> {
    charge(state, text.len())?;
    Ok(Value::from(text))
}

/// Jinja2 begins a word after whitespace, hyphens and opening brackets; Python's own `title` begins one after any
/// character that is not a letter.
fn titled(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let ends = |c: char| super::methods::is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<');
    for part in text.split_inclusive(ends) {
        titled.push_str(&capitalized(part));
    }
    titled
}

fn escape(state: &mut State, value: Value, force: bool) -> Result<Value, Error> {
    if value.is_safe() && !force {
        return Ok(value);
    }
    let text = escaped(&text(&value)?);
    charge(state, text.len())?;
    Ok(Value::from_safe_string(text))
}

fn trim(state: &mut State, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("trim", &["chars"], given)?;
    let text = text(&value)?;
    made(state, stripped(&text, arguments.text_or_none(0)?, "strip").to_owned())
}

fn replace(state: &mut State, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("replace", &["old", "new", "count"], given)?;
    let text = replaced(&text(&value)?, arguments.text(0)?, arguments.text(1)?, arguments.number(2)?)?;
    made(state, text)
}

fn join(state: &mut State, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("join", &["d", "attribute"], given)?;
    let between = arguments.value(0).map_or_else(|| Ok(String::new()), text)?;
    let mut joined = String::new();
    if value.is_undefined() {
        return made(state, joined);
    }
    for (place, item) in value.try_iter()?.checked().enumerate() {
        let mut item = item?;
        if let Some(attribute) = arguments.value(1) {
            for part in text(attribute)?.split('.') {
                item = match part.parse::<usize>() {
                    Ok(place) => item.get_item_by_index(place)?,
                    Err(_) => item.get_attr(part)?,
                };
            }
        }
        if place > 0 {
            joined.push_str(&between);
        }
        joined.push_str(&text(&item)?);
        if joined.len() > TEXT {
            return Err(refused(too_much_text()));
        }
    }
    made(state, joined)
}

fn indent(state: &mut State, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("indent", &["width", "first", "blank"], given)?;
    let text = text(&value)?;
    let pad = match arguments.value(0) {
        Some(pad) if pad.as_str().is_some() => pad.as_str().unwrap_or_default().to_owned(),
        _ => match usize::try_from(arguments.number(0)?.unwrap_or(4)) {
            Ok(width) if width <= TEXT => " ".repeat(width),
            Ok(_) => return Err(refused(too_much_text())),
            Err(_) => String::new(),
        },
    };
    if text.matches('\n').count().saturating_add(1).saturating_mul(pad.len()) > TEXT {
        return Err(refused(too_much_text()));
    }
    let mut indented = if arguments.flag(1, false) { pad.clone() } else { String::new() };
    for (place, line) in text.split('\n').enumerate() {
        if place > 0 {
            indented.push('\n');
            if arguments.flag(2, false) || !line.is_empty() {
                indented.push_str(&pad);
            }
        }
        indented.push_str(line);
    }
    made(state, indented)
}

fn center(state: &mut State, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("center", &["width"], given)?;
    made(state, centered(&text(&value)?, arguments.number(0)?.unwrap_or(80))?)
}

fn truncate(state: &mut State, value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("truncate", &["length", "killwords", "end", "leeway"], given)?;
    let text = text(&value)?;
    let size = |number: Option<i64>, otherwise: usize| {
        number.map_or(otherwise, |number| usize::try_from(number).unwrap_or(0))
    };
    let length = size(arguments.number(0)?, 255);
    let end = arguments.text_or_none(2)?.unwrap_or("...");
    let leeway = size(arguments.number(3)?, 5);
    if length < end.chars().count() {
        return Err(refused(format!("truncate to {length} characters leaves no room for the ending")));
    }
    if text.chars().count() <= length.saturating_add(leeway) {
        return made(state, text);
    }
    let kept: String = text.chars().take(length - end.chars().count()).collect();
    let kept = match kept.rsplit_once(' ') {
        Some((words, _)) if !arguments.flag(1, false) => words,
        _ => &kept,
    };
    made(state, format!("{kept}{end}"))
}

fn format(state: &mut State, value: Value, given: Given) -> Result<Value, Error> {
    let values: Vec<Value> = given.0.into_iter().map(Value::from).collect();
    formatted(state, FormatStyle::Printf, &text(&value)?, &values)
}

fn urlencode(state: &mut State, value: Value) -> Result<Value, Error> {
    let query =
        |value: &Value| -> Result<String, Error> { Ok(quoted(&text(value)?, false).replace("%20", "+")) };
    let pairs: Vec<(Value, Value)> = match value.kind() {
        ValueKind::Map => {
            let pair = |key: Value| value.get_item(&key).map(|value| (key, value));
            value.try_iter()?.map(pair).collect::<Result<_, Error>>()?
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut pairs = Vec::new();
            for pair in value.try_iter()? {
                pairs.push((pair.get_item_by_index(0)?, pair.get_item_by_index(1)?));
            }
            pairs
        }
        _ => return made(state, quoted(&text(&value)?, true)),
    };
    let mut parts = Vec::new();
    for (key, value) in &pairs {
        parts.push(format!("{}={}", query(key)?, query(value)?));
    }
    made(state, parts.join("&"))
}

/// Percent-encodes bytes that a URL must not contain.
fn quoted(text: &str, slash: bool) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                quoted.push(char::from(byte))
            }
            b'/' if slash => quoted.push('/'),
            byte => quoted.push_str(&format!("%{byte:02X}")),
        }
    }
    quoted
}

fn wordcount(value: Value) -> Result<usize, Error> {
    static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\w+").ok());
    let words = WORD.as_ref().ok_or_else(|| Error::from(ErrorKind::InvalidOperation))?;
    Ok(words.find_iter(&text(&value)?).count())
}
