//! Filters on values that differ between Jinja2 and the engine, or exist only in Jinja2. Text filters are in
//! [`super::text_filters`].

use minijinja::filters as builtin;
use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State};

use super::arguments::{Arguments, float, integer, whole};
use super::bounds::{charge_items, refused};
use super::json::to_json;
use super::printing::{repr, text_of};

/// Maximum number of items per batch, or of parts of a slice.
const PARTS: i64 = 10_000;

type Given = Rest<ValueOrKwargs>;

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter("tojson", to_json);
    environment.add_filter("length", length);
    environment.add_filter("count", length);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("int", int);
    environment.add_filter("float", to_float);
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("sort", sort);
    environment.add_filter("pprint", |value: Value| repr(&value));
    // Jinja2's `attr` accesses attributes only, and template values have none.
    environment.add_filter("attr", |_: Value, _: Value| Value::UNDEFINED);
    environment.add_filter("list", list);
    environment.add_filter("batch", batch);
    environment.add_filter("slice", slice);
    for of_minijinja in ["bool", "split", "lines", "chain", "zip"] {
        environment.remove_filter(of_minijinja);
    }
}

fn length(state: &State, value: Value) -> Result<usize, Error> {
    let strict = state.undefined_behavior() == minijinja::UndefinedBehavior::Strict;
    match value.as_str() {
        Some(text) => Ok(text.chars().count()),
        None if value.is_undefined() && !strict => Ok(0),
        None => match value.len() {
            Some(length) => Ok(length),
            None if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) => {
                Ok(value.try_iter()?.count())
            }
            None => Err(refused(format!("{} has no length", value.kind()))),
        },
    }
}

fn default(value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("default", &["default_value", "boolean"], given)?;
    let missing = value.is_undefined() || (arguments.flag(1, false) && !value.is_true());
    Ok(if missing { arguments.value(0).cloned().unwrap_or_else(|| Value::from("")) } else { value })
}

fn int(value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("int", &["default", "base"], given)?;
    let otherwise = || arguments.value(0).cloned().unwrap_or_else(|| Value::from(0));
    let base = u32::try_from(arguments.number(1)?.unwrap_or(10)).unwrap_or(0);
    if let Some(number) = integer(&value) {
        return Ok(whole(number));
    }
    let Some(text) = value.as_str() else {
        return Ok(float(&value)
            .filter(|number| number.is_finite())
            .map_or_else(otherwise, |number| whole(number as i128)));
    };
    let digits = text.trim_matches(super::methods::is_space).replace('_', "");
    let prefix = match base {
        16 => ["0x", "0X"],
        8 => ["0o", "0O"],
        2 => ["0b", "0B"],
        base if (2..=36).contains(&base) => ["", ""],
        _ => return Err(refused("`base` of int must be from 2 to 36")),
    };
    let bare = prefix.iter().find_map(|prefix| digits.strip_prefix(prefix)).unwrap_or(&digits);
    if let Ok(number) = i128::from_str_radix(bare, base) {
        return Ok(whole(number));
    }
    let number = digits.parse::<f64>().ok().filter(|number| number.is_finite() && base == 10);
    Ok(number.map_or_else(otherwise, |number| whole(number as i128)))
}

fn to_float(value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("float", &["default"], given)?;
    let number = match value.as_str() {
        Some(text) => text.trim_matches(super::methods::is_space).replace('_', "").parse().ok(),
        None => float(&value),
    };
    Ok(match number {
        Some(number) => Value::from(number),
        None => arguments.value(0).cloned().unwrap_or_else(|| Value::from(0.0)),
    })
}

fn dictsort(value: Value, given: Given) -> Result<Value, Error> {
    let arguments = Arguments::of_filter("dictsort", &["case_sensitive", "by", "reverse"], given)?;
    let mut named: Vec<(&str, Value)> = vec![
        ("case_sensitive", Value::from(arguments.flag(0, false))),
        ("reverse", Value::from(arguments.flag(2, false))),
    ];
    if let Some(by) = arguments.text_or_none(1)? {
        named.push(("by", Value::from(by)));
    }
    builtin::dictsort(&value, named.into_iter().collect::<Kwargs>())
}

/// Compares like Python: numbers with numbers, texts with texts, lists with lists.
fn sort(state: &State, value: Value, given: Given) -> Result<Value, Error> {
    let names = ["reverse", "case_sensitive", "attribute"];
    let arguments = Arguments::of_filter("sort", &names, given)?;
    if arguments.value(2).is_none() && matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        let mut kinds = Vec::new();
        for item in value.try_iter()?.checked() {
            let item = item?;
            let kind = if float(&item).is_some() { ValueKind::Number } else { item.kind() };
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        if let [one, other, ..] = kinds.as_slice() {
            return Err(refused(format!("cannot sort: {one} and {other} cannot be compared")));
        }
    }
    let named =
        names.iter().enumerate().filter_map(|(place, name)| Some((*name, arguments.value(place)?.clone())));
    builtin::sort(state, value, named.collect::<Kwargs>())
}

fn list(state: &mut State, value: Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        charge_items(state, text.chars().count())?;
    }
    let mut items = Vec::new();
    for item in value.try_iter()?.checked() {
        items.push(item?);
        if items.len() > super::bounds::ITEMS {
            break;
        }
    }
    charge_items(state, items.len())?;
    Ok(Value::from(items))
}

fn batch(state: &State, value: Value, count: i64, fill: Option<Value>) -> Result<Value, Error> {
    builtin::batch(state, value, parts("batch", count)?, fill)
}

fn slice(state: &State, value: Value, count: i64, fill: Option<Value>) -> Result<Value, Error> {
    builtin::slice(state, value, parts("slice", count)?, fill)
}

fn parts(filter: &str, count: i64) -> Result<usize, Error> {
    match usize::try_from(count) {
        Ok(parts) if (1..=PARTS).contains(&count) => Ok(parts),
        _ => Err(refused(format!("{filter}({count}): expected a number from 1 to {PARTS}"))),
    }
}

/// The text of a filter's value.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Invalid => Err(Error::from(ErrorKind::InvalidOperation)),
        _ => text_of(value),
    }
}
