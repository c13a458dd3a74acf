//! `plugins` and `new`: policies are a workspace of their own, built for WebAssembly by a program of its
//! own, so that nothing here waits for a WebAssembly toolchain.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::shell;

/// Rebuilds the committed components, or compares them with a rebuild.
pub(crate) fn build(args: &[String]) -> Result<ExitCode> {
    componentize("build", args)
}

/// Starts a policy from the template.
pub(crate) fn new(args: &[String]) -> Result<ExitCode> {
    componentize("new", args)
}

/// The policies' native tests.
pub(crate) fn test() -> Result<()> {
    let mut tests = shell::cargo();
    tests.args(["test", "--manifest-path", "plugins/Cargo.toml", "--workspace"]);
    // Beside the workspace's own artifacts: one folder to keep between runs.
    tests.arg("--target-dir").arg(shell::target().join("policies"));
    shell::must(&mut tests, "cargo test of the policies")
}

fn componentize(command: &str, args: &[String]) -> Result<ExitCode> {
    let program = shell::built("componentize", &[], true)?;
    let mut run = Command::new(program);
    shell::hand_over(run.arg(command).args(args).current_dir(shell::root()))
}
