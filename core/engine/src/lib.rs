//! The engine of Cadre: the bodies of all stages, the ensemble with its routing loop and evidence book, and the
//! command line of the program `cadre`. The only place where data, policies, models and the plan meet; nothing
//! depends on it but the program and the end-to-end tests.

mod command;
mod ensemble;
mod error;
mod executor;
mod interrupt;
mod planned_files;
mod records;
mod stage;
mod start;
mod sweep;
mod terminal;
mod trial;

pub use error::EngineError;
pub use start::main;
