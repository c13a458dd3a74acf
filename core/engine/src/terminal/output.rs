//! What became of standard output: the first failure to write to it is kept until the command ends. A run goes on
//! meanwhile, for what it makes lies in the store; but a command that could not say what it was asked has failed.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::error::EngineError;

static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

/// Keeps the failure of a write, if it is the first.
pub(super) fn keep_failure(written: io::Result<()>) {
    if let Err(problem) = written {
        FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
    }
}

/// Why not everything was printed, if so; asked once, at the end.
pub(crate) fn failure() -> Option<EngineError> {
    let problem = FAILURE.lock().unwrap_or_else(PoisonError::into_inner).take();
    problem.map(|source| EngineError::Output { source })
}
