//! Events as JSON lines on standard output, for programs.

use std::io::Write;

use cadre_scheduler::{Event, EventSink};

/// Prints every event.
pub(super) struct JsonLines;

impl EventSink for JsonLines {
    fn send(&self, event: &Event) {
        if let Some(line) = super::event_log::line(event) {
            let mut out = std::io::stdout().lock();
            super::output::keep_failure(out.write_all(line.as_bytes()).and_then(|()| out.flush()));
        }
    }
}
