//! Splits a Rust file into lines of code, skipping comments, blank lines and test modules. Not a parser: it relies on
//! the layout of `cargo fmt`.

/// A line of code.
pub(super) struct CodeLine<'a> {
    /// Line number, from 1.
    pub(super) number: usize,
    /// The text without a trailing comment and without the contents of single-line string literals.
    pub(super) text: String,
    /// The unmodified text.
    pub(super) raw: &'a str,
}

/// The lines of code outside `#[cfg(test)]` items.
pub(super) fn code_lines(text: &str) -> Vec<CodeLine<'_>> {
    let mut lines = Vec::new();
    let mut skipping: Option<usize> = None;
    let mut pending_test = false;
    for (index, raw) in text.lines().enumerate() {
        let indent = raw.len() - raw.trim_start().len();
        let trimmed = raw.trim();
        if let Some(depth) = skipping {
            if indent == depth && (trimmed == "}" || trimmed == "};") {
                skipping = None;
            }
            continue;
        }
        if pending_test {
            if trimmed.starts_with("#[") {
                continue;
            }
            pending_test = false;
            if trimmed.ends_with('{') {
                skipping = Some(indent);
            }
            continue;
        }
        if trimmed == "#[cfg(test)]" {
            pending_test = true;
            continue;
        }
        if trimmed.is_empty() || trimmed.starts_with("//") {
            continue;
        }
        lines.push(CodeLine { number: index + 1, text: blank_strings(trimmed), raw });
    }
    lines
}

/// The line without string contents and trailing comments.
fn blank_strings(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut inside = false;
    while let Some(c) = chars.next() {
        if inside {
            match c {
                '\\' => {
                    chars.next();
                }
                '"' => {
                    inside = false;
                    kept.push('"');
                }
                _ => {}
            }
        } else if c == '/' && chars.peek() == Some(&'/') {
            break;
        } else if c == '\'' && chars.peek() == Some(&'"') {
            kept.push_str("' '");
            chars.next();
            chars.next();
        } else {
            inside = c == '"';
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{blank_strings, code_lines};

    #[test]
    fn test_modules_and_comments_do_not_count() {
        let text = "//! Doc.\n\nfn a() {}\n// why\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        let numbers: Vec<usize> = code_lines(text).iter().map(|line| line.number).collect();
        assert_eq!(numbers, [3, 9]);
    }

    #[test]
    fn strings_and_trailing_comments_are_blank() {
        assert_eq!(blank_strings(r#"let a = "todo!()"; // unwrap()"#), "let a = \"\"; ");
        assert_eq!(blank_strings(r#"let a = "a\"b"; x"#), "let a = \"\"; x");
    }
}
