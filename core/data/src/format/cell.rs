//! A value of a row, independent of the file type. Text must stay exactly as in the file.

use std::fmt::Write;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// `null`, or a missing value of a table.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number as text: whole numbers with all their digits, others as the shortest decimal.
    Number(String),
    /// Text.
    Text(String),
    /// A value that a file can hold but text cannot represent: `NaN`, `Infinity`, an out-of-range number, an unpaired
    /// surrogate, bytes that are not UTF-8. Contains its spelling in the file.
    NoText(String),
    /// A list.
    List(Vec<Cell>),
    /// A record, with its fields in file order.
    Record(Vec<(String, Cell)>),
}

impl Cell {
    /// Text as it is, numbers and booleans as JSON writes them (labels are often numbers or booleans); `None` for other
    /// values.
    pub(super) fn plain(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text.clone()),
            Self::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// Whether the value has content: it is not null, not an empty text, and not a list or record of only such values.
    pub(super) fn is_filled(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => list.iter().any(Self::is_filled),
            Self::Record(fields) => fields.iter().any(|(_, value)| value.is_filled()),
            Self::Bool(_) | Self::Number(_) | Self::NoText(_) => true,
        }
    }

    /// The field of a record. For a duplicate name it is the last one, as in Python's `json`.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Record(fields) = self else { return None };
        fields.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A short description of the value's type, for messages.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(_) => "a boolean".to_owned(),
            Self::Number(_) => "a number".to_owned(),
            Self::Text(_) => "text".to_owned(),
            Self::NoText(source) => source.clone(),
            Self::List(_) => "a list".to_owned(),
            Self::Record(_) => "a record".to_owned(),
        }
    }

    /// Writes the value as JSON until `to` has `most` bytes.
    pub(super) fn show(&self, to: &mut String, most: usize) {
        if to.len() > most {
            return;
        }
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(flag) => {
                let _ = write!(to, "{flag}");
            }
            Self::Number(text) | Self::NoText(text) => to.push_str(text),
            Self::Text(text) => show_text(text, to, most),
            Self::List(list) => {
                to.push('[');
                for (place, value) in list.iter().enumerate() {
                    if place > 0 {
                        to.push(',');
                    }
                    value.show(to, most);
                    if to.len() > most {
                        return;
                    }
                }
                to.push(']');
            }
            Self::Record(fields) => show_record(fields, to, most),
        }
    }
}

/// Writes fields as a JSON object.
pub(super) fn show_record(fields: &[(String, Cell)], to: &mut String, most: usize) {
    to.push('{');
    for (place, (name, value)) in fields.iter().enumerate() {
        if place > 0 {
            to.push(',');
        }
        show_text(name, to, most);
        to.push(':');
        value.show(to, most);
        if to.len() > most {
            return;
        }
    }
    to.push('}');
}

fn show_text(text: &str, to: &mut String, most: usize) {
    let short: String = text.chars().take(most).collect();
    to.push_str(&serde_json::Value::String(short).to_string());
}

#[cfg(test)]
mod tests {
    use super::Cell;

    #[test]
    fn what_counts_as_filled() {
        let text = |text: &str| Cell::Text(text.to_owned());
        for empty in [
            Cell::Null,
            text(""),
            Cell::List(Vec::new()),
            Cell::List(vec![Cell::Null]),
            Cell::Record(vec![("a".into(), Cell::Null)]),
        ] {
            assert!(!empty.is_filled(), "{empty:?}");
        }
        for filled in [Cell::Bool(false), text(" "), Cell::List(vec![text("x")]), Cell::Number("0".into())] {
            assert!(filled.is_filled(), "{filled:?}");
        }
    }

    #[test]
    fn a_long_value_is_shown_in_part() {
        let mut shown = String::new();
        Cell::List(vec![Cell::Number("1".into()); 1000]).show(&mut shown, 50);
        assert!(shown.starts_with("[1,1,") && shown.len() < 60, "{shown}");
    }
}
