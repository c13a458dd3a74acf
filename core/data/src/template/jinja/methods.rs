//! Methods of Python's `str`, counting characters like Python. Methods of lists and dicts are in [`super::lists`].

use minijinja::formatting::FormatStyle;
use minijinja::value::{Tuple, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

use super::arguments::Arguments;
use super::bounds::{TEXT, charge, charge_items, refused, too_much_text};
use super::lists;
use super::operators::formatted;
use super::printing::printable;

/// Calls a method that the engine does not implement.
pub(super) fn call(state: &mut State, value: &Value, method: &str, given: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => match value.as_str() {
            Some(text) => of_text(state, text, method, given),
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        },
        ValueKind::Map => lists::of_dict(state, value, method, given),
        ValueKind::Seq | ValueKind::Iterable => lists::of_list(state, value, method, given),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_text(state: &mut State, text: &str, method: &str, given: &[Value]) -> Result<Value, Error> {
    charge(state, text.len())?;
    let made = match method {
        "format" => return formatted(state, FormatStyle::StrFormat, text, given),
        "join" => return join(state, text, given),
        "split" | "rsplit" | "splitlines" | "partition" | "rpartition" => {
            return cut(state, text, method, given);
        }
        "find" | "rfind" | "index" | "rindex" | "count" | "startswith" | "endswith" => {
            return search(text, method, given);
        }
        "strip" | "lstrip" | "rstrip" => {
            let arguments = Arguments::bind(method, &["chars"], given)?;
            stripped(text, arguments.text_or_none(0)?, method).to_owned()
        }
        "removeprefix" => {
            let arguments = Arguments::bind(method, &["prefix"], given)?;
            text.strip_prefix(arguments.text(0)?).unwrap_or(text).to_owned()
        }
        "removesuffix" => {
            let arguments = Arguments::bind(method, &["suffix"], given)?;
            text.strip_suffix(arguments.text(0)?).unwrap_or(text).to_owned()
        }
        "replace" => {
            let arguments = Arguments::bind(method, &["old", "new", "count"], given)?;
            replaced(text, arguments.text(0)?, arguments.text(1)?, arguments.number(2)?)?
        }
        "zfill" | "ljust" | "rjust" | "center" => padded(text, method, given)?,
        "expandtabs" => {
            let arguments = Arguments::bind(method, &["tabsize"], given)?;
            expanded(text, arguments.number(0)?.unwrap_or(8))?
        }
        _ => return of_letters(state, text, method, given),
    };
    charge(state, made.len())?;
    Ok(Value::from(made))
}

/// Methods without arguments: letter case and character classes.
fn of_letters(state: &mut State, text: &str, method: &str, given: &[Value]) -> Result<Value, Error> {
    let all = |test: &dyn Fn(char) -> bool| Value::from(!text.is_empty() && text.chars().all(test));
    let cased = |is: fn(char) -> bool, is_not: fn(char) -> bool| {
        Value::from(text.chars().any(is) && !text.chars().any(is_not))
    };
    let result = match method {
        "upper" => Value::from(text.to_uppercase()),
        "lower" => Value::from(text.to_lowercase()),
        "casefold" => Value::from(text.to_lowercase().replace('ß', "ss").replace('ς', "σ")),
        "capitalize" => Value::from(capitalized(text)),
        "title" => Value::from(titled(text)),
        "swapcase" => Value::from(swapped(text)),
        "islower" => cased(char::is_lowercase, char::is_uppercase),
        "isupper" => cased(char::is_uppercase, char::is_lowercase),
        "istitle" => Value::from(titled(text) == text && text.chars().any(char::is_uppercase)),
        "isspace" => all(&is_space),
        "isascii" => Value::from(text.is_ascii()),
        "isalpha" => all(&is_letter),
        "isdecimal" => all(&|c| c.is_ascii_digit() || class(c, r"\p{Nd}")),
        "isdigit" => all(&is_digit),
        "isnumeric" => all(&char::is_numeric),
        "isalnum" => all(&|c| is_letter(c) || c.is_numeric()),
        "isprintable" => Value::from(text.chars().all(printable)),
        "isidentifier" => Value::from(
            all(&|c| c == '_' || is_letter(c) || c.is_numeric()).is_true()
                && !text.starts_with(char::is_numeric),
        ),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    Arguments::bind(method, &[], given)?;
    charge(state, text.len())?;
    Ok(result)
}

/// Whitespace in the sense of Python's `str`: Unicode's, and the four ASCII separators.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\x1c'..='\x1f')
}

fn class(c: char, pattern: &str) -> bool {
    regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(c.encode_utf8(&mut [0; 4])))
}

fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { c.is_alphabetic() && class(c, r"\p{L}") }
}

/// Decimal digits, and other digit characters: superscripts, subscripts, circled digits.
fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
        || matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨')
        || class(c, r"\p{Nd}")
}

