//! Ctrl-C: once asks the walk to stop at its next step with a checkpoint, twice ends the process at once. SIGTERM
//! counts as Ctrl-C. So does SIGHUP (the terminal or the connection is gone), but that it never ends the process at
//! once: a shell that goes down sends it twice. What is in the store is whole in all cases.

use cadre_scheduler::StopFlag;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Exit code of an interrupted command.
pub(crate) const INTERRUPTED: u8 = 130;

/// Ends this process (politely) when the one that started it has ended, however that went: nobody is left to listen.
pub(crate) fn end_with_parent() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    Ok(())
}

/// Listens for Ctrl-C, SIGTERM and, unless the process was started to ignore it (`nohup`), SIGHUP for the rest of the
/// process; `told` is called with what to say at the first.
pub(crate) fn listen(stop: StopFlag, told: impl Fn(&str) + Send + 'static) -> std::io::Result<()> {
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
                told("stopping at the next step, with a checkpoint; Ctrl-C again stops at once");
            }
        }
    })?;
    Ok(())
}

/// Whether this process ignores a signal, as `nohup` has it do. Told by Linux; elsewhere none counts as ignored.
fn ignored(signal: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, signal))
}

/// Whether the status of a process, as Linux shows it, has this signal among those it ignores.
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
