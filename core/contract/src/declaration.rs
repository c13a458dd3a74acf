//! What a collection declares about its policies: names, settings, hooks. It stands in `policies.toml` beside the source,
//! and in the custom section [`DECLARATIONS_SECTION`] of the component, so that a recipe can be checked without running
//! the component.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Name of the custom section that holds the declarations as JSON ([`Declarations`]).
pub const DECLARATIONS_SECTION: &str = "cadre-policies";

/// The policies of a component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Declarations {
    /// Version of the collection.
    pub version: String,
    /// Its policies.
    #[serde(default, rename = "policy")]
    pub policies: Vec<PolicyDeclaration>,
}

/// Where in a recipe a policy is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// `gate`: how experts share a token.
    Gate,
    /// `objective`: terms of the loss.
    Objective,
    /// `update`: which weights a step changes.
    Update,
    /// `transform`: changes a complete expert.
    Transform,
    /// `merge`: one expert out of several.
    Merge,
    /// `decode`: logits out of several.
    Decode,
    /// `schedule`: what is trained, when.
    Schedule,
}

impl Slot {
    /// All slots.
    pub const ALL: [Self; 7] = [
        Self::Gate,
        Self::Objective,
        Self::Update,
        Self::Transform,
        Self::Merge,
        Self::Decode,
        Self::Schedule,
    ];

    /// The key in a recipe.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Objective => "objective",
            Self::Update => "update",
            Self::Transform => "transform",
            Self::Merge => "merge",
            Self::Decode => "decode",
            Self::Schedule => "schedule",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A function of the contract that a policy implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Weights or outputs of a site.
    Gate,
    /// Tensors for the gates, from a first pass.
    Plan,
    /// A term of the loss.
    Term,
    /// The gradient that the optimizer sees.
    Gradient,
    /// The weight after a step.
    AfterStep,
    /// Statistics of a pass without updates.
    Observe,
    /// Side tensors of a complete expert.
    Finish,
    /// A changed expert.
    Transform,
    /// A merged tensor.
    Merge,
    /// Combined logits.
    Decode,
    /// What is trained, when.
    Schedule,
    /// A case of a reference.
    PlayCase,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gate => "gate",
            Self::Plan => "plan",
            Self::Term => "term",
            Self::Gradient => "gradient",
            Self::AfterStep => "after-step",
            Self::Observe => "observe",
            Self::Finish => "finish",
            Self::Transform => "transform",
            Self::Merge => "merge",
            Self::Decode => "decode",
            Self::Schedule => "schedule",
            Self::PlayCase => "play-case",
        })
    }
}

/// A policy of a collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PolicyDeclaration {
    /// Its name in recipes: lower-case letters, digits and hyphens.
    pub name: String,
    /// Where it is named in a recipe.
    pub slot: Slot,
    /// One sentence.
    pub summary: String,
    /// Where the method is from.
    #[serde(default)]
    pub reference: String,
    /// What of it is a reconstruction because the paper does not say; empty if nothing is.
    #[serde(default)]
    pub reconstruction: String,
    /// The hooks it implements, in addition to [`Hook::PlayCase`].
    pub hooks: Vec<Hook>,
    /// Side tensors of experts that it reads.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Side tensors of experts that it makes.
    #[serde(default)]
    pub makes: Vec<String>,
    /// Buffers that it keeps for each trained tensor.
    #[serde(default)]
    pub buffers: Vec<String>,
    /// Its settings.
    #[serde(default, rename = "setting")]
    pub settings: Vec<SettingDeclaration>,
}

/// Type of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingKind {
    /// A finite number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Flag,
    /// A text, one of the choices if there are any.
    Text,
    /// A number, or a list with one number per expert in the order of the stream.
    NumberPerExpert,
    /// A list of numbers.
    Numbers,
    /// A list of texts.
    Texts,
}

/// A setting of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SettingDeclaration {
    /// The key.
    pub name: String,
    /// Its type.
    pub kind: SettingKind,
    /// What it does; one sentence.
    pub doc: String,
    /// Unit, if it has one.
    #[serde(default)]
    pub unit: String,
    /// Default; without one and without [`SettingDeclaration::optional`] the setting is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// It may be left out and then has no value.
    #[serde(default)]
    pub optional: bool,
    /// Smallest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// It must be above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<f64>,
    /// Largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// It must be below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// The possible texts; none means any.
    #[serde(default)]
    pub choices: Vec<String>,
}

