//! Progress as plain lines, if standard error is not a terminal: one line when a stage starts and ends, and occasional
//! progress in between.

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cadre_scheduler::{Event, EventKind, EventSink, Plan};

use super::format::duration;

/// Minimum interval between progress lines of a stage.
const PAUSE: Duration = Duration::from_secs(10);

/// Prints lines to standard error.
pub(super) struct PlainLines {
    width: usize,
    stages: Mutex<HashMap<String, Running>>,
}

struct Running {
    printed: Instant,
    loss: Option<f64>,
}

impl PlainLines {
    /// Lines for the stages of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let width = plan.stages.iter().map(|stage| stage.name.chars().count()).max().unwrap_or(0);
        Self { width, stages: Mutex::new(HashMap::new()) }
    }

    fn print(&self, stage: &str, text: &str) {
        let width = self.width;
        let _ = writeln!(std::io::stderr().lock(), "{stage:width$}  {text}");
    }
}

impl EventSink for PlainLines {
    fn send(&self, event: &Event) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        match &event.kind {
            EventKind::Started => {
                stages.insert(event.stage.clone(), Running { printed: Instant::now(), loss: None });
                self.print(&event.stage, "started");
            }
            EventKind::Progress { done, total, unit } => {
                let Some(running) = stages.get_mut(&event.stage) else { return };
                if running.printed.elapsed() < PAUSE {
                    return;
                }
                running.printed = Instant::now();
                let loss = running.loss.map(|loss| format!(", loss {loss:.3}")).unwrap_or_default();
                self.print(&event.stage, &format!("{done} of {total} {unit}{loss}"));
            }
            EventKind::Metric { name, value, .. } => {
                if let Some(running) = stages.get_mut(&event.stage).filter(|_| name == "loss") {
                    running.loss = Some(*value);
                }
            }
            EventKind::Cached => {}
            EventKind::Waiting { pid } => {
                self.print(&event.stage, &format!("waiting for process {pid}, which is doing it"))
            }
            EventKind::Damaged { file, problem, .. } => {
                self.print(
                    &event.stage,
                    &format!("was damaged ({file}: {problem}); moved to quarantine, making it again"),
                );
            }
            EventKind::Finished { seconds } => {
                stages.remove(&event.stage);
                self.print(&event.stage, &format!("done in {}", duration(*seconds)));
            }
            // Reported once, by the walk's error.
            EventKind::Stopped | EventKind::Failed { .. } => {
                stages.remove(&event.stage);
            }
        }
    }
}
