//! Workers as processes of this machine: started, listened to, asked to stop, waited for. It does no stage.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use cadre_scheduler::{Event, EventKind, EventSink, StageSpec, StopFlag};
use rustix::process::{Pid, Signal, kill_process};

use super::cards::{VISIBLE, cards};
use super::folder::SweepFolder;
use crate::error::EngineError;
use crate::interrupt::INTERRUPTED;

/// How often it is looked at whether somebody asked to stop.
const PAUSE: Duration = Duration::from_millis(50);

/// How workers are started.
pub(crate) struct Crew<'a> {
    pub(crate) folder: &'a SweepFolder,
    pub(crate) store: &'a Path,
    pub(crate) workers: usize,
    /// Threads of each worker.
    pub(crate) threads: usize,
    /// The stages of the sweep.
    pub(crate) stages: &'a [StageSpec],
    /// Whether nothing further is begun once a stage failed.
    pub(crate) fail_fast: bool,
}

impl Crew<'_> {
    /// Starts the workers and waits for them. Gives how those ended that did not end well, in words.
    pub(crate) fn run(&self, events: &dyn EventSink, stop: &StopFlag) -> Result<Vec<String>, EngineError> {
        let mut children = Vec::with_capacity(self.workers);
        let cards = cards(self.stages, std::env::var(VISIBLE).ok().as_deref(), Path::new("/dev"));
        for number in 1..=self.workers {
            match self.start(number, cards.get((number - 1) % cards.len().max(1))) {
                Ok(child) => children.push(child),
                Err(error) => {
                    children.iter_mut().for_each(end);
                    return Err(error);
                }
            }
        }
        let statuses = std::thread::scope(|scope| {
            for child in &mut children {
                let Some(out) = child.stdout.take() else { continue };
                scope.spawn(move || self.listen(BufReader::new(out), events, stop));
            }
            wait(&mut children, stop)
        });
        Ok(statuses
            .iter()
            .enumerate()
            .filter_map(|(place, status)| self.trouble(place + 1, status))
            .collect())
    }

    /// Starts a worker, which sees this device alone, if one is dealt to it.
    fn start(&self, number: usize, card: Option<&String>) -> Result<Child, EngineError> {
        let program = std::env::current_exe().map_err(|source| EngineError::Worker { number, source })?;
        let log = self.folder.worker_log(&number.to_string());
        let said = File::create(&log).map_err(|source| EngineError::Write { path: log, source })?;
        let mut command = Command::new(program);
        command
            .args(["sweep", "worker"])
            .arg(self.folder.root())
            .arg("--store")
            .arg(self.store)
            .args(["--threads", &self.threads.to_string(), "--json"])
            .args(self.fail_fast.then_some("--fail-fast"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            // Ctrl-C is for the one who started them: each worker is asked once, politely.
            .process_group(0)
            .envs(card.map(|card| (VISIBLE, card)));
        command.spawn().map_err(|source| EngineError::Worker { number, source })
    }

    /// Hands on what a worker tells.
    fn listen(&self, out: impl BufRead, events: &dyn EventSink, stop: &StopFlag) {
        for line in out.lines().map_while(Result::ok) {
            match serde_json::from_str::<Event>(&line) {
                Ok(event) => {
                    if self.fail_fast && matches!(event.kind, EventKind::Failed { .. }) {
                        stop.request();
                    }
                    events.send(&event);
                }
                Err(problem) => tracing::warn!(%problem, line, "a worker said something that is no event"),
            }
        }
    }

    fn trouble(&self, number: usize, status: &std::io::Result<ExitStatus>) -> Option<String> {
        use std::os::unix::process::ExitStatusExt as _;
        let log = self.folder.worker_log(&number.to_string());
        match status {
            // That stages failed is told by their points.
            Ok(status) if matches!(status.code(), Some(0 | 1)) => None,
            Ok(status) if status.code() == Some(i32::from(INTERRUPTED)) => None,
            Ok(status) => match status.signal() {
                Some(signal) => Some(format!(
                    "worker {number} was killed by signal {signal}{}; what it was at was left to the others",
                    if signal == 9 { " (out of memory?)" } else { "" }
                )),
                None => {
                    Some(format!("worker {number} ended with {status}; it left word in {}", log.display()))
                }
            },
            Err(problem) => Some(format!("worker {number} was lost: {problem}")),
        }
    }
}

/// Waits for all, and asks all to stop once somebody asks this process.
fn wait(children: &mut [Child], stop: &StopFlag) -> Vec<std::io::Result<ExitStatus>> {
    let mut asked = false;
    let mut statuses: Vec<Option<std::io::Result<ExitStatus>>> = children.iter().map(|_| None).collect();
    while statuses.iter().any(Option::is_none) {
        if stop.is_requested() && !asked {
            asked = true;
            children.iter().for_each(ask_to_stop);
        }
        for (child, status) in children.iter_mut().zip(&mut statuses).filter(|(_, status)| status.is_none()) {
            *status = child.try_wait().transpose();
        }
        std::thread::sleep(PAUSE);
    }
    statuses.into_iter().flatten().collect()
}

fn ask_to_stop(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid
        && let Err(problem) = kill_process(pid, Signal::TERM)
    {
        // It has ended meanwhile.
        tracing::debug!(%problem, "a worker could not be asked to stop");
    }
}

/// Ends a worker at once.
fn end(child: &mut Child) {
    let ended = child.kill().and_then(|()| child.wait());
    if let Err(problem) = ended {
        tracing::debug!(%problem, "a worker could not be ended");
    }
}
