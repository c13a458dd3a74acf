//! Names in documents exist: paths in backticks are files or folders of the project, and type names occur in its sources.
//! The changelog is exempt, for it speaks of what was.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;

use super::documents::prose;
use super::{Finding, files};

/// Folders whose paths are checked.
const FOLDERS: &[&str] = &["core/", "plugins/", "recipes/", "tests/", "xtask/", "docs/", "results/"];

pub(super) fn check(root: &Path, findings: &mut Vec<Finding>) -> Result<()> {
    let sources = words(root)?;
    for file in files(root, ".md")? {
        if file.file_name().is_some_and(|name| name == "CHANGELOG.md") {
            continue;
        }
        let text = std::fs::read_to_string(&file)?;
        for (line, name) in quoted(&text) {
            if FOLDERS.iter().any(|folder| name.starts_with(folder)) {
                if !exists(root, name) && !made_there(&text, name) {
                    findings.push(Finding::new(&file, line, format!("`{name}` is not there")));
                }
            } else if is_type(name) && !sources.contains(name) {
                findings.push(Finding::new(&file, line, format!("`{name}` is no name in the sources")));
            }
        }
    }
    Ok(())
}

/// Every word of the Rust and WIT sources.
fn words(root: &Path) -> Result<HashSet<String>> {
    let mut words = HashSet::new();
    for folder in ["core", "plugins", "tests", "xtask"] {
        for ending in [".rs", ".wit"] {
            for file in files(&root.join(folder), ending)? {
                let text = std::fs::read_to_string(&file)?;
                let found =
                    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| is_type(word));
                words.extend(found.map(str::to_owned));
            }
        }
    }
    Ok(words)
}

/// Whether a path is there. `my` stands for a file or folder that a reader adds, and `*` and `<…>` for any.
fn exists(root: &Path, name: &str) -> bool {
    let path = name.split([' ', ':', '#']).next().unwrap_or(name);
    let invented = |part: &str| {
        part == "my"
            || part.starts_with("my.")
            || part.starts_with("my-")
            || part.contains(['*', '<', '{', '…'])
    };
    let known: Vec<&str> = path.split('/').take_while(|part| !invented(part)).collect();
    root.join(known.join("/")).exists()
}

/// Whether a command on the same page makes the file: a tutorial's own recipe or policy.
fn made_there(text: &str, name: &str) -> bool {
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy();
    let code = text.split("```").skip(1).step_by(2);
    code.flat_map(str::split_whitespace).any(|word| word == stem || word == name)
}

/// `LikeThis`: two capitals at least, small letters between, nothing else.
fn is_type(word: &str) -> bool {
    let capitals = word.chars().filter(char::is_ascii_uppercase).count();
    let small = word.chars().filter(char::is_ascii_lowercase).count();
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphanumeric())
        && capitals >= 2
        && small > capitals
}

/// What stands in single backticks outside of code blocks, with its line.
fn quoted(text: &str) -> Vec<(usize, &str)> {
    let names =
        |(number, line): (usize, _)| str::split(line, '`').skip(1).step_by(2).map(move |name| (number, name));
    prose(text).flat_map(names).collect()
}

#[cfg(test)]
mod tests {
    use super::{exists, is_type, quoted};

    #[test]
    fn types_are_known_by_their_shape() {
        for word in ["PackedBatch", "StageKind", "LoRAAdapter"] {
            assert!(is_type(word), "{word}");
        }
        for word in ["SEE", "LoRA", "Backbone", "stage", "README", "BWT", "two Words"] {
            assert!(!is_type(word), "{word}");
        }
    }

    #[test]
    fn only_what_is_quoted_in_prose_counts() {
        assert_eq!(quoted("a `b` c `D`\n```\n`e`\n```\n`f`\n"), [(1, "b"), (1, "D"), (5, "f")]);
    }

    #[test]
    fn a_path_is_there_up_to_what_a_reader_adds() {
        let root = crate::shell::root();
        assert!(exists(&root, "xtask/src/tidy/names.rs:12") && exists(&root, "core/eval/src/metrics/my.rs"));
        assert!(!exists(&root, "xtask/src/tidy/nothing.rs") && !exists(&root, "core/nothing/my.rs"));
    }
}
