//! What the end-to-end tests stand on: the programs as a user runs them, in a folder of their own.

mod outcome;
mod workbench;

pub use outcome::Outcome;
pub use workbench::{Workbench, contract, data_folder, repository};
