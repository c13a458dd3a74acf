//! Running other programs from the workspace's root: their output goes straight to the terminal.
//! Never interprets what a program prints, but for `capture`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};

use crate::build_progress;

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}

/// `cargo`, the one that runs this program, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).unwrap_or_else(|| PathBuf::from("target"));
    root().join(target)
}

/// Where cargo puts programs of the profile that everything here uses.
pub(crate) fn programs() -> PathBuf {
    target().join("debug")
}

/// Builds one program and returns where it lies. The selection is the whole workspace, the target one
/// program: so every program and every test is built from the same compiled dependencies, because cargo
/// unifies features over what is selected.
pub(crate) fn built(program: &str, features: &[String]) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--workspace", "--bin", program]);
    if !features.is_empty() {
        build.arg("--features").arg(features.join(","));
    }
    build_progress::run(&mut build, program)?;
    Ok(programs().join(program))
}

/// The target triple of this machine.
pub(crate) fn host() -> Result<String> {
    let mut rustc = Command::new("rustc");
    let output = rustc.arg("-vV").output().context("failed to start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

/// Whether this processor has a vector level (`plain`, `avx2`, `avx512`).
pub(crate) fn has_level(level: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    match level {
        "avx2" => return std::is_x86_feature_detected!("avx2"),
        "avx512" => {
            return std::is_x86_feature_detected!("avx512f")
                && std::is_x86_feature_detected!("avx512dq")
                && std::is_x86_feature_detected!("avx512vl")
                && std::is_x86_feature_detected!("avx512bw");
        }
        _ => {}
    }
    level == "plain"
}

/// Runs a command that must succeed.
pub(crate) fn must(command: &mut Command, what: &str) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

/// Hands over to a command: this process becomes it, so that Ctrl-C and the exit code are its own business. Comes
/// back only where it cannot be started.
#[cfg(unix)]
pub(crate) fn hand_over(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("failed to start {:?}", command.get_program()))
}

/// Hands over to a command: runs it and passes its exit code on.
#[cfg(not(unix))]
pub(crate) fn hand_over(command: &mut Command) -> Result<ExitCode> {
    Ok(exit_code(status(command)?))
}

/// What a command prints on its standard output, if it succeeds; its exit code otherwise.
pub(crate) fn capture(command: &mut Command) -> Result<Result<String, ExitCode>> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("failed to start {:?}", command.get_program()))?;
    if !output.status.success() {
        return Ok(Err(exit_code(output.status)));
    }
    Ok(Ok(String::from_utf8(output.stdout)?.trim().to_owned()))
}

fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("failed to start {:?}", command.get_program()))
}

#[cfg(unix)]
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

#[cfg(not(unix))]
fn exit_code(status: ExitStatus) -> ExitCode {
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}
