//! `cargo xtask tidy`: checks the rules of ARCHITECTURE.md. Each finding names file, line and rule.

mod documents;
mod layers;
mod names;
mod source;
mod sources;

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::shell;

/// A violation of a rule.
pub(crate) struct Finding {
    file: PathBuf,
    line: usize,
    rule: String,
}

impl Finding {
    fn new(file: &Path, line: usize, rule: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, rule: rule.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = shell::root();
        let file = self.file.strip_prefix(&root).unwrap_or(&self.file);
        write!(f, "{}:{}: {}", file.display(), self.line, self.rule)
    }
}

/// Prints the findings; the exit code is 1 if there are any.
pub(crate) fn report() -> Result<ExitCode> {
    let findings = findings(&shell::root())?;
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}").context("write to standard output")?;
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Fails if there are findings.
pub(crate) fn must() -> Result<()> {
    let findings = findings(&shell::root())?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} violations of the architecture rules", findings.len());
    }
    Ok(())
}

fn findings(root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    layers::check(root, &mut findings)?;
    sources::check(root, &mut findings)?;
    documents::check(root, &mut findings)?;
    names::check(root, &mut findings)?;
    findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    Ok(findings)
}

/// Every file below `folder` with this ending, except build outputs.
fn files(folder: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
