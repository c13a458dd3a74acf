//! The message of a panic, with file and line, is sent to the host, which shows it with the error.

use std::sync::Once;

use crate::host::{Level, log};

/// Installs a panic hook that sends the message to the host before the trap ends the instance.
pub(crate) fn report_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
    });
}
