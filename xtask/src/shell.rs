//! Runs other programs in the workspace's root. Their output goes straight to the terminal, except in `capture`.

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

/// The `cargo` that runs this program, in the workspace's root.
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

/// The target folder of the profile that all commands use.
pub(crate) fn programs() -> PathBuf {
    target().join("debug")
}

/// Builds one program and returns its path. Selects the whole workspace but a single target: cargo unifies features
/// over the selection, so every program and test shares the same compiled dependencies.
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

/// Replaces this process with a command, which then handles Ctrl-C and sets the exit code. Returns only if the command
/// cannot be started.
#[cfg(unix)]
pub(crate) fn hand_over(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("failed to start {:?}", command.get_program()))
}

/// Runs a command and returns its exit code.
#[cfg(not(unix))]
pub(crate) fn hand_over(command: &mut Command) -> Result<ExitCode> {
    Ok(exit_code(status(command)?))
}

/// The standard output of a command if it succeeds, otherwise its exit code.
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
