//! `plugins/PREBUILT.toml`: the sources and compilers of the committed components.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cadre_plugin_build::Toolchain;
use serde::{Deserialize, Serialize};

const FILE: &str = "PREBUILT.toml";
const HEAD: &str =
    "# Written by `cargo xtask plugins`: what the components beside it were made from and by.\n";
const FORMAT_VERSION: u32 = 1;

/// All components of the repository.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Prebuilt {
    format_version: u32,
    #[serde(default)]
    component: BTreeMap<String, Component>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Component {
    /// BLAKE3 of the component.
    digest: String,
    /// BLAKE3 of its sources, the SDK's sources, and the workspace's manifest and lock file.
    sources: String,
    /// The compiler.
    made_by: String,
}

impl Prebuilt {
    pub(crate) fn read(plugins: &Path) -> Result<Self> {
        let file = plugins.join(FILE);
        if !file.exists() {
            return Ok(Self { format_version: FORMAT_VERSION, component: BTreeMap::new() });
        }
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let read: Self = toml::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
        if read.format_version != FORMAT_VERSION {
            bail!("{} has format-version {}, expected {FORMAT_VERSION}", file.display(), read.format_version);
        }
        Ok(read)
    }

    pub(crate) fn write(&self, plugins: &Path) -> Result<()> {
        let file = plugins.join(FILE);
        let text = format!("{HEAD}{}", toml::to_string(self)?);
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))
    }

    pub(crate) fn set(&mut self, name: &str, bytes: &[u8], sources: String, toolchain: &Toolchain) {
        self.component.insert(
            name.to_owned(),
            Component {
                digest: blake3::hash(bytes).to_hex().to_string(),
                sources,
                made_by: toolchain.to_string(),
            },
        );
    }

    fn of(&self, name: &str) -> Result<&Component> {
        self.component
            .get(name)
            .with_context(|| format!("{FILE} has no entry `{name}`; run `cargo xtask plugins {name}`"))
    }

    pub(crate) fn made_by(&self, name: &str) -> Result<&str> {
        Ok(&self.of(name)?.made_by)
    }

    pub(crate) fn is(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        Ok(self.of(name)?.digest == blake3::hash(bytes).to_hex().to_string())
    }

    /// Checks that the component is the recorded one, and that its sources have not changed since.
    pub(crate) fn verify(&self, plugins: &Path, name: &str) -> Result<()> {
        let file = plugins.join(name).join(format!("{name}.wasm"));
        let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        if !self.is(name, &bytes)? {
            bail!("{} is not the component recorded in {FILE}", file.display());
        }
        if self.of(name)?.sources != source_digest(plugins, name)? {
            bail!(
                "the sources of `{name}` have changed since its component was built; run `cargo xtask plugins {name}`"
            );
        }
        Ok(())
    }
}

/// The repository's policies, sorted by name.
pub(crate) fn plugin_names(plugins: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(plugins).with_context(|| format!("reading {}", plugins.display()))? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // `methods` is a workspace of its own; its folder has a manifest without a package.
        if !["sdk", "methods"].contains(&name.as_str()) && folder.join("Cargo.toml").exists() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Digest of everything except the compiler that determines a component's bytes.
pub(crate) fn source_digest(plugins: &Path, name: &str) -> Result<String> {
    let mut files = vec![plugins.join("Cargo.toml"), plugins.join("Cargo.lock")];
    for package in ["sdk", name] {
        files.push(plugins.join(package).join("Cargo.toml"));
        files.extend(Some(plugins.join(package).join("policies.toml")).filter(|file| file.exists()));
        for folder in ["src", "wit"] {
            list(&plugins.join(package).join(folder), &mut files)?;
        }
    }
    files.retain(|file| file.file_name().is_none_or(|name| name != "tests.rs"));
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(plugins).unwrap_or(&file).to_string_lossy().into_owned();
        // The member list does not affect the bytes.
        let text = match name.as_str() {
            "Cargo.toml" => without_members(&String::from_utf8_lossy(&text)).into_bytes(),
            "Cargo.lock" => foreign_packages(&String::from_utf8_lossy(&text)).into_bytes(),
            _ => text,
        };
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(&text);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn without_members(manifest: &str) -> String {
    match (manifest.find("members = ["), manifest.find("]\n\n[workspace.package]")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{}", &manifest[..start], &manifest[end..])
        }
        _ => manifest.to_owned(),
    }
}

/// The packages in the lock file that come from a registry.
fn foreign_packages(lock: &str) -> String {
    lock.split("[[package]]").filter(|package| package.contains("source = ")).collect()
}

#[cfg(test)]
mod tests {
    //! What the source digest depends on, and what it ignores.

    use super::{foreign_packages, without_members};

    #[test]
    fn members_do_not_affect_the_digest() {
        let one = "[workspace]\nmembers = [\n    \"a\",\n]\n\n[workspace.package]\nversion = \"1\"\n";
        let two =
            "[workspace]\nmembers = [\n    \"a\",\n    \"b\",\n]\n\n[workspace.package]\nversion = \"1\"\n";
        assert_eq!(without_members(one), without_members(two));
        assert!(without_members(one).contains("version"));
    }

    #[test]
    fn workspace_packages_do_not_affect_the_digest() {
        let lock = "version = 4\n[[package]]\nname = \"see\"\n[[package]]\nname = \"serde\"\nsource = \"registry\"\n";
        assert!(!foreign_packages(lock).contains("see"));
        assert!(foreign_packages(lock).contains("serde"));
    }
}
