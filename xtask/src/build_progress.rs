//! Progress of a build that takes longer than two seconds: how many crates are compiled, of how many, and for how long.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::cargo;

/// A shorter build prints nothing.
const SILENCE: Duration = Duration::from_secs(2);
/// Between two lines where standard error is not a terminal.
const LINES: Duration = Duration::from_secs(30);

/// Runs a `cargo build` command with progress on standard error. Errors and warnings of the compiler are printed as cargo
/// prints them.
pub(crate) fn run(build: &mut Command, program: &str) -> Result<()> {
    build.args(["--quiet", "--message-format", "json-render-diagnostics"]).stdout(Stdio::piped());
    let mut child = build.spawn().context("failed to start cargo")?;
    let (send, receive) = channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || count(BufReader::new(out), &send));
    }
    let mut progress = Progress { program, start: Instant::now(), done: 0, total: None, printed: None };
    loop {
        match receive.recv_timeout(Duration::from_secs(1)) {
            Ok(()) => progress.done += 1,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        progress.show();
    }
    let status = child.wait().context("failed to wait for cargo")?;
    progress.end(status.success());
    if !status.success() {
        bail!("building {program} failed ({status})");
    }
    Ok(())
}

/// Sends once for each crate that is compiled or found compiled.
fn count(out: impl BufRead, send: &Sender<()>) {
    for line in out.lines() {
        let Ok(line) = line else { return };
        if line.contains("\"reason\":\"compiler-artifact\"") && send.send(()).is_err() {
            return;
        }
    }
}

struct Progress<'a> {
    program: &'a str,
    start: Instant,
    done: usize,
    total: Option<usize>,
    printed: Option<Instant>,
}

impl Progress<'_> {
    fn show(&mut self) {
        let elapsed = self.start.elapsed();
        let terminal = std::io::stderr().is_terminal();
        let pause = if terminal { Duration::from_millis(200) } else { LINES };
        if elapsed < SILENCE || self.printed.is_some_and(|printed| printed.elapsed() < pause) {
            return;
        }
        let program = self.program;
        let total = *self.total.get_or_insert_with(|| crates(program).unwrap_or(0));
        let first = self.printed.is_none();
        let line = line(self.program, self.done, total, elapsed);
        let mut err = std::io::stderr().lock();
        // A closed standard error does not stop a build.
        let _ = match (first, terminal) {
            (true, true) => write!(err, "{}\n{line}", opening(self.program)),
            (true, false) => writeln!(err, "{}\n{line}", opening(self.program)),
            (false, true) => write!(err, "\r\x1b[2K{line}"),
            (false, false) => writeln!(err, "{line}"),
        };
        let _ = err.flush();
        self.printed = Some(Instant::now());
    }

    fn end(&self, success: bool) {
        if self.printed.is_none() {
            return;
        }
        let mut err = std::io::stderr().lock();
        let erase = if err.is_terminal() { "\r\x1b[2K" } else { "" };
        if success {
            let _ = writeln!(err, "{erase}built {} in {}", self.program, clock(self.start.elapsed()));
        } else {
            let _ = write!(err, "{erase}");
        }
    }
}

fn opening(program: &str) -> String {
    let first = if program == "cadre" { "about ten minutes on two cores" } else { "a few minutes" };
    format!("building {program}; the first build takes {first}, later ones take seconds")
}

fn line(program: &str, done: usize, total: usize, elapsed: Duration) -> String {
    let clock = clock(elapsed);
    match total > done {
        true => format!("building {program}: {done} of about {total} crates, {clock}"),
        false => format!("building {program}: {done} crates, {clock}"),
    }
}

fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The number of crates that a program is made of, with default features on this machine.
fn crates(program: &str) -> Option<usize> {
    let package = match program {
        "cadre" => "cadre-engine",
        "cadre-plan" => "cadre-scheduler",
        "recipe-docs" => "cadre-recipe",
        other => other,
    };
    let mut tree = cargo();
    tree.args([
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
        "--quiet",
    ]);
    let output = tree.stderr(Stdio::null()).output().ok()?;
    let names = String::from_utf8(output.stdout).ok()?;
    let names: BTreeSet<&str> = names.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    output.status.success().then_some(names.len())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::{count, line};

    #[test]
    fn artifacts_are_counted() {
        let (send, receive) = channel();
        let text = "{\"reason\":\"compiler-artifact\",\"fresh\":true}\n{\"reason\":\"build-script-executed\"}\n\
                    {\"reason\":\"compiler-artifact\"}\n{\"reason\":\"build-finished\"}\n";
        count(Cursor::new(text), &send);
        drop(send);
        assert_eq!(receive.iter().count(), 2);
    }

    #[test]
    fn the_total_is_left_out_where_it_is_unknown_or_passed() {
        let line = |done, total| line("cadre", done, total, Duration::from_secs(192));
        assert_eq!(line(231, 480), "building cadre: 231 of about 480 crates, 3:12");
        assert_eq!(line(231, 0), "building cadre: 231 crates, 3:12");
        assert_eq!(line(500, 480), "building cadre: 500 crates, 3:12");
    }
}
