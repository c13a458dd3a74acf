//! `plugins` and `new`: policies are a separate workspace, built for WebAssembly by a separate program, so that nothing
//! here depends on a WebAssembly toolchain.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::shell;

/// Rebuilds the committed components, or compares them with a rebuild.
pub(crate) fn build(args: &[String]) -> Result<ExitCode> {
    componentize("build", args)
}

/// Creates a policy from the template.
pub(crate) fn new(args: &[String]) -> Result<ExitCode> {
    componentize("new", args)
}

/// The policies' native tests.
pub(crate) fn test() -> Result<()> {
    WORKSPACES.iter().try_for_each(|workspace| {
        shell::must(&mut native("test", workspace), &format!("cargo test of {workspace}"))
    })
}

/// The policies' lints.
pub(crate) fn lint() -> Result<()> {
    WORKSPACES.iter().try_for_each(|workspace| {
        let mut clippy = native("clippy", workspace);
        clippy.args(["--all-targets", "--", "--deny", "warnings"]);
        shell::must(&mut clippy, &format!("cargo clippy of {workspace}"))
    })
}

/// Routers and selectors, and collections of methods.
const WORKSPACES: [&str; 2] = ["plugins", "plugins/methods"];

/// A cargo command on a workspace of policies, compiled natively. Uses the workspace's target directory, so that there is one
/// folder to cache.
fn native(command: &str, workspace: &str) -> Command {
    let mut cargo = shell::cargo();
    let manifest = format!("{workspace}/Cargo.toml");
    cargo.args([command, "--manifest-path", &manifest, "--workspace", "--target-dir"]);
    cargo.arg(shell::target().join("policies"));
    cargo
}

fn componentize(command: &str, args: &[String]) -> Result<ExitCode> {
    let program = shell::built("componentize", &[])?;
    let mut run = Command::new(program);
    shell::hand_over(run.arg(command).args(args).current_dir(shell::root()))
}
