//! Rules for Rust files: heads, sizes, names, crate roots, and identifiers restricted to certain places.

use std::path::Path;

use anyhow::Result;

use super::source::{CodeLine, code_lines};
use super::{Finding, files};

/// Maximum lines of code in a file, without tests and comments.
const LONGEST: usize = 500;

/// File names that do not describe the content.
const BANNED_STEMS: &[&str] =
    &["base", "utils", "util", "common", "helpers", "helper", "manager", "misc", "imp"];

/// A restricted piece of code, the places where it is allowed, and the reason.
const HOMES: &[(&str, &[&str], &str)] = &[
    ("burn::", &["core/nn/"], "only core/nn uses tensors"),
    ("wasmtime::", &["core/policy/"], "only core/policy runs components"),
    ("cfg(feature", &["core/nn/src/device.rs"], "features choose backends in one place"),
    ("cfg!(feature", &["core/nn/src/device.rs"], "features choose backends in one place"),
    ("#[allow(", &[], "write #[expect(…, reason = \"…\")]"),
    ("#![allow(", &[], "write #[expect(…, reason = \"…\")]"),
    ("todo!(", &[], "nothing unfinished on main"),
    ("unimplemented!(", &[], "nothing unfinished on main"),
    ("serde(flatten)", &[], "its error messages are bad"),
    ("serde(untagged)", &[], "its error messages are bad"),
    ("SystemTime::now", CLOCKS, "only listeners and measurements read the clock"),
    ("Instant::now", CLOCKS, "only listeners and measurements read the clock"),
    ("thread_rng", &[], "everything random takes a derived seed"),
    ("rand::rng()", &[], "everything random takes a derived seed"),
];

/// Places that may read the clock: listeners, waits and measurements.
const CLOCKS: &[&str] = &[
    "core/scheduler/src/walk",
    "core/store/src/",
    "core/policy/src/",
    "core/engine/src/command",
    "core/engine/src/terminal",
    "core/nn/src/bin/",
    "core/nn/src/program/timing.rs",
    "xtask/src/build_progress",
    "/examples/",
    "/benches/",
    "/bin/",
    "tests/",
];

pub(super) fn check(root: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    for folder in ["core", "plugins", "tests", "xtask"] {
        let folder = root.join(folder);
        if !folder.exists() {
            continue;
        }
        for file in files(&folder, ".rs")? {
            let text = std::fs::read_to_string(&file)?;
            check_file(root, &file, &text, findings);
        }
    }
    Ok(())
}

fn check_file(root: &Path, file: &Path, text: &str, findings: &mut Vec<Finding>) {
    let path = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
    if !text.trim_start().starts_with("//!") {
        findings.push(Finding::new(file, 1, "a file starts with a `//!` comment that says what it contains"));
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if BANNED_STEMS.contains(&stem.as_str()) {
        findings.push(Finding::new(
            file,
            1,
            format!("`{stem}` is not descriptive: name the file after its main type or verb"),
        ));
    }
    if path.ends_with("/tests.rs") || path.contains("/tests/") || path.starts_with("xtask/src/tidy") {
        return;
    }
    let lines = code_lines(text);
    if lines.len() > LONGEST {
        findings.push(Finding::new(
            file,
            1,
            format!("{} lines of code; the maximum is {LONGEST}", lines.len()),
        ));
    }
    for (word, homes, why) in HOMES {
        if homes.iter().any(|home| path.starts_with(home) || (home.starts_with('/') && path.contains(home))) {
            continue;
        }
        for line in lines.iter().filter(|line| line.text.contains(word)) {
            findings.push(Finding::new(file, line.number, format!("`{word}`: {why}")));
        }
    }
    if path.starts_with("core/") && path.ends_with("src/lib.rs") {
        face(file, &lines, findings);
    }
    if stem == "error" {
        errors(file, &lines, findings);
    }
}

/// `lib.rs` only declares and re-exports; it must not contain logic or glob re-exports.
fn face(file: &Path, lines: &[CodeLine<'_>], findings: &mut Vec<Finding>) {
    for line in lines {
        if line.text.contains("::*") {
            findings.push(Finding::new(file, line.number, "a crate must not re-export globs"));
        }
        let word = line.text.split_whitespace().find(|word| !word.starts_with("pub")).unwrap_or("");
        if matches!(word, "fn" | "impl" | "struct" | "enum" | "trait" | "macro_rules!") {
            findings.push(Finding::new(
                file,
                line.number,
                "lib.rs only declares and re-exports; move the code to another file",
            ));
        }
    }
}

/// Error variants must have named fields, not a finished sentence.
fn errors(file: &Path, lines: &[CodeLine<'_>], findings: &mut Vec<Finding>) {
    for line in lines {
        if line.raw.trim_end().ends_with("(String),") {
            findings.push(Finding::new(
                file,
                line.number,
                "an error variant carries named values, not a lone String",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::check_file;

    fn rules(path: &str, text: &str) -> Vec<String> {
        let root = Path::new("/house");
        let mut findings = Vec::new();
        check_file(root, &root.join(path), text, &mut findings);
        findings.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_rule_detects_violations() {
        assert_eq!(rules("core/eval/src/a.rs", "fn a() {}\n").len(), 1);
        assert_eq!(rules("core/eval/src/utils.rs", "//! A.\n").len(), 1);
        assert_eq!(rules("core/eval/src/a.rs", "//! A.\nuse burn::Tensor;\n").len(), 1);
        assert_eq!(rules("core/eval/src/lib.rs", "//! A.\npub use a::*;\n").len(), 1);
        assert_eq!(rules("core/eval/src/lib.rs", "//! A.\npub fn a() {\n}\n").len(), 1);
        assert_eq!(rules("core/eval/src/error.rs", "//! A.\n    Bad(String),\n").len(), 1);
        let long = format!("//! A.\n{}", "let a = 1;\n".repeat(501));
        assert_eq!(rules("core/eval/src/a.rs", &long).len(), 1);
    }

    #[test]
    fn allowed_code_passes() {
        assert!(rules("core/nn/src/a.rs", "//! A.\nuse burn::Tensor;\n").is_empty());
        assert!(rules("core/eval/src/a.rs", "//! A.\n// todo!()\nlet a = \"todo!()\";\n").is_empty());
        assert!(rules("core/eval/src/lib.rs", "//! A.\nmod a;\npub use a::{B, C};\n").is_empty());
    }
}
