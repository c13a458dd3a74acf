//! The layers: which crate may depend on which, and which crate owns each heavy dependency.

use std::path::Path;

use anyhow::Result;

use super::Finding;

/// Every crate of the core with its layer; a crate may only depend on lower layers.
const LAYERS: &[(&str, u32)] = &[
    ("contract", 1),
    ("store", 1),
    ("eval", 1),
    ("checkpoint", 1),
    ("plugin-build", 2),
    ("recipe", 2),
    ("data", 2),
    ("runs", 2),
    ("scheduler", 3),
    ("policy", 3),
    ("nn", 3),
    ("engine", 4),
];

/// Heavy dependencies, and the only crate that may use each.
const OWNED: &[(&str, &str)] = &[("burn", "nn"), ("wasmtime", "policy"), ("tokenizers", "data")];

pub(super) fn check(root: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    for entry in std::fs::read_dir(root.join("core"))? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let manifest = folder.join("Cargo.toml");
        if !manifest.exists() {
            continue;
        }
        let Some(layer) = layer_of(&name) else {
            findings.push(Finding::new(
                &manifest,
                1,
                format!(
                    "crate `{name}` has no layer: add it to xtask/src/tidy/layers.rs and ARCHITECTURE.md"
                ),
            ));
            continue;
        };
        let text = std::fs::read_to_string(&manifest)?;
        for (line, dependency) in dependencies(&text) {
            if let Some(below) = dependency.strip_prefix("cadre-").and_then(layer_of)
                && below >= layer
            {
                findings.push(Finding::new(
                    &manifest,
                    line,
                    format!("layer {layer} may not depend on `{dependency}` of layer {below}"),
                ));
            }
            for (heavy, owner) in OWNED {
                let is_heavy = dependency == *heavy
                    || dependency.strip_prefix(heavy).is_some_and(|rest| rest.starts_with('-'));
                if is_heavy && name != *owner {
                    findings.push(Finding::new(
                        &manifest,
                        line,
                        format!("only core/{owner} may depend on `{heavy}`"),
                    ));
                }
            }
        }
    }
    light(root, findings)
}

/// xtask must not depend on heavy crates or on the core.
fn light(root: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    let manifest = root.join("xtask/Cargo.toml");
    let text = std::fs::read_to_string(&manifest)?;
    for (line, dependency) in dependencies(&text) {
        if dependency.starts_with("cadre-") || OWNED.iter().any(|(heavy, _)| dependency == *heavy) {
            findings.push(Finding::new(
                &manifest,
                line,
                format!("xtask must stay light; remove `{dependency}`"),
            ));
        }
    }
    Ok(())
}

fn layer_of(name: &str) -> Option<u32> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}

/// Names in `[dependencies]` and `[build-dependencies]` with their lines; dev-dependencies are not restricted.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = matches!(line, "[dependencies]" | "[build-dependencies]");
            continue;
        }
        if !inside || line.starts_with('#') {
            continue;
        }
        let end = line.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).unwrap_or(line.len());
        if end > 0 {
            found.push((index + 1, &line[..end]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::dependencies;

    #[test]
    fn only_real_dependencies_count() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\n# burn = \"1\"\ncadre-store.workspace = true\nserde = \"1\"\n[dev-dependencies]\nburn = \"1\"\n";
        assert_eq!(dependencies(manifest), [(5, "cadre-store"), (6, "serde")]);
    }
}
