//! End-to-end tests: the programs as a user runs them. Each module is one promise of the README.
//!
//! - `main_job`: a recipe runs to its report; a second run finds everything done.
//! - `interruption`: a run killed at any moment, or stopped by Ctrl-C, ends in the same report.
//! - `damage`: damaged artifacts, a full disk.
//! - `hostile`: policies that do harm.
//! - `exchange`: experts go out to PEFT and transformers, checkpoints come in.
//! - `mistakes`: what is wrong with a recipe or the data is told, with its place; nothing is written.
//! - `checkpoints`: a backbone of one's own, whole or broken.
//! - `diagnosis`: a run that went wrong says so; claims are shown on the scale that the router compares.
//! - `sweep`: points share what they have in common; workers, failures, kills.
//! - `fallen_workers`: workers that die, and stages at which they do.
//! - `slurm`: a sweep as jobs of a cluster, though a node dies; where Slurm is installed.
//! - `one_store`: runs that share a store do not change each other; what cannot be written is told.
//! - `commands`: every other command.
//! - `first_router`: the page for whoever writes a router, as it is followed.
//! - `runs`: past runs are a database; the store's garbage is collected.
//! - `shipped`: the recipes of the repository load and plan.
//! - `real_data`: the real tasks, where this machine has them.

#[cfg(test)]
#[path = "e2e/backbone_folder.rs"]
mod backbone_folder;
#[cfg(test)]
#[path = "e2e/checkpoints.rs"]
mod checkpoints;
#[cfg(test)]
#[path = "e2e/commands.rs"]
mod commands;
#[cfg(test)]
#[path = "e2e/damage.rs"]
mod damage;
#[cfg(test)]
#[path = "e2e/diagnosis.rs"]
mod diagnosis;
#[cfg(test)]
#[path = "e2e/exchange.rs"]
mod exchange;
#[cfg(test)]
#[path = "e2e/fallen_workers.rs"]
mod fallen_workers;
#[cfg(test)]
#[path = "e2e/first_router.rs"]
mod first_router;
#[cfg(test)]
#[path = "e2e/hostile.rs"]
mod hostile;
#[cfg(test)]
#[path = "e2e/interruption.rs"]
mod interruption;
#[cfg(test)]
#[path = "e2e/main_job.rs"]
mod main_job;
#[cfg(test)]
#[path = "e2e/mistakes.rs"]
mod mistakes;
#[cfg(test)]
#[path = "e2e/one_store.rs"]
mod one_store;
#[cfg(test)]
#[path = "e2e/real_data.rs"]
mod real_data;
#[cfg(test)]
#[path = "e2e/report_file.rs"]
mod report_file;
#[cfg(test)]
#[path = "e2e/runs.rs"]
mod runs;
#[cfg(test)]
#[path = "e2e/shipped.rs"]
mod shipped;
#[cfg(test)]
#[path = "e2e/slurm.rs"]
mod slurm;
#[cfg(test)]
#[path = "e2e/sweep.rs"]
mod sweep;
