//! One call for whoever has a policy and wants a component: a Rust package, or a core module of any
//! language.

use std::fs;
use std::path::{Path, PathBuf};

use crate::build::append_section;
use crate::{PluginBuildError, Toolchain, build, encode};

/// Makes a component of `from`, a folder with a Rust package or the file of a core module, and writes
/// it to `to`; without that, beside what it was made from, under the package's name or the module's
/// (`my.core.wasm` becomes `my.wasm`). Gives the file's path.
///
/// # Errors
/// When it cannot be built, is no policy, or the file cannot be written.
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
        (encode(from, &module)?, beside)
    };
    let file = to.map_or(beside, Path::to_owned);
    fs::write(&file, bytes).map_err(|source| PluginBuildError::Write { path: file.clone(), source })?;
    Ok(file)
}

/// Writes a version into a component that names none, as [`make`] does for a Rust package: so that it can
/// be read without running anything. The component must not have a `version` section yet.
///
/// # Errors
/// When the file cannot be read or written.
pub fn stamp(component: &Path, version: &str) -> Result<(), PluginBuildError> {
    let mut bytes = fs::read(component)
        .map_err(|source| PluginBuildError::Read { path: component.to_owned(), source })?;
    append_section(&mut bytes, "version", version.as_bytes());
    fs::write(component, bytes)
        .map_err(|source| PluginBuildError::Write { path: component.to_owned(), source })
}
