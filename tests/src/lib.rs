//! Support for the end-to-end tests: runs the programs as a user does, in temporary folders.

mod outcome;
mod processes;
mod workbench;

pub use outcome::Outcome;
pub use processes::{children, kill};
pub use workbench::{Workbench, contract, data_folder, repository};
