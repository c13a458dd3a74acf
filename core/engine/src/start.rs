//! Start and end of the program: logs, panics, the command line, the exit code.

mod log_writer;

use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::command::{CommandLine, serve};
use log_writer::LogWriter;

/// Runs the program `cadre` and returns its exit code: 0 done, 1 failed, 2 invalid recipe or command line, 130
/// interrupted.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(print_panic));
    init_logging();
    let line = CommandLine::parse();
    // The panic hook has printed the error; finished stages are in the store.
    let code = std::panic::catch_unwind(|| serve(line)).unwrap_or(1);
    ExitCode::from(code)
}

/// Logs go to standard error, filtered by `CADRE_LOG` (such as `CADRE_LOG=cadre_engine=debug`); by default, only
/// warnings, each once.
fn init_logging() {
    let filter = EnvFilter::try_from_env("CADRE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LogWriter::default())
        .with_ansi(
            std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()),
        )
        .with_target(false)
        // A closed standard error must not stop the program: the layer would print about it, and panic.
        .log_internal_errors(false)
        .without_time()
        .init();
}

/// A panic is always a bug in Cadre: prints that, with the location. Panics of other crates caused by external files
/// are turned into errors about the file.
fn print_panic(panic: &PanicHookInfo<'_>) {
    if cadre_data::contains_panics() {
        return;
    }
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic
        .location()
        .map(|location| format!(" at {}:{}", location.file(), location.line()))
        .unwrap_or_default();
    let mut out = std::io::stderr().lock();
    let _ = writeln!(
        out,
        "error: cadre has a bug: {message}{location}\n  finished stages are kept; run again with CADRE_LOG=debug and report \
         the output"
    );
    if std::env::var_os("RUST_BACKTRACE").is_some() {
        let _ = writeln!(out, "{}", std::backtrace::Backtrace::force_capture());
    }
}
