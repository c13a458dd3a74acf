//! Tracks failures of standard output: the first write error is kept until the command ends. A run continues, since its
//! results are in the store, but a command whose output is incomplete has failed.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::error::EngineError;

static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Records a write error, if it is the first.
pub(super) fn keep_failure(written: io::Result<()>) {
    if let Err(problem) = written {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
    }
}

/// The first write error; checked once, at the end.
pub(crate) fn failure() -> Option<EngineError> {
    let problem = FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take();
    problem.map(|source| EngineError::Output { source })
}
