//! `run`, `plan`, `expand` and `cadre`: build the program that implements the command and replace this process with it.
//! The light program reports errors in a recipe before the long build starts. Must not read a recipe itself.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::shell;

/// `run RECIPE …`: asks the light program for the recipe's backend, builds it, and hands over.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let planner = shell::built("cadre-plan", &[])?;
    let mut ask = Command::new(planner);
    ask.arg("backend").args(recipe_args(args));
    let backend = match shell::capture(&mut ask)? {
        Ok(backend) => backend,
        Err(code) => return Ok(code),
    };
    let program = build_program(feature_of(&backend))?;
    shell::hand_over(Command::new(program).arg("run").args(args))
}

/// `plan` and `expand`, without tensor code.
pub(crate) fn plan(command: &str, args: &[String]) -> Result<ExitCode> {
    let planner = shell::built("cadre-plan", &[])?;
    shell::hand_over(Command::new(planner).arg(command).args(args))
}

/// Any other command, on the default backend.
pub(crate) fn program(args: &[String]) -> Result<ExitCode> {
    let program = build_program(None)?;
    shell::hand_over(Command::new(program).args(args))
}

fn build_program(feature: Option<&str>) -> Result<PathBuf> {
    let features: Vec<String> =
        feature.map(|feature| format!("cadre-engine/{feature}")).into_iter().collect();
    shell::built("cadre", &features)
}

/// The cargo feature of a backend name (the same for `cuda:1` and `cuda`); `None` for the default backend.
fn feature_of(backend: &str) -> Option<&str> {
    match backend.split(':').next() {
        Some("cpu") | None => None,
        name => name,
    }
}

/// The recipe and its `--set` options, which determine the backend.
fn recipe_args(args: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--set" {
            kept.push(arg.clone());
            kept.extend(rest.next().cloned());
        } else if arg.starts_with("--set=") {
            kept.push(arg.clone());
        } else if matches!(arg.as_str(), "--jobs" | "--store" | "--runs") {
            rest.next();
        } else if !arg.starts_with('-') {
            kept.push(arg.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{feature_of, recipe_args};

    #[test]
    fn only_arguments_that_determine_the_backend_are_kept() {
        let args = ["a.toml", "--jobs", "2", "--set", "seed=1", "--quiet", "--set=device.backend=cuda"];
        let args: Vec<String> = args.map(String::from).to_vec();
        assert_eq!(recipe_args(&args), ["a.toml", "--set", "seed=1", "--set=device.backend=cuda"]);
    }

    #[test]
    fn a_backend_maps_to_its_feature() {
        assert_eq!(feature_of("cpu"), None);
        assert_eq!(feature_of("cuda:1"), Some("cuda"));
        assert_eq!(feature_of("ndarray"), Some("ndarray"));
    }
}
