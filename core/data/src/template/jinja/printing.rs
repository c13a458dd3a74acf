//! Formats values like Python's `str` and `repr`.

use std::fmt::Write;
use std::sync::LazyLock;

use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Error, Output, State};
use regex::Regex;

use super::bounds::{charge, refused};
use super::symbols::Shown;

/// Maximum nesting depth of lists and dicts.
const DEPTH: usize = 100;

/// Prints the value of an expression.
pub(super) fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let text = text_of(value)?;
    let text = match state.auto_escape() {
        AutoEscape::None => text,
        _ if value.is_safe() => text,
        _ => escaped(&text),
    };
    charge(state, text.len())?;
    out.write_str(&text).map_err(Error::from)
}

/// Python's `str`; empty for undefined values.
pub(super) fn text_of(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    if value.is_undefined() {
        return Ok(String::new());
    }
    let mut text = String::new();
    write_repr(&mut text, value, 0)?;
    Ok(text)
}

/// Python's `repr`.
pub(super) fn repr(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    write_repr(&mut text, value, 0)?;
    Ok(text)
}

fn write_repr(to: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > DEPTH {
        return Err(refused(format!("a value is nested more than {DEPTH} deep (the limit)")));
    }
    if to.len() > super::bounds::TEXT {
        return Err(refused(super::bounds::too_much_text()));
    }
    if let Some(text) = value.as_str() {
        write_text(to, text);
        return Ok(());
    }
    match value.kind() {
        ValueKind::Undefined => to.push_str("Undefined"),
        ValueKind::Number if !value.is_integer() => match f64::try_from(value.clone()) {
            Ok(number) => to.push_str(&float_text(number)),
            Err(_) => write!(to, "{value}").map_err(Error::from)?,
        },
        ValueKind::Seq | ValueKind::Iterable => write_items(to, value, depth)?,
        ValueKind::Map => {
            to.push('{');
            for (place, key) in value.try_iter()?.enumerate() {
                if place > 0 {
                    to.push_str(", ");
                }
                write_repr(to, &key, depth + 1)?;
                to.push_str(": ");
                write_repr(to, &value.get_item(&key)?, depth + 1)?;
            }
            to.push('}');
        }
        ValueKind::Invalid => value.try_iter().map(drop)?,
        _ => write!(to, "{value}").map_err(Error::from)?,
    }
    Ok(())
}

fn write_items(to: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    let shown = value.downcast_object_ref::<Shown>();
    if let Some(Shown { text: Some(text), .. }) = shown {
        to.push_str(text);
        return Ok(());
    }
    let name = shown.map_or("", |shown| shown.name);
    let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
    if !name.is_empty() {
        to.push_str(name);
        to.push('(');
    }
    to.push(open);
    let mut count = 0;
    for item in value.try_iter()?.checked() {
        if count > 0 {
            to.push_str(", ");
        }
        write_repr(to, &item?, depth + 1)?;
        count += 1;
    }
    if count == 1 && value.is_tuple() {
        to.push(',');
    }
    to.push(close);
    if !name.is_empty() {
        to.push(')');
    }
    Ok(())
}

/// Characters that `repr` writes as escapes.
static UNPRINTABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[\p{C}\p{Z}]").ok());

/// Whether Python's `repr` shows a character unescaped.
pub(super) fn printable(c: char) -> bool {
    let mut bytes = [0; 4];
    let text: &str = c.encode_utf8(&mut bytes);
    match c {
        ' '..='~' => true,
        _ => !UNPRINTABLE.as_ref().is_some_and(|regex| regex.is_match(text)),
    }
}

fn write_text(to: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    to.push(quote);
    for c in text.chars() {
        match c {
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\\' => to.push_str("\\\\"),
            c if c == quote => to.extend(['\\', c]),
            c if printable(c) => to.push(c),
            c => {
                let code = u32::from(c);
                to.push_str(&match code {
                    0..=0xFF => format!("\\x{code:02x}"),
                    0x100..=0xFFFF => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    to.push(quote);
}

/// Formats a float like Python: the shortest digits that reproduce it, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Escapes HTML like markupsafe.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&#39;"),
            '"' => escaped.push_str("&#34;"),
            c => escaped.push(c),
        }
    }
    escaped
}