/// Strips these characters, or whitespace, from the ends of a text; `method` determines which ends.
pub(super) fn stripped<'t>(text: &'t str, chars: Option<&str>, method: &str) -> &'t str {
    let goes = |c: char| chars.map_or_else(|| is_space(c), |chars| chars.contains(c));
    let text = if method == "rstrip" { text } else { text.trim_start_matches(goes) };
    if method == "lstrip" { text } else { text.trim_end_matches(goes) }
}

/// Capitalises the first letter and lowercases all others.
pub(super) fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        None => String::new(),
        Some(first) => large(first) + &chars.as_str().to_lowercase(),
    }
}

/// The titlecase form of a letter: `ß` becomes `Ss`.
fn large(c: char) -> String {
    let upper = c.to_uppercase().to_string();
    let mut chars = upper.chars();
    match chars.next() {
        Some(first) => first.to_string() + &chars.as_str().to_lowercase(),
        None => upper,
    }
}

/// Capitalises every letter that does not follow a letter.
fn titled(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut within = false;
    for c in text.chars() {
        match within {
            true => made.extend(c.to_lowercase()),
            false => made.push_str(&large(c)),
        }
        within = c.is_lowercase() || c.is_uppercase();
    }
    made
}

fn swapped(text: &str) -> String {
    let swap =
        |c: char| if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() };
    text.chars().map(swap).collect()
}

/// Replaces every occurrence of `old` by `new`, or only the first `count`.
pub(super) fn replaced(text: &str, old: &str, new: &str, count: Option<i64>) -> Result<String, Error> {
    let most = count.and_then(|count| usize::try_from(count).ok());
    let found = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let times = most.map_or(found, |most| most.min(found));
    if times.saturating_mul(new.len()).saturating_add(text.len()) > 2 * TEXT {
        return Err(refused(too_much_text()));
    }
    Ok(text.replacen(old, new, times))
}

fn padded(text: &str, method: &str, given: &[Value]) -> Result<String, Error> {
    let arguments = Arguments::bind(method, &["width", "fillchar"], given)?;
    let width = usize::try_from(arguments.number(0)?.unwrap_or(0)).unwrap_or(0);
    let fill = arguments.text_or_none(1)?.unwrap_or(if method == "zfill" { "0" } else { " " });
    if fill.chars().count() != 1 || (method == "zfill" && fill != "0") {
        return Err(refused(format!("the fill character of {method} must be one character")));
    }
    let missing = width.saturating_sub(text.chars().count());
    if missing.saturating_mul(fill.len()) > TEXT {
        return Err(refused(too_much_text()));
    }
    let pad = |count: usize| fill.repeat(count);
    Ok(match method {
        "ljust" => text.to_owned() + &pad(missing),
        "rjust" => pad(missing) + text,
        "zfill" => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            text[..text.len() - digits.len()].to_owned() + &pad(missing) + digits
        }
        _ => {
            // Like CPython: an odd number of blanks has the extra one on the left if the width is odd.
            let left = missing / 2 + (missing & width & 1);
            pad(left) + text + &pad(missing - left)
        }
    })
}

/// Centres a text in this number of characters.
pub(super) fn centered(text: &str, width: i64) -> Result<String, Error> {
    padded(text, "center", &[Value::from(width)])
}

fn expanded(text: &str, size: i64) -> Result<String, Error> {
    let size = usize::try_from(size).unwrap_or(0);
    let tabs = text.matches('\t').count();
    if tabs.saturating_mul(size) > TEXT {
        return Err(refused(too_much_text()));
    }
    let mut made = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                let blanks = size - column % size;
                made.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            '\t' => {}
            '\n' | '\r' => {
                made.push(c);
                column = 0;
            }
            c => {
                made.push(c);
                column += 1;
            }
        }
    }
    Ok(made)
}

fn join(state: &mut State, between: &str, given: &[Value]) -> Result<Value, Error> {
    let arguments = Arguments::bind("join", &["iterable"], given)?;
    let mut joined = String::new();
    let list = arguments.value(0).ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
    for (index, item) in list.try_iter()?.checked().enumerate() {
        let item = item?;
        if index > 0 {
            joined.push_str(between);
        }
        let text = item.as_str();
        joined.push_str(
            text.ok_or_else(|| refused(format!("join needs texts; item {index} is {}", item.kind())))?,
        );
        if joined.len() > TEXT {
            return Err(refused(too_much_text()));
        }
    }
    charge(state, joined.len())?;
    Ok(Value::from(joined))
}

