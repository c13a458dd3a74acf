//! Sweeps: the folder of one, the workers that walk its plan together, and who starts them. What a stage does is not
//! known here.

mod cards;
mod crew;
mod folder;
mod once_a_key;
mod shared_executor;
mod slurm;
mod worker;

pub(crate) use crew::Crew;
pub(crate) use folder::SweepFolder;
pub(crate) use once_a_key::OnceAKey;
pub(crate) use slurm::{Resources, Submission, cancelled, states, submitted};
pub(crate) use worker::{Assignment, work};
