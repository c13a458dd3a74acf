//! The plan of a sweep: equal stages of its points joined, and cut into the jobs of a queue.

pub(crate) mod batch_jobs;
pub(crate) mod open_sweep;
pub(crate) mod sweep_plan;
