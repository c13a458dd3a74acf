//! What several workers tell of one plan, as one walk would tell it: a stage is begun once and there once, and that one
//! worker waits for another is no news.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use cadre_scheduler::{Event, EventKind, EventSink};
use cadre_store::Digest;

/// Hands on what is new.
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
            // A stage whose artifact broke is begun again.
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