/// `split` and related methods.
fn cut(state: &mut State, text: &str, method: &str, given: &[Value]) -> Result<Value, Error> {
    let pieces: Vec<&str> = match method {
        "partition" | "rpartition" => {
            let arguments = Arguments::bind(method, &["sep"], given)?;
            let mark = arguments.text(0)?;
            if mark.is_empty() {
                return Err(refused(format!("{method} needs a text that is not empty")));
            }
            let found = if method == "partition" { text.split_once(mark) } else { text.rsplit_once(mark) };
            let parts = match found {
                Some((left, right)) => [left, mark, right],
                None if method == "partition" => [text, "", ""],
                None => ["", "", text],
            };
            return Ok(Value::from(Tuple::from(parts.map(Value::from))));
        }
        "splitlines" => {
            let arguments = Arguments::bind(method, &["keepends"], given)?;
            lines(text, arguments.flag(0, false))
        }
        _ => {
            let arguments = Arguments::bind(method, &["sep", "maxsplit"], given)?;
            let most = arguments.number(1)?.and_then(|most| usize::try_from(most).ok());
            match arguments.text_or_none(0)? {
                Some("") => return Err(refused(format!("{method} needs a text that is not empty"))),
                Some(mark) => match (most, method) {
                    (None, _) => text.split(mark).collect(),
                    (Some(most), "split") => text.splitn(most.saturating_add(1), mark).collect(),
                    (Some(most), _) => {
                        let mut pieces: Vec<&str> = text.rsplitn(most.saturating_add(1), mark).collect();
                        pieces.reverse();
                        pieces
                    }
                },
                None => words(text, most, method == "rsplit"),
            }
        }
    };
    charge_items(state, pieces.len())?;
    Ok(pieces.into_iter().map(Value::from).collect())
}

/// Splits at whitespace, with at most `most` cuts.
fn words(text: &str, most: Option<usize>, from_right: bool) -> Vec<&str> {
    let Some(most) = most else { return text.split(is_space).filter(|word| !word.is_empty()).collect() };
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = if from_right { rest.trim_end_matches(is_space) } else { rest.trim_start_matches(is_space) };
        if rest.is_empty() {
            break;
        }
        let cut = if from_right { rest.rfind(is_space) } else { rest.find(is_space) };
        match cut.filter(|_| words.len() < most) {
            None => {
                words.push(if from_right { rest.trim_start_matches(is_space) } else { rest });
                break;
            }
            Some(index) if from_right => {
                let after = index + rest[index..].chars().next().map_or(1, char::len_utf8);
                words.push(&rest[after..]);
                rest = &rest[..index];
            }
            Some(index) => {
                words.push(&rest[..index]);
                rest = &rest[index..];
            }
        }
    }
    if from_right {
        words.reverse();
    }
    words
}

/// Splits at all line ends that Python recognises.
fn lines(text: &str, keep: bool) -> Vec<&str> {
    let ends = |c: char| {
        matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(ends) {
        let mark = if rest[end..].starts_with("\r\n") {
            2
        } else {
            rest[end..].chars().next().map_or(1, char::len_utf8)
        };
        lines.push(&rest[..if keep { end + mark } else { end }]);
        rest = &rest[end + mark..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// `find` and related methods, within a part of the text.
fn search(text: &str, method: &str, given: &[Value]) -> Result<Value, Error> {
    let arguments = Arguments::bind(method, &["sub", "start", "end"], given)?;
    let count = text.chars().count();
    let index = |number: Option<i64>, otherwise: usize| match number {
        None => otherwise,
        Some(number) if number < 0 => {
            count.saturating_sub(usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX))
        }
        Some(number) => usize::try_from(number).unwrap_or(usize::MAX),
    };
    let start = index(arguments.number(1)?, 0);
    let end = index(arguments.number(2)?, count).min(count);
    let byte = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte);
    let part = if start <= end { Some(&text[byte(start)..byte(end)]) } else { None };
    if method == "startswith" || method == "endswith" {
        let Some(part) = part else { return Ok(Value::from(false)) };
        let fits =
            |mark: &str| if method == "startswith" { part.starts_with(mark) } else { part.ends_with(mark) };
        return match arguments.value(0) {
            Some(several) if several.is_tuple() => {
                let mut any = false;
                for mark in several.try_iter()? {
                    any |= fits(mark.as_str().ok_or_else(|| refused(format!("{method} needs texts")))?);
                }
                Ok(Value::from(any))
            }
            _ => arguments.text(0).map(|mark| Value::from(fits(mark))),
        };
    }
    let mark = arguments.text(0)?;
    if method == "count" {
        return Ok(Value::from(part.map_or(0, |part| part.matches(mark).count())));
    }
    let found = part.and_then(|part| {
        let byte = if method.starts_with('r') { part.rfind(mark) } else { part.find(mark) };
        byte.map(|byte| start + part[..byte].chars().count())
    });
    match found {
        Some(found) => Ok(Value::from(found)),
        None if method.ends_with("find") => Ok(Value::from(-1)),
        None => Err(refused("substring not found")),
    }
}
