//! Rules for documents: links resolve, and ARCHITECTURE.md mentions every crate and policy.

use std::path::Path;

use anyhow::Result;

use super::{Finding, files};

pub(super) fn check(root: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    for file in files(root, ".md")? {
        let text = std::fs::read_to_string(&file)?;
        let folder = file.parent().unwrap_or(root);
        for (line, target) in links(&text) {
            let path = target.split('#').next().unwrap_or("");
            if !path.is_empty() && !folder.join(path).exists() {
                findings.push(Finding::new(&file, line, format!("link to `{target}`, which does not exist")));
            }
        }
    }
    placed(root, findings)
}

/// ARCHITECTURE.md must mention every folder of core and plugins.
fn placed(root: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    let page = root.join("ARCHITECTURE.md");
    let Ok(text) = std::fs::read_to_string(&page) else {
        findings.push(Finding::new(&page, 1, "there is no ARCHITECTURE.md"));
        return Ok(());
    };
    for parent in ["core", "plugins"] {
        let parent = root.join(parent);
        if !parent.exists() {
            continue;
        }
        for entry in std::fs::read_dir(&parent)? {
            let folder = entry?.path();
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if folder.join("Cargo.toml").exists() && !text.contains(&format!("`{name}`")) {
                findings.push(Finding::new(
                    &page,
                    1,
                    format!("`{name}` ({}) is not mentioned on this page", folder.display()),
                ));
            }
        }
    }
    Ok(())
}

/// Targets of `[text](target)` that are paths, with their lines; code blocks are skipped.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let mut rest = line;
        while let Some(start) = rest.find("](") {
            rest = &rest[start + 2..];
            let Some(end) = rest.find(')') else { break };
            let target = &rest[..end];
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target));
            }
            rest = &rest[end..];
        }
    }
    found
}

/// The lines outside code blocks, numbered from 1.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

#[cfg(test)]
mod tests {
    use super::links;

    #[test]
    fn paths_are_distinguished_from_addresses_and_code() {
        let text = "[a](b.md#c) [d](https://e)\n```\n[f](g)\n```\n![h](i.png)\n";
        assert_eq!(links(text), [(1, "b.md#c"), (5, "i.png")]);
    }
}
