//! The environment as a recipe sees it: `CADRE__…` values, and the variables in paths. It never writes to it.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The variables a recipe may read, and the folder that relative paths on the command line start from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvSource {
    variables: BTreeMap<String, String>,
    folder: PathBuf,
}

impl EnvSource {
    /// The environment and folder of this process. Variables that are not UTF-8 are read with replacement characters,
    /// so that a `CADRE__…` among them is refused and not overlooked.
    pub fn process() -> Self {
        let variables = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        Self { variables, folder: std::env::current_dir().unwrap_or_default() }
    }

    /// No variables at all; relative paths start at the process's folder.
    pub fn empty() -> Self {
        Self { variables: BTreeMap::new(), folder: std::env::current_dir().unwrap_or_default() }
    }

    /// This environment with one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// This environment seen from another folder.
    #[must_use]
    pub fn at(mut self, folder: PathBuf) -> Self {
        self.folder = folder;
        self
    }

    /// The value of a variable; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The folder that relative paths on the command line start from.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The variables that set recipe values, `CADRE__SECTION__KEY`, in order of their names.
    pub(crate) fn assignments(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.variables.iter().filter(|(name, _)| name.starts_with("CADRE__"));
        named.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The names of all variables that are set.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}
