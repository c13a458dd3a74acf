//! Builds a component from a Rust package: cargo builds a core module, and `wit-component` wraps it, using the custom
//! section that the SDK put into it. The package itself is not modified.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::toolchain::TARGET;
use crate::{PluginBuildError, Toolchain, declarations, encode};

/// A policy that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// Name of the package, which is also the policy's name.
    pub name: String,
    /// Bytes of the component.
    pub bytes: Vec<u8>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

/// Builds the package in `folder` and makes a component from it. Cargo's output goes to standard error. With `locked`,
/// the lock file must be up to date.
///
/// # Errors
/// If cargo fails, the package has no library target, or the module is not a policy.
pub fn build(toolchain: &Toolchain, folder: &Path, locked: bool) -> Result<Built, PluginBuildError> {
    let metadata = metadata(folder)?;
    let manifest = folder.join("Cargo.toml");
    let manifest =
        manifest.canonicalize().map_err(|source| PluginBuildError::Read { path: manifest, source })?;
    let no_library = || PluginBuildError::NoLibrary { folder: folder.to_owned() };
    let package =
        metadata.packages.iter().find(|package| package.manifest_path == manifest).ok_or_else(no_library)?;
    let library = package
        .targets
        .iter()
        .find(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
        .ok_or_else(no_library)?;
    let mut cargo = toolchain.cargo("build", &metadata.workspace_root);
    cargo
        .args(["--package", &package.name])
        .arg("--target-dir")
        .arg(&metadata.target_directory)
        .current_dir(folder);
    if locked {
        cargo.arg("--locked");
    }
    run(&mut cargo, "cargo build", folder)?;
    let module = metadata
        .target_directory
        .join(TARGET)
        .join("release")
        .join(format!("{}.wasm", library.name.replace('-', "_")));
    let bytes =
        fs::read(&module).map_err(|source| PluginBuildError::Read { path: module.clone(), source })?;
    let mut bytes = encode(&module, &bytes)?;
    append_section(&mut bytes, "version", package.version.as_bytes());
    declarations::append(&mut bytes, folder, Some(&package.version))?;
    Ok(Built { name: package.name.clone(), bytes })
}

/// Appends a custom section, so that the package's version can be read without running the component.
pub(crate) fn append_section(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut section = Vec::with_capacity(name.len() + content.len() + 5);
    push_length(&mut section, name.len());
    section.extend(name.as_bytes());
    section.extend(content);
    component.push(0);
    push_length(component, section.len());
    component.extend(section);
}

/// Unsigned LEB128, as WebAssembly encodes lengths.
fn push_length(bytes: &mut Vec<u8>, mut length: usize) {
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn metadata(folder: &Path) -> Result<Metadata, PluginBuildError> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(folder)
        .stderr(Stdio::inherit());
    let said =
        cargo.output().map_err(|source| PluginBuildError::Program { program: "cargo".into(), source })?;
    if !said.status.success() {
        return Err(PluginBuildError::Cargo { command: "cargo metadata", folder: folder.to_owned() });
    }
    serde_json::from_slice(&said.stdout)
        .map_err(|source| PluginBuildError::Metadata { folder: folder.to_owned(), source })
}

fn run(cargo: &mut Command, command: &'static str, folder: &Path) -> Result<(), PluginBuildError> {
    let status =
        cargo.status().map_err(|source| PluginBuildError::Program { program: "cargo".into(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(PluginBuildError::Cargo { command, folder: folder.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    //! Encoding of custom sections.

    use super::append_section;

    #[test]
    fn a_section_is_well_formed() {
        let mut bytes = vec![9];
        append_section(&mut bytes, "version", b"0.1.0");
        assert_eq!(bytes, b"\x09\x00\x0d\x07version0.1.0");
        let mut long = Vec::new();
        append_section(&mut long, "v", &[0; 200]);
        assert_eq!(&long[..3], [0, 0xca, 0x01]);
        assert_eq!(long.len(), 3 + 202);
    }
}
