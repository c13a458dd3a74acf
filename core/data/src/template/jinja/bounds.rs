//! Limits on one rendering. Templates come with third-party checkpoints, and a few bytes of a template can request
//! hours of computation and terabytes of memory.

use std::io::{Error as IoError, Write};

use minijinja::{Error, ErrorKind, State};

/// Maximum length of a template in bytes.
pub(super) const SOURCE: usize = 1 << 20;

/// Maximum number of engine instructions per rendering. The longest templates of published models take a few thousand
/// per message.
pub(super) const STEPS: u64 = 5_000_000;

/// Maximum nesting of macro and block calls, in engine frames: a few hundred calls of a macro.
pub(super) const RECURSION: usize = 500;

/// Maximum length in bytes of a text made by a rendering, including intermediate values.
pub(super) const TEXT: usize = 8 << 20;

/// Maximum total bytes that a rendering reads and writes, including intermediate values.
const WORK: u64 = 512 << 20;

/// Maximum number of items in a list made by a template. Jinja2's sandbox has the same limit for `range`.
pub(super) const ITEMS: usize = 100_000;

/// Number of bytes that a rendering has used.
#[derive(Debug, Default)]
struct Spent(u64);

/// Counts the bytes that a step reads or writes.
///
/// # Errors
/// A text exceeds [`TEXT`], or the total exceeds [`WORK`].
pub(super) fn charge(state: &mut State, bytes: usize) -> Result<(), Error> {
    if bytes > TEXT {
        return Err(refused(too_much_text()));
    }
    let spent = state.get_or_insert_extension(Spent::default());
    spent.0 += bytes as u64;
    if spent.0 > WORK {
        return Err(refused(format!("its rendering processes more than {WORK} bytes of text (the limit)")));
    }
    Ok(())
}

/// Counts a list that a step makes.
///
/// # Errors
/// More than [`ITEMS`] items.
pub(super) fn charge_items(state: &mut State, items: usize) -> Result<(), Error> {
    if items > ITEMS {
        return Err(refused(format!("it makes a list of {items} items; the limit is {ITEMS}")));
    }
    charge(state, items * size_of::<minijinja::Value>())
}

/// The message for a text above [`TEXT`].
pub(super) fn too_much_text() -> String {
    format!("it makes a text of more than {TEXT} bytes (the limit)")
}

/// The error for an operation that a template must not perform.
pub(super) fn refused(problem: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}

/// The output of a rendering, up to [`TEXT`] bytes.
#[derive(Debug, Default)]
pub(super) struct Output(Vec<u8>);

impl Output {
    pub(super) fn into_text(self) -> String {
        match String::from_utf8(self.0) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > TEXT {
            return Err(IoError::other(too_much_text()));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