/// What is wrong with a setting in a recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingProblem {
    /// The policy has no such setting.
    Unknown {
        /// The key.
        name: String,
        /// All settings of the policy.
        known: Vec<String>,
    },
    /// It must be set.
    Missing {
        /// The key.
        name: String,
        /// What it does.
        doc: String,
    },
    /// The value does not fit.
    Value {
        /// The key.
        name: String,
        /// The value as JSON.
        found: String,
        /// What would fit.
        expected: String,
    },
}

impl SettingProblem {
    /// The key it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::Missing { name, .. } | Self::Value { name, .. } => name,
        }
    }
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } if known.is_empty() => {
                write!(f, "unknown setting `{name}`; the policy has no settings")
            }
            Self::Unknown { name, known } => {
                write!(f, "unknown setting `{name}`; the policy has: {}", known.join(", "))
            }
            Self::Missing { name, doc } => write!(f, "the setting `{name}` is required: {doc}"),
            Self::Value { name, found, expected } => {
                write!(f, "`{name}` is {found}, expected {expected}")
            }
        }
    }
}

impl PolicyDeclaration {
    /// Checks the settings of a recipe and fills in defaults. The result has every setting that has a value.
    ///
    /// # Errors
    /// All problems, in the order of the recipe's keys, then of the declaration.
    pub fn complete(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Vec<SettingProblem>> {
        let mut problems = Vec::new();
        for (key, value) in given {
            match self.settings.iter().find(|setting| setting.name == *key) {
                Some(setting) => problems.extend(setting.problem(value)),
                None => problems.push(SettingProblem::Unknown {
                    name: key.clone(),
                    known: self.settings.iter().map(|setting| setting.name.clone()).collect(),
                }),
            }
        }
        let mut complete = Map::new();
        for setting in &self.settings {
            match given.get(&setting.name).or(setting.default.as_ref()) {
                Some(value) => drop(complete.insert(setting.name.clone(), value.clone())),
                None if setting.optional => {}
                None => problems
                    .push(SettingProblem::Missing { name: setting.name.clone(), doc: setting.doc.clone() }),
            }
        }
        if problems.is_empty() { Ok(complete) } else { Err(problems) }
    }
}

impl SettingDeclaration {
    /// What a value must be, in words: `a number from 0 to 1`.
    #[must_use]
    pub fn expectation(&self) -> String {
        let mut text = match self.kind {
            SettingKind::Number => "a number",
            SettingKind::Integer => "a whole number",
            SettingKind::Flag => "true or false",
            SettingKind::Text if self.choices.is_empty() => "a text",
            SettingKind::Text => "one of",
            SettingKind::NumberPerExpert => "a number or a list of one number per expert",
            SettingKind::Numbers => "a list of numbers",
            SettingKind::Texts => "a list of texts",
        }
        .to_owned();
        if !self.choices.is_empty() {
            let quoted: Vec<String> = self.choices.iter().map(|choice| format!("\"{choice}\"")).collect();
            text.push_str(&format!(" {}", quoted.join(", ")));
        }
        let lower = match (self.min, self.above) {
            (Some(min), _) => Some(format!("at least {min}")),
            (None, Some(above)) => Some(format!("above {above}")),
            _ => None,
        };
        let upper = match (self.max, self.below) {
            (Some(max), _) => Some(format!("at most {max}")),
            (None, Some(below)) => Some(format!("below {below}")),
            _ => None,
        };
        let bounds: Vec<String> = lower.into_iter().chain(upper).collect();
        if !bounds.is_empty() {
            text.push_str(&format!(", {}", bounds.join(" and ")));
        }
        if !self.unit.is_empty() {
            text.push_str(&format!(" ({})", self.unit));
        }
        text
    }

    fn problem(&self, value: &Value) -> Option<SettingProblem> {
        let number = |value: &Value| value.as_f64().is_some_and(|number| self.contains(number));
        let fits = match self.kind {
            SettingKind::Number => number(value),
            SettingKind::Integer => {
                number(value) && value.as_f64().is_some_and(|number| number.trunc() == number)
            }
            SettingKind::Flag => value.is_boolean(),
            SettingKind::Text => value.as_str().is_some_and(|text| self.allows(text)),
            SettingKind::NumberPerExpert => {
                number(value)
                    || value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(number))
            }
            SettingKind::Numbers => value.as_array().is_some_and(|list| list.iter().all(number)),
            SettingKind::Texts => value.as_array().is_some_and(|list| {
                list.iter().all(|entry| entry.as_str().is_some_and(|text| self.allows(text)))
            }),
        };
        (!fits).then(|| SettingProblem::Value {
            name: self.name.clone(),
            found: value.to_string(),
            expected: self.expectation(),
        })
    }

