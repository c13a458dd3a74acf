//! What one rendering may take. A template comes with somebody else's checkpoint: a few bytes of it can ask for hours
//! and for terabytes.

use std::io::{Error as IoError, Write};

use minijinja::{Error, ErrorKind, State};

/// Longest template, in bytes.
pub(super) const SOURCE: usize = 1 << 20;

/// Most instructions of a rendering. The longest templates of published models take some thousands for a message.
pub(super) const STEPS: u64 = 5_000_000;

/// Deepest nesting of calls of macros and blocks, in frames of the engine: some hundred calls of a macro.
pub(super) const RECURSION: usize = 500;

/// Longest text that a rendering makes, as a whole or as a value on the way, in bytes.
pub(super) const TEXT: usize = 8 << 20;

/// Bytes that a rendering may write and read in all, values on the way included.
const WORK: u64 = 512 << 20;

/// Most items of a list that a template makes. Jinja2's sandbox has the same limit for `range`.
pub(super) const ITEMS: usize = 100_000;

/// Bytes that a rendering has taken so far.
#[derive(Debug, Default)]
struct Spent(u64);

/// Counts bytes that a step reads or writes.
///
/// # Errors
/// A text above [`TEXT`]; all texts together above [`WORK`].
pub(super) fn charge(state: &mut State, bytes: usize) -> Result<(), Error> {
    if bytes > TEXT {
        return Err(refused(too_much_text()));
    }
    let spent = state.get_or_insert_extension(Spent::default());
    spent.0 += bytes as u64;
    if spent.0 > WORK {
        return Err(refused(format!(
            "its rendering handles more than {WORK} bytes of text, which is the limit"
        )));
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
    format!("it makes a text of more than {TEXT} bytes, which is the limit")
}

/// An operation that a template may not do.
pub(super) fn refused(problem: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, problem)
}

/// The text of a rendering, up to [`TEXT`] bytes.
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
