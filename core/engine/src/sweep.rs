//! Sweeps: the folder of a sweep, the workers that walk its plan together, and the launchers that start them.

mod dedup_events;
mod folder;
mod gpu_assignment;
mod shared_executor;
mod slurm;
mod worker;
mod worker_pool;

pub(crate) use dedup_events::DedupEvents;
pub(crate) use folder::SweepFolder;
pub(crate) use slurm::{Resources, Submission, cancelled, states, submitted};
pub(crate) use worker::{Assignment, work};
pub(crate) use worker_pool::WorkerPool;
