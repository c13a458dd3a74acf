//! `check`, `test` and `generate`: exactly what CI runs, cheapest first.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::{plugins, shell, tidy};

/// All of CI, cheapest first.
pub(crate) fn check(args: &[String]) -> Result<ExitCode> {
    let mut all_backends = false;
    for arg in args {
        match arg.as_str() {
            "--all-backends" => all_backends = true,
            other => bail!("`check` takes --all-backends only, not `{other}`"),
        }
    }
    step("formatting");
    shell::must(shell::cargo().args(["fmt", "--all", "--check"]), "cargo fmt")?;
    step("architecture rules");
    tidy::must()?;
    step("generated files");
    generate(&["--check".to_owned()])?;
    step("lints");
    let mut clippy = shell::cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    shell::must(&mut clippy, "cargo clippy")?;
    plugins::lint()?;
    if all_backends {
        step("types of every backend");
        let mut types = shell::cargo();
        types.args(["check", "--workspace", "--features", "cadre-engine/ndarray,cadre-engine/cuda"]);
        shell::must(&mut types, "cargo check of all backends")?;
    }
    step("tests");
    test(&[])
}

/// The workspace's tests, then the policies' own.
pub(crate) fn test(args: &[String]) -> Result<ExitCode> {
    // The end-to-end tests run the programs as a user does, and cargo builds programs only for their own package's
    // tests.
    shell::must(shell::cargo().args(["build", "--workspace", "--bins"]), "cargo build")?;
    let mut tests = shell::cargo();
    tests.args(["test", "--workspace"]).args(args);
    shell::must(&mut tests, "cargo test")?;
    if args.is_empty() {
        step("tests of the policies");
        plugins::test()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the generated files, or compares them with the code.
pub(crate) fn generate(args: &[String]) -> Result<ExitCode> {
    let mode = match args {
        [] => "--write",
        [only] if only == "--check" => "--check",
        _ => bail!("`generate` takes --check only"),
    };
    let writer = shell::built("recipe-docs", &[], true)?;
    let mut make = Command::new(writer);
    make.arg(mode).current_dir(shell::root());
    shell::must(&mut make, "writing or comparing generated files")?;
    Ok(ExitCode::SUCCESS)
}

fn step(name: &str) {
    eprintln!("── {name}");
}
