//! Events as JSON lines on standard output, for programs.

use std::io::Write;

use cadre_scheduler::{Event, EventSink};

/// Prints every event.
pub(super) struct JsonLines;

impl EventSink for JsonLines {
    fn send(&self, event: &Event) {
        if let Some(line) = super::event_log::line(event) {
            // A reader that has gone away is no failure of the run.
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        }
    }
}
