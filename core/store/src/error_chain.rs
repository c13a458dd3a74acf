//! Writes an error and its causes as one line. An error's own text must not contain its cause, or it is printed twice.

use std::error::Error;

/// The error and its causes, as `a: b: c`.
///
/// Some errors of other crates contain their cause in their text; a cause that the text ends with is left out.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::chain;
    use crate::StoreError;

    #[derive(Debug, thiserror::Error)]
    #[error("open the store")]
    struct Outer(#[source] StoreError);

    #[test]
    fn each_cause_is_written_once() {
        let error = Outer(StoreError::read(Path::new("a/b"))(io::Error::other("no light")));
        assert_eq!(error.to_string(), "open the store");
        assert_eq!(chain(&error), "open the store: read a/b: no light");
    }

    #[test]
    fn a_foreign_error_that_contains_its_cause_is_not_written_twice() {
        #[derive(Debug, thiserror::Error)]
        #[error("parse: {text}")]
        struct Foreign {
            text: String,
            source: io::Error,
        }
        let error = Foreign { text: "no light".into(), source: io::Error::other("no light") };
        assert_eq!(chain(&error), "parse: no light");
    }
}
