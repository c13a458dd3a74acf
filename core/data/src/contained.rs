//! Turns panics of other crates on external files into errors. The Parquet and tokenizer crates validate most, but not
//! all, of a file before they rely on it. A panic there is an error about the file, not a bug in Cadre.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CONTAINS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `act`; returns the message of a panic in it as an error.
pub(crate) fn contain<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CONTAINS.replace(true);
    let result = catch_unwind(AssertUnwindSafe(act));
    CONTAINS.set(outer);
    result.map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        format!("damaged: {message}")
    })
}

/// Whether a panic on this thread is turned into an error about a file. A panic hook should then print nothing.
pub fn contains_panics() -> bool {
    CONTAINS.get()
}

#[cfg(test)]
mod tests {
    use super::{contain, contains_panics};

    #[test]
    fn a_panic_is_its_message() {
        assert_eq!(contain(|| (contains_panics(), contain(contains_panics))), Ok((true, Ok(true))));
        assert_eq!(contain(|| -> u8 { panic!("no row {}", 3) }), Err("damaged: no row 3".into()));
        assert!(!contains_panics());
    }
}
