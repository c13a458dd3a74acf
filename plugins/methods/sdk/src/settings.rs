//! Types of settings that several policies share.

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

/// A setting of kind `number-per-expert`: one number for all experts, or a list with one per expert in the order of the
/// stream.
#[derive(Clone, Debug, PartialEq)]
pub enum PerExpert {
    /// The same number for all.
    All(f64),
    /// One per expert.
    Each(Vec<f64>),
}

impl<'de> Deserialize<'de> for PerExpert {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = || de::Error::custom("expected a number or a list of one number per expert");
        match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_f64().map(Self::All).ok_or_else(wrong),
            Value::Array(list) => {
                list.iter().map(Value::as_f64).collect::<Option<_>>().map(Self::Each).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl PerExpert {
    /// One number per expert. `name` is that of the setting.
    ///
    /// # Errors
    /// The list has another length.
    pub fn of(&self, name: &str, experts: usize) -> Result<Vec<f64>, String> {
        match self {
            Self::All(number) => Ok(vec![*number; experts]),
            Self::Each(numbers) if numbers.len() == experts => Ok(numbers.clone()),
            Self::Each(numbers) => Err(format!(
                "`{name}` has {} numbers for {experts} experts; give one per expert, or one number for all",
                numbers.len()
            )),
        }
    }
}

impl Default for PerExpert {
    fn default() -> Self {
        Self::All(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::PerExpert;

    #[test]
    fn one_number_is_for_all_experts() {
        let read = |text: &str| serde_json::from_str::<PerExpert>(text).unwrap().of("density", 3);
        assert_eq!(read("0.5"), Ok(vec![0.5; 3]));
        assert_eq!(read("[1, 2, 3]"), Ok(vec![1.0, 2.0, 3.0]));
        assert!(read("[1, 2]").unwrap_err().starts_with("`density` has 2 numbers for 3 experts"));
    }
}
