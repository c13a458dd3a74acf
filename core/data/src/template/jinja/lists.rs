//! Methods of Python's dicts, lists and tuples that do not modify the value. Modifying methods are refused, as in
//! Jinja2's immutable sandbox.

use minijinja::value::{Tuple, Value};
use minijinja::{Error, ErrorKind, State};

use super::arguments::Arguments;
use super::bounds::{charge_items, refused};
use super::symbols::Shown;

pub(super) fn of_dict(
    state: &mut State,
    value: &Value,
    method: &str,
    given: &[Value],
) -> Result<Value, Error> {
    match method {
        "get" => {
            let arguments = Arguments::bind(method, &["key", "default"], given)?;
            let key = arguments.value(0).ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
            let found = value.as_object().and_then(|object| object.get_value(key));
            Ok(found.or_else(|| arguments.value(1).cloned()).unwrap_or_else(|| Value::from(())))
        }
        "items" | "keys" | "values" | "copy" => {
            Arguments::bind(method, &[], given)?;
            let keys: Vec<Value> = value.try_iter()?.collect();
            charge_items(state, keys.len())?;
            let of = |key: &Value| value.get_item(key);
            if method == "copy" {
                let pairs: Result<Vec<_>, Error> =
                    keys.into_iter().map(|key| of(&key).map(|value| (key, value))).collect();
                return Ok(Value::from_pairs(pairs?));
            }
            let (name, values): (_, Result<Vec<Value>, Error>) = match method {
                "keys" => ("dict_keys", Ok(keys)),
                "values" => ("dict_values", keys.iter().map(of).collect()),
                _ => {
                    let pair = |key: &Value| Ok(Value::from(Tuple::from([key.clone(), of(key)?])));
                    ("dict_items", keys.iter().map(pair).collect())
                }
            };
            Ok(Value::from_object(Shown { name, text: None, values: values? }))
        }
        "pop" | "popitem" | "update" | "setdefault" | "clear" => Err(immutable(method)),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

pub(super) fn of_list(
    state: &mut State,
    value: &Value,
    method: &str,
    given: &[Value],
) -> Result<Value, Error> {
    match method {
        "count" | "index" => {
            let arguments = Arguments::bind(method, &["value"], given)?;
            let wanted = arguments.value(0).ok_or_else(|| Error::from(ErrorKind::MissingArgument))?;
            let mut count = 0;
            for (place, item) in value.try_iter()?.checked().enumerate() {
                if item? == *wanted {
                    if method == "index" {
                        return Ok(Value::from(place));
                    }
                    count += 1;
                }
            }
            if method == "index" {
                Err(refused("the value is not in the list"))
            } else {
                Ok(Value::from(count))
            }
        }
        "copy" if !value.is_tuple() => {
            Arguments::bind(method, &[], given)?;
            let items: Vec<Value> = value.try_iter()?.collect();
            charge_items(state, items.len())?;
            Ok(Value::from(items))
        }
        "append" | "extend" | "insert" | "pop" | "remove" | "reverse" | "sort" | "clear" => {
            Err(immutable(method))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn immutable(method: &str) -> Error {
    refused(format!("a chat template cannot change a value: `{method}` is not allowed; use a namespace"))
}
