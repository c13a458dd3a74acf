//! What stages say while they run, and the flag by which they are asked to stop. Listeners cannot change a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cadre_store::Digest;
use serde::{Deserialize, Serialize};

/// Something that happened to a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Name of the stage.
    pub stage: String,
    /// Its key.
    pub key: Digest,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen to a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It has begun.
    Started,
    /// It is so far.
    Progress {
        /// Units that are done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What is counted: `steps`, `queries`.
        unit: String,
    },
    /// A figure on the way.
    Metric {
        /// Its name: `loss`.
        name: String,
        /// At which step.
        step: u64,
        /// Its value.
        value: f64,
    },
    /// Its artifact was there already.
    Cached,
    /// Another process is doing it.
    Waiting {
        /// The process; 0 where not known.
        pid: u32,
    },
    /// Its artifact was damaged; it was set aside and is made again.
    Damaged {
        /// The file that was wrong.
        file: String,
        /// What was wrong.
        problem: String,
        /// Where the artifact now lies.
        moved_to: PathBuf,
    },
    /// It is done.
    Finished {
        /// How long it took.
        seconds: f64,
    },
    /// It was stopped before its end; what it had is kept.
    Stopped,
    /// It failed.
    Failed {
        /// Why.
        message: String,
    },
}

/// Who listens to events.
pub trait EventSink: Sync {
    /// Takes note of an event. Called from several threads; must not block for long.
    fn send(&self, event: &Event);
}

/// Asks running stages to stop at their next step. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag by which nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether somebody has asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The flag itself, for a signal handler that can do no more than store into it.
    #[must_use]
    pub fn shared(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
