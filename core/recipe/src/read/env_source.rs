//! The environment variables that recipes read: `CADRE__…` values, and variables in paths.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The environment variables, and the base folder of relative paths on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvSource {
    variables: BTreeMap<String, String>,
    folder: PathBuf,
}

impl EnvSource {
    /// The environment and working folder of this process. Variables that are not UTF-8 are read with replacement
    /// characters, so that an invalid `CADRE__…` is reported rather than ignored.
    pub fn process() -> Self {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        Self { variables, folder: std::env::current_dir().unwrap_or_default() }
    }

    /// No variables; relative paths start at the working folder of the process.
    pub fn empty() -> Self {
        Self { variables: BTreeMap::new(), folder: std::env::current_dir().unwrap_or_default() }
    }

    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the base folder of relative paths.
    #[must_use]
    pub fn at(mut self, folder: PathBuf) -> Self {
        self.folder = folder;
        self
    }

    /// The value of a variable; an empty value counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The base folder of relative paths on the command line.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The variables that set recipe values, `CADRE__SECTION__KEY`, sorted by name.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.variables.iter().filter(|(name, _)| name.starts_with("CADRE__"));
        named.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names of all variables that are set.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}
