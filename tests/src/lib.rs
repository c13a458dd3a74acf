//! What the end-to-end tests stand on: the programs as a user runs them, in a folder of their own.

mod outcome;
mod processes;
mod workbench;

pub use outcome::Outcome;
pub use processes::{children, kill};
pub use workbench::{Workbench, contract, data_folder, repository};
