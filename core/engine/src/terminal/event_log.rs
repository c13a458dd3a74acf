//! `events.jsonl`: all events of a run, one JSON object per line, with the time. Forwards every event to the next sink.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use cadre_scheduler::{Event, EventSink};

use crate::error::EngineError;

/// Ignores all events.
pub(crate) struct NullSink;

impl EventSink for NullSink {
    fn send(&self, _: &Event) {}
}

/// Appends events to a file.
pub(super) struct EventLog {
    file: Mutex<File>,
    next: Box<dyn EventSink>,
}

impl EventLog {
    /// Opens the file at `path` for appending; creates it if it does not exist.
    pub(super) fn open(path: &Path, next: Box<dyn EventSink>) -> Result<Self, EngineError> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|source| EngineError::Write { path: path.to_owned(), source })?;
        Ok(Self { file: Mutex::new(file), next })
    }
}

impl EventSink for EventLog {
    fn send(&self, event: &Event) {
        if let Some(line) = line(event) {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(problem) = file.write_all(line.as_bytes()) {
                // A listener never stops a run; a full disk stops it at the next artifact.
                tracing::warn!(%problem, "an event was not written to the log");
            }
        }
        self.next.send(event);
    }
}

/// An event as one line of JSON with the time, in milliseconds since 1970.
pub(super) fn line(event: &Event) -> Option<String> {
    let mut value = serde_json::to_value(event).ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let object = value.as_object_mut()?;
    object.insert("time".to_owned(), serde_json::Value::from(now.as_millis() as u64));
    Some(format!("{value}\n"))
}
