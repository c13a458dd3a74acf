//! Writes log lines to standard error, each warning once: several stages open the same checkpoint, and each emits the
//! same warnings about its files.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Makes one writer per event.
#[derive(Default)]
pub(super) struct LogWriter {
    written: Mutex<HashSet<Vec<u8>>>,
}

/// Writes one event, unless it is a repeated warning.
pub(super) struct EventWriter<'a> {
    /// Lines written before; `None` for events that may repeat.
    written: Option<&'a Mutex<HashSet<Vec<u8>>>>,
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = EventWriter<'a>;

    fn make_writer(&'a self) -> EventWriter<'a> {
        EventWriter { written: None }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> EventWriter<'a> {
        EventWriter { written: (*event.level() == Level::WARN).then_some(&self.written) }
    }
}

impl Write for EventWriter<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let new = self.written.is_none_or(|written| {
            written.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_vec())
        });
        if new {
            io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::LogWriter;

    #[test]
    fn a_line_is_stored_once() {
        let writer = LogWriter::default();
        for _ in 0..2 {
            let mut event = super::EventWriter { written: Some(&writer.written) };
            event.write_all(b"(a line of a test)\n").expect("written");
        }
        assert_eq!(writer.written.lock().expect("no panic").len(), 1);
    }
}
