//! An executor shared by several workers: a stage that failed in one worker is not tried by the others.

use cadre_scheduler::{StageError, StageExecutor, StageJob, StageOutcome};
use cadre_store::chain;

use super::folder::SweepFolder;
use crate::error::EngineError;
use crate::resources::Resources;

pub(super) struct SharedExecutor {
    pub(super) executor: Resources,
    pub(super) folder: SweepFolder,
}

impl StageExecutor for SharedExecutor {
    fn execute(&self, job: &StageJob<'_>) -> Result<StageOutcome, StageError> {
        let key = &job.spec.key;
        if let Some(message) = self.folder.failure(key) {
            return Err(EngineError::FailedElsewhere { message }.into());
        }
        self.executor.execute(job).inspect_err(|error| {
            let message = chain(error.as_ref());
            if let Err(problem) = self.folder.keep_failure(key, &job.spec.name, &message) {
                // The next worker tries the stage too, and fails as well.
                tracing::warn!(problem = chain(&problem), "the failure of a stage could not be recorded");
            }
        })
    }
}
