//! The plan of a sweep: equal stages of its points are merged, and the result is split into queue jobs.

pub(crate) mod batch_jobs;
pub(crate) mod open_sweep;
pub(crate) mod sweep_plan;
