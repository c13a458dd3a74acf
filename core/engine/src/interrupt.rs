//! Ctrl-C: once asks the walk to stop at its next step with a checkpoint, twice ends the process at
//! once. What is in the store is whole in both cases.

use cadre_scheduler::StopFlag;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Exit code of an interrupted command.
pub(crate) const INTERRUPTED: u8 = 130;

/// Ends this process (politely) when the one that started it has ended, however that went: nobody is left to listen.
pub(crate) fn end_with_parent() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    Ok(())
}

/// Listens for Ctrl-C (and a polite kill) for the rest of the process; `told` is called with what to
/// say at the first.
pub(crate) fn listen(stop: StopFlag, told: impl Fn(&str) + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut asked = false;
        for _ in signals.forever() {
            if asked {
                std::process::exit(i32::from(INTERRUPTED));
            }
            asked = true;
            stop.request();
            told("stopping at the next step, with a checkpoint; Ctrl-C again stops at once");
        }
    })?;
    Ok(())
}
