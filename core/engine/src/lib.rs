//! The engine of Cadre: the implementations of all stages, the ensemble with its routing loop and evidence book, and
//! the command line of the program `cadre`. Only this crate combines data, policies, models and plans; nothing else may
//! depend on it, except for the program and the end-to-end tests.

#![forbid(unsafe_code)]

mod command;
mod dry_run;
mod ensemble;
mod error;
mod interrupt;
mod planned_files;
mod records;
mod resources;
mod stage;
mod start;
mod sweep;
mod terminal;

pub use error::EngineError;
pub use start::main;
