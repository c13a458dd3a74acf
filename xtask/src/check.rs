//! `check`, `test` and `generate`: exactly what CI runs, cheapest first.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::{figures, plugins, shell, tidy};

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

/// The kernels and the training built on them, under the address sanitizer, at each vector level of this processor. Needs a
/// nightly toolchain, which has the sanitizer's runtime.
pub(crate) fn sanitize(args: &[String]) -> Result<ExitCode> {
    const TESTS: [&str; 3] = ["kernel::", "training::tests::", "checkpoint::"];
    let host = shell::host()?;
    for level in ["plain", "avx2", "avx512"] {
        step(&format!("address sanitizer, vector level {level}"));
        if !shell::has_level(level) {
            eprintln!("skipped: this processor does not have it");
            continue;
        }
        let mut tests = Command::new("cargo");
        tests.current_dir(shell::root());
        tests.args(["+nightly", "test", "--package", "cadre-nn", "--package", "cadre-checkpoint", "--lib"]);
        tests.args(["--target", &host]).arg("--target-dir").arg(shell::target().join("sanitize"));
        tests.arg("--");
        if args.is_empty() {
            tests.args(TESTS)
        } else {
            tests.args(args)
        };
        // The toolchain of this program must not be that of the tests.
        tests
            .env_remove("RUSTUP_TOOLCHAIN")
            .env("RUSTFLAGS", "-Zsanitizer=address")
            .env("CADRE_CPU_LEVEL", level);
        shell::must(&mut tests, "the sanitizer")?;
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
    if mode == "--write" {
        figures::page::write()?
    } else {
        figures::page::check()?
    }
    let writer = shell::built("recipe-docs", &[])?;
    let mut make = Command::new(writer);
    make.arg(mode).current_dir(shell::root());
    shell::must(&mut make, "writing or comparing generated files")?;
    Ok(ExitCode::SUCCESS)
}

fn step(name: &str) {
    eprintln!("── {name}");
}
