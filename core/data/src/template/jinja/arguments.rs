//! Binds the arguments of Python functions: by position or by name, each at most once.

use minijinja::value::{Kwargs, Rest, Value, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind};

use super::bounds::refused;

/// The arguments of one call, indexed like the parameter names.
pub(super) struct Arguments<'a> {
    function: &'a str,
    names: &'a [&'a str],
    values: Vec<Option<Value>>,
}

impl<'a> Arguments<'a> {
    /// Binds the arguments of a call to the function's parameter names.
    ///
    /// # Errors
    /// Too many arguments, an unknown name, or a duplicate argument.
    pub(super) fn bind(function: &'a str, names: &'a [&'a str], given: &[Value]) -> Result<Self, Error> {
        let mut values: Vec<Option<Value>> = vec![None; names.len()];
        let (positional, named) = split(given)?;
        if positional.len() > names.len() {
            return Err(Error::new(
                ErrorKind::TooManyArguments,
                format!(
                    "{function} takes at most {} arguments, but {} were given",
                    names.len(),
                    positional.len()
                ),
            ));
        }
        for (index, value) in positional.iter().enumerate() {
            values[index] = Some(value.clone());
        }
        if let Some(named) = named {
            for name in named.args() {
                let index = names.iter().position(|known| *known == name);
                match index {
                    Some(index) if values[index].is_none() => values[index] = Some(named.peek(name)?),
                    _ => {
                        return Err(refused(format!(
                            "{function} has no argument `{name}`, or it was given twice"
                        )));
                    }
                }
            }
        }
        Ok(Self { function, names, values })
    }

    /// Like [`Self::bind`], for the arguments of a filter after its value.
    pub(super) fn of_filter(
        function: &'a str,
        names: &'a [&'a str],
        given: Rest<ValueOrKwargs>,
    ) -> Result<Self, Error> {
        let given: Vec<Value> = given.0.into_iter().map(Value::from).collect();
        Self::bind(function, names, &given)
    }

    /// An argument, if given.
    pub(super) fn value(&self, index: usize) -> Option<&Value> {
        self.values[index].as_ref()
    }

    /// A required text.
    pub(super) fn text(&self, index: usize) -> Result<&str, Error> {
        let value = self.value(index).ok_or_else(|| {
            Error::new(ErrorKind::MissingArgument, format!("{} needs `{}`", self.function, self.names[index]))
        })?;
        value.as_str().ok_or_else(|| self.wrong(index, value, "text"))
    }

    /// An optional text; `none` counts as missing.
    pub(super) fn text_or_none(&self, index: usize) -> Result<Option<&str>, Error> {
        match self.value(index).filter(|value| !value.is_none()) {
            None => Ok(None),
            Some(_) => self.text(index).map(Some),
        }
    }

    /// An optional integer; `none` counts as missing.
    pub(super) fn number(&self, index: usize) -> Result<Option<i64>, Error> {
        match self.value(index).filter(|value| !value.is_none()) {
            None => Ok(None),
            Some(value) => match integer(value).and_then(|number| i64::try_from(number).ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(self.wrong(index, value, "a whole number")),
            },
        }
    }

    /// Whether an argument is true; `otherwise` if it is missing.
    pub(super) fn flag(&self, index: usize, otherwise: bool) -> bool {
        self.value(index).map_or(otherwise, Value::is_true)
    }

    fn wrong(&self, index: usize, value: &Value, expected: &str) -> Error {
        let name = self.names[index];
        refused(format!("`{name}` of {} is {}; expected {expected}", self.function, value.kind()))
    }
}

/// Splits arguments into positional and named ones.
pub(super) fn split(given: &[Value]) -> Result<(&[Value], Option<Kwargs>), Error> {
    match given.split_last() {
        Some((last, rest)) if last.is_kwargs() => Ok((rest, Some(Kwargs::try_from(last.clone())?))),
        _ => Ok((given, None)),
    }
}

/// An integer in Python's sense: booleans are 0 and 1, floats are not integers.
pub(super) fn integer(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// A number as a float.
pub(super) fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => {
            f64::try_from(value.clone()).ok().or_else(|| integer(value).map(|whole| whole as f64))
        }
        _ => None,
    }
}

/// An integer as a value.
pub(super) fn whole(number: i128) -> Value {
    match i64::try_from(number) {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(number),
    }
}