    fn allows(&self, text: &str) -> bool {
        self.choices.is_empty() || self.choices.iter().any(|choice| choice == text)
    }

    fn contains(&self, number: f64) -> bool {
        number.is_finite()
            && self.min.is_none_or(|min| number >= min)
            && self.above.is_none_or(|above| number > above)
            && self.max.is_none_or(|max| number <= max)
            && self.below.is_none_or(|below| number < below)
    }
}

impl Declarations {
    /// Reads the custom section and checks it.
    ///
    /// # Errors
    /// What is wrong, as text.
    pub fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let found: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        found.check()?;
        Ok(found)
    }

    /// The policy with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&PolicyDeclaration> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// Checks names, and that defaults fit their settings.
    ///
    /// # Errors
    /// The first problem, as text.
    pub fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        if self.policies.is_empty() {
            return Err("it declares no policy".into());
        }
        for policy in &self.policies {
            let name = &policy.name;
            if !is_name(name) {
                return Err(format!(
                    "the policy name {name:?} must consist of lower-case letters, digits and hyphens"
                ));
            }
            if !names.insert(name) {
                return Err(format!("the policy `{name}` is declared twice"));
            }
            let mut keys = BTreeSet::new();
            for setting in &policy.settings {
                let key = &setting.name;
                if !is_name(key) || key == "plugin" {
                    return Err(format!(
                        "the setting {key:?} of `{name}` must consist of lower-case letters, digits and hyphens, and not be \"plugin\""
                    ));
                }
                if !keys.insert(key) {
                    return Err(format!("the setting `{key}` of `{name}` is declared twice"));
                }
                if let Some(problem) = setting.default.as_ref().and_then(|value| setting.problem(value)) {
                    return Err(format!("the default of a setting of `{name}`: {problem}"));
                }
            }
        }
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ties() -> Declarations {
        let text = r#"{"version": "0.1.0", "policy": [{
            "name": "ties", "slot": "merge", "summary": "s", "hooks": ["merge"], "setting": [
                {"name": "density", "kind": "number-per-expert", "doc": "share kept", "above": 0, "max": 1, "default": 0.2},
                {"name": "rule", "kind": "text", "doc": "which rule", "choices": ["mergekit", "authors"]},
                {"name": "top-k", "kind": "integer", "doc": "k", "min": 1, "optional": true}]}]}"#;
        Declarations::from_json(text.as_bytes()).unwrap()
    }

    fn told(settings: &str) -> Result<String, Vec<String>> {
        let given: Map<String, Value> = serde_json::from_str(settings).unwrap();
        match ties().policies[0].complete(&given) {
            Ok(complete) => Ok(Value::Object(complete).to_string()),
            Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn settings_are_completed() {
        assert_eq!(told(r#"{"rule": "mergekit"}"#), Ok(r#"{"density":0.2,"rule":"mergekit"}"#.into()));
        assert_eq!(
            told(r#"{"top-k": 2, "rule": "authors", "density": [1, 0.5]}"#),
            Ok(r#"{"density":[1,0.5],"rule":"authors","top-k":2}"#.into())
        );
    }

    #[test]
    fn problems_are_told_with_what_would_fit() {
        assert_eq!(
            told(r#"{"densty": 0.3, "density": 0, "top-k": 1.5}"#),
            Err(vec![
                "unknown setting `densty`; the policy has: density, rule, top-k".into(),
                "`density` is 0, expected a number or a list of one number per expert, above 0 and at most 1"
                    .into(),
                "`top-k` is 1.5, expected a whole number, at least 1".into(),
                "the setting `rule` is required: which rule".into(),
            ])
        );
        assert_eq!(
            told(r#"{"rule": "paper"}"#),
            Err(vec![r#"`rule` is "paper", expected one of "mergekit", "authors""#.into()])
        );
    }

    #[test]
    fn a_declaration_is_checked() {
        let twice = |change: fn(&mut Declarations)| {
            let mut found = ties();
            change(&mut found);
            found.check().unwrap_err()
        };
        assert!(twice(|it| it.policies.push(it.policies[0].clone())).contains("declared twice"));
        assert!(
            twice(|it| {
                let again = it.policies[0].settings[0].clone();
                it.policies[0].settings.push(again);
            })
            .contains("the setting `density` of `ties` is declared twice")
        );
        assert!(twice(|it| it.policies[0].settings[0].default = Some(2.into())).contains("default"));
        assert!(twice(|it| it.policies[0].name = "TIES".into()).contains("lower-case"));
        assert!(Declarations::from_json(b"{}").is_err());
    }
}
