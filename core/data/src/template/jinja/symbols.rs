//! Functions and tests of Jinja2 as configured by transformers: `dict`, `namespace`, `range`, `cycler`,
//! `raise_exception`; and the views on dicts and ranges that Python prints by name.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State};

use super::arguments::split;
use super::bounds::{ITEMS, charge_items, refused};

/// Values that Python prints with a name, such as `dict_items([…])`, or with a text of their own, such as `range(0,
/// 3)`.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) text: Option<String>,
    pub(super) values: Vec<Value>,
}

impl Object for Shown {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.values.get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.values.len())
    }
}

pub(super) fn add_to(environment: &mut Environment<'static>) {
    environment.add_function("raise_exception", |message: Value| -> Result<Value, Error> {
        Err(refused(super::printing::text_of(&message)?))
    });
    environment.add_function("range", range);
    environment.add_function("namespace", namespace);
    environment.add_function("cycler", cycler);
    environment.add_function("joiner", minijinja_contrib::globals::joiner);
    environment.add_global("dict", Value::from_object(Dict));
    // Exists in minijinja, but not in Jinja2.
    environment.remove_global("debug");
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
    });
    environment.add_test("callable", |value: &Value| {
        value.as_object().is_some_and(|object| object.repr() == ObjectRepr::Plain)
    });
}

fn range(state: &mut State, start: i64, stop: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (start, stop) = stop.map_or((0, start), |stop| (start, stop));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(refused("the step of a range cannot be 0"));
    }
    let (distance, stride) = (i128::from(stop) - i128::from(start), i128::from(step));
    let count =
        if (distance > 0) == (stride > 0) { (distance.abs() + stride.abs() - 1) / stride.abs() } else { 0 };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > ITEMS {
        return Err(refused(format!("a range of {count} numbers; the limit is {ITEMS}")));
    }
    charge_items(state, count)?;
    let values = (0..count as i64).map(|place| Value::from(start + place * step)).collect();
    let text = match step {
        1 => format!("range({start}, {stop})"),
        _ => format!("range({start}, {stop}, {step})"),
    };
    Ok(Value::from_object(Shown { name: "range", text: Some(text), values }))
}

/// Python's `dict`: keys and values of a dict or of pairs, followed by named arguments.
fn pairs_of(given: &[Value]) -> Result<Vec<(Value, Value)>, Error> {
    let (positional, named) = split(given)?;
    let mut pairs = Vec::new();
    match positional {
        [] => {}
        [map] if map.kind() == ValueKind::Map => {
            for key in map.try_iter()? {
                let value = map.get_item(&key)?;
                pairs.push((key, value));
            }
        }
        [list] => {
            for pair in list.try_iter()? {
                let both: Vec<Value> = pair.try_iter()?.collect();
                match <[Value; 2]>::try_from(both) {
                    Ok([key, value]) => pairs.push((key, value)),
                    Err(_) => return Err(refused("a dict must be made from pairs")),
                }
            }
        }
        _ => return Err(Error::from(ErrorKind::TooManyArguments)),
    }
    if let Some(named) = named {
        for name in named.args() {
            pairs.push((Value::from(name), named.peek(name)?));
        }
    }
    Ok(pairs)
}

#[derive(Debug)]
struct Dict;

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State, given: &[Value]) -> Result<Value, Error> {
        Ok(Value::from_pairs(pairs_of(given)?))
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State,
        method: &str,
        given: &[Value],
    ) -> Result<Value, Error> {
        match (method, given) {
            ("fromkeys", [keys]) => Ok(Value::from_pairs(keys.try_iter()?.map(|key| (key, Value::from(()))))),
            ("fromkeys", [keys, value]) => {
                Ok(Value::from_pairs(keys.try_iter()?.map(|key| (key, value.clone()))))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn namespace(given: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let given: Vec<Value> = given.0.into_iter().map(Value::from).collect();
    let pairs = pairs_of(&given)?;
    let hidden = |key: &Value| key.as_str().is_some_and(|name| name.starts_with('_'));
    if let Some((name, _)) = pairs.iter().find(|(key, _)| hidden(key)) {
        return Err(refused(format!(
            "a namespace cannot have an attribute `{name}`, because the name begins with an underscore"
        )));
    }
    minijinja::functions::namespace(Some(Value::from_pairs(pairs).into()))
}

#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    place: AtomicUsize,
}

fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    if items.is_empty() {
        return Err(refused("cycler needs at least one item"));
    }
    Ok(Value::from_object(Cycler { items: items.0, place: AtomicUsize::new(0) }))
}

impl Cycler {
    fn current(&self) -> Value {
        self.items[self.place.load(Ordering::Relaxed) % self.items.len()].clone()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.current())
    }

    fn call_method(self: &Arc<Self>, _state: &mut State, method: &str, _: &[Value]) -> Result<Value, Error> {
        match method {
            "next" => {
                let current = self.current();
                self.place.fetch_add(1, Ordering::Relaxed);
                Ok(current)
            }
            "reset" => {
                self.place.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
