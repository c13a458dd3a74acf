//! Events of stages, and the stop flag. Event sinks must not influence a run.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cadre_store::Digest;
use serde::{Deserialize, Serialize};

/// An event of a stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Name of the stage.
    pub stage: String,
    /// Its key.
    pub key: Digest,
    /// The kind of event.
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// It was started.
    Started,
    /// Progress.
    Progress {
        /// Finished units.
        done: u64,
        /// Total units.
        total: u64,
        /// The unit: `steps`, `queries`.
        unit: String,
    },
    /// A metric during the stage.
    Metric {
        /// Its name: `loss`.
        name: String,
        /// Its step.
        step: u64,
        /// Its value.
        value: f64,
    },
    /// Its artifact is cached.
    Cached,
    /// Another process executes it.
    Waiting {
        /// The process id; 0 if unknown.
        pid: u32,
    },
    /// Its artifact was damaged; it was moved aside and is rebuilt.
    Damaged {
        /// The damaged file.
        file: String,
        /// The problem.
        problem: String,
        /// The new location of the artifact.
        moved_to: PathBuf,
    },
    /// It was finished.
    Finished {
        /// Its duration in seconds.
        seconds: f64,
    },
    /// It was stopped early; its workspace is kept.
    Stopped,
    /// It failed.
    Failed {
        /// The cause.
        message: String,
    },
}

/// A receiver of events.
pub trait EventSink: Sync {
    /// Receives an event. Called from several threads; must not block for long.
    fn send(&self, event: &Event);
}

/// Requests running stages to stop at their next step. Clones share one flag.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests a stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The flag itself, for a signal handler, which can only store into it.
    #[must_use]
    pub fn shared(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
