//! Progress and cancellation for evidence-book work in a stage.

use cadre_scheduler::{EventKind, StageJob};

use crate::ensemble::{Kind, Watch};

/// Sends progress to a job's event sink and checks its stop flag.
pub(super) struct JobWatch<'a>(pub(super) &'a StageJob<'a>);

impl Watch for JobWatch<'_> {
    fn stop_wanted(&self) -> bool {
        self.0.stop.is_requested()
    }

    fn progress(&self, kind: Kind, done: u64, total: u64) {
        let unit = match kind {
            Kind::Claim => "claims",
            Kind::Embedding => "embeddings",
            Kind::Surprise => "surprises",
            Kind::Answer => "answers",
        };
        self.0.progress(done, total, unit);
    }

    fn waiting(&self, pid: u32) {
        self.0.send(EventKind::Waiting { pid });
    }
}
