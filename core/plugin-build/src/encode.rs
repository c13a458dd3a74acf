//! Turns a core module of any source language into a component.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use cadre_contract::KINDS;

use crate::PluginBuildError;

/// Makes a component from a core module. Modules built with the Rust SDK contain their contract in a custom section;
/// for other modules, the WIT world is inferred from the exports. `module` is only used in messages.
///
/// # Errors
/// If the module is not a policy, or violates the contract.
pub fn encode(module: &Path, bytes: &[u8]) -> Result<Vec<u8>, PluginBuildError> {
    let carried = CARRIED.iter().any(|mark| contains(bytes, mark.as_bytes()));
    let bytes = match carried {
        true => bytes.to_vec(),
        false => with_contract(module, bytes)?,
    };
    ComponentEncoder::default()
        .validate(true)
        .module(&bytes)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| PluginBuildError::Component {
            module: module.to_owned(),
            problem: format!("{error:#}"),
        })
}

/// Name prefixes of the custom sections in which tools store a contract.
const CARRIED: &[&str] = &["component-type"];

fn with_contract(module: &Path, bytes: &[u8]) -> Result<Vec<u8>, PluginBuildError> {
    let entry = KINDS
        .iter()
        .find(|entry| contains(bytes, format!("{}/{}@", entry.package, entry.interface).as_bytes()))
        .ok_or_else(|| PluginBuildError::NotAPolicy { module: module.to_owned() })?;
    let unreadable = |problem: String| PluginBuildError::Contract { problem };
    let mut contract = Resolve::default();
    let package =
        contract.push_str("contract.wit", entry.wit).map_err(|error| unreadable(format!("{error:#}")))?;
    let world = contract
        .select_world(&[package], Some(entry.world))
        .map_err(|error| unreadable(format!("{error:#}")))?;
    let mut bytes = bytes.to_vec();
    embed_component_metadata(&mut bytes, &contract, world, StringEncoding::UTF8).map_err(|error| {
        PluginBuildError::Component { module: module.to_owned(), problem: format!("{error:#}") }
    })?;
    Ok(bytes)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
