//! End-to-end tests: run the programs as a user does. Each module covers one promise of the README.
//!
//! - `main_job`: a recipe runs to its report; a second run finds everything done.
//! - `interruption`: a run killed at any moment, or stopped by Ctrl-C, ends with the same report.
//! - `damage`: damaged artifacts, a full disk.
//! - `hostile`: hostile policies.
//! - `exchange`: experts are exported to PEFT and transformers, checkpoints are imported.
//! - `methods`: methods of the shipped collections: cases of the reference, recipes, mistakes.
//! - `mistakes`: errors in the recipe or the data are reported with their location; nothing is written.
//! - `checkpoints`: your own checkpoint as a backbone, intact or broken.
//! - `diagnosis`: a failed training is diagnosed; claims are shown on the scale that the router compares.
//! - `sweep`: points share stages; workers, failures, kills.
//! - `fallen_workers`: workers that die, and stages that fail because of it.
//! - `slurm`: a sweep as jobs of a cluster, even if a node dies; requires Slurm.
//! - `one_store`: runs that share a store do not affect each other; unwritable outputs are reported.
//! - `commands`: every other command.
//! - `first_router`: the steps of `docs/first-router.md`.
//! - `runs`: past runs are a database; the store's garbage is collected.
//! - `shipped`: the recipes of the repository load and plan.
//! - `real_data`: the real tasks, if their data is on this machine.

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
#[path = "e2e/methods.rs"]
mod methods;
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
