//! The declarations of a collection of methods: `policies.toml` beside the source becomes a custom section of the
//! component.

use std::path::Path;

use cadre_contract::{ComponentFacts, DECLARATIONS_SECTION, Declarations, PluginKind};

use crate::PluginBuildError;
use crate::build::append_section;

/// Name of the file.
const FILE: &str = "policies.toml";

/// Appends the declarations in `folder` to a component, if it is a collection of methods. Without a version of its own,
/// a collection has that of its package.
///
/// # Errors
/// A collection without declarations, or with invalid ones.
pub(crate) fn append(
    component: &mut Vec<u8>,
    folder: &Path,
    version: Option<&str>,
) -> Result<(), PluginBuildError> {
    let is_collection = ComponentFacts::read(component)
        .is_ok_and(|facts| facts.kinds().iter().any(|kind| kind.entry.kind == PluginKind::Methods));
    if !is_collection {
        return Ok(());
    }
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path)
        .map_err(|source| PluginBuildError::Read { path: path.clone(), source })?;
    let invalid = |problem: String| PluginBuildError::Declarations { path: path.clone(), problem };
    let mut table: toml::Table = toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    if let Some(version) = version {
        table.entry("version").or_insert_with(|| version.into());
    }
    let found: Declarations = table.try_into().map_err(|error| invalid(error.to_string()))?;
    found.check().map_err(invalid)?;
    let json = serde_json::to_vec(&found).map_err(|error| invalid(error.to_string()))?;
    append_section(component, DECLARATIONS_SECTION, &json);
    Ok(())
}
