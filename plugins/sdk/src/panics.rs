//! A policy's last words: the message of a panic goes to the host, which shows it with the error.

use std::sync::Once;

use crate::{Level, log};

/// Sends the message of a panic to the host before the trap ends the instance.
pub fn keep_last_words() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
    });
}
