//! Ctrl-C handling: the first signal makes the walk stop at its next step with a checkpoint, the second ends the
//! process immediately. SIGTERM counts as Ctrl-C. SIGHUP (the terminal or connection is gone) does too, but never ends
//! the process immediately: an exiting shell sends it twice. The store is consistent in all cases.

use cadre_scheduler::StopFlag;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Exit code of an interrupted command.
pub(crate) const INTERRUPTED: u8 = 130;

/// Sends SIGTERM to this process when its parent ends for any reason (Linux only).
pub(crate) fn end_with_parent() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    Ok(())
}

/// Handles Ctrl-C, SIGTERM and, unless the process was started with it ignored (`nohup`), SIGHUP for the rest of the
/// process; calls `announce` with a message at the first signal.
pub(crate) fn listen(stop: StopFlag, announce: impl Fn(&str) + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    if !ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked = false;
        for signal in signals.forever() {
            if asked && signal != SIGHUP {
                std::process::exit(i32::from(INTERRUPTED));
            }
            asked |= signal != SIGHUP;
            if !stop.is_requested() {
                stop.request();
                announce("stopping at the next step, with a checkpoint; Ctrl-C again stops at once");
            }
        }
    })?;
    Ok(())
}

/// Whether this process ignores a signal, as under `nohup`. Only detected on Linux; elsewhere no signal counts as
/// ignored.
fn ignored(signal: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// Whether a process status in Linux's format lists this signal as ignored.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_off_the_status() {
        let status = "Name:\tcadre\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, SIGHUP));
        assert!(!ignores(status, SIGTERM) && !ignores(status, SIGINT));
        assert!(!ignores("Name:\tcadre\n", SIGHUP));
    }
}
