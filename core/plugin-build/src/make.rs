//! Makes a component from a Rust package or from a core module of any language.

use std::fs;
use std::path::{Path, PathBuf};

use crate::build::append_section;
use crate::{PluginBuildError, Toolchain, build, declarations, encode};

/// Makes a component from `from`, a folder with a Rust package or a core module file, and writes it to `to`. Without
/// `to`, it is written beside its source, named after the package or the module (`my.core.wasm` becomes `my.wasm`).
/// Returns the path of the component.
///
/// # Errors
/// If it cannot be built, is not a policy, or the file cannot be written.
pub fn make(from: &Path, to: Option<&Path>) -> Result<PathBuf, PluginBuildError> {
    let (bytes, beside) = if from.is_dir() {
        let built = build(&Toolchain::find()?, from, false)?;
        (built.bytes, from.join(format!("{}.wasm", built.name)))
    } else {
        let module =
            fs::read(from).map_err(|source| PluginBuildError::Read { path: from.to_owned(), source })?;
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split('.').next().unwrap_or_default();
        let beside = from.with_file_name(format!("{name}.wasm"));
        if to.is_none() && beside == from {
            return Err(PluginBuildError::Exists { path: beside });
        }
        let mut bytes = encode(from, &module)?;
        declarations::append(&mut bytes, from.parent().unwrap_or(Path::new("")), None)?;
        (bytes, beside)
    };
    let file = to.map_or(beside, Path::to_owned);
    fs::write(&file, bytes).map_err(|source| PluginBuildError::Write { path: file.clone(), source })?;
    Ok(file)
}

/// Writes a version into a component that has none, as [`make`] does for a Rust package, so that it can be read without
/// running the component. The component must not have a `version` section yet.
///
/// # Errors
/// If the file cannot be read or written.
pub fn stamp(component: &Path, version: &str) -> Result<(), PluginBuildError> {
    let mut bytes = fs::read(component)
        .map_err(|source| PluginBuildError::Read { path: component.to_owned(), source })?;
    append_section(&mut bytes, "version", version.as_bytes());
    fs::write(component, bytes)
        .map_err(|source| PluginBuildError::Write { path: component.to_owned(), source })
}
