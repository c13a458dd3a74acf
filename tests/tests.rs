//! End-to-end tests: the programs as a user runs them. Each module is one promise of the README.
//!
//! - `main_job`: a recipe runs to its report; a second run finds everything done.
//! - `interruption`: a run killed at any moment, or stopped by Ctrl-C, ends in the same report.
//! - `damage`: damaged artifacts, a full disk.
//! - `mistakes`: what is wrong with a recipe or the data is told, with its place; nothing is written.
//! - `commands`: every other command.
//! - `first_router`: the page for whoever writes a router, as it is followed.
//! - `shipped`: the recipes of the repository load and plan.
//! - `real_data`: the real tasks, where this machine has them.

#[path = "e2e/commands.rs"]
mod commands;
#[path = "e2e/damage.rs"]
mod damage;
#[path = "e2e/first_router.rs"]
mod first_router;
#[path = "e2e/interruption.rs"]
mod interruption;
#[path = "e2e/main_job.rs"]
mod main_job;
#[path = "e2e/mistakes.rs"]
mod mistakes;
#[path = "e2e/real_data.rs"]
mod real_data;
#[path = "e2e/report_file.rs"]
mod report_file;
#[path = "e2e/shipped.rs"]
mod shipped;
