//! Merges the events of a sweep's workers: each stage starts and finishes once, and waits of one worker for another are
//! dropped.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use cadre_scheduler::{Event, EventKind, EventSink};
use cadre_store::Digest;

/// Forwards new events.
pub(crate) struct DedupEvents<'a> {
    next: &'a dyn EventSink,
    there: Mutex<HashSet<Digest>>,
}

impl<'a> DedupEvents<'a> {
    pub(crate) fn new(next: &'a dyn EventSink) -> Self {
        Self { next, there: Mutex::new(HashSet::new()) }
    }
}

impl EventSink for DedupEvents<'_> {
    fn send(&self, event: &Event) {
        let mut there = self.there.lock().unwrap_or_else(PoisonError::into_inner);
        let news = match &event.kind {
            EventKind::Cached | EventKind::Finished { .. } => there.insert(event.key),
            EventKind::Waiting { .. } => false,
            // A stage whose artifact was damaged starts again.
            EventKind::Damaged { .. } => {
                there.remove(&event.key);
                true
            }
            _ => true,
        };
        drop(there);
        if news {
            self.next.send(event);
        }
    }
}
