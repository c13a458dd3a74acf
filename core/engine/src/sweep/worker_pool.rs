//! A pool of worker processes on this machine: starts them, forwards their events, asks them to stop, waits for them,
//! and replaces those that are killed during a stage.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cadre_scheduler::{Event, EventKind, EventSink, StageSpec, StopFlag};
use cadre_store::{Digest, chain};
use rustix::process::{Pid, Signal, kill_process};

use super::folder::SweepFolder;
use super::gpu_assignment::{VISIBLE, visible_gpus};
use crate::error::EngineError;
use crate::interrupt::INTERRUPTED;

/// Interval for checking whether a stop was requested.
const PAUSE: Duration = Duration::from_millis(50);

/// A stage counts as failed after this number of worker deaths. One death is tolerated: the worker may have been killed
/// because another program used up the memory.
const DEATHS: u32 = 2;

/// Settings of the pool.
pub(crate) struct WorkerPool<'a> {
    pub(crate) folder: &'a SweepFolder,
    pub(crate) store: &'a Path,
    pub(crate) workers: usize,
    /// Threads per worker.
    pub(crate) threads: usize,
    /// The stages of the sweep.
    pub(crate) stages: &'a [StageSpec],
    /// Whether to start no further stages once one has failed.
    pub(crate) fail_fast: bool,
}

impl WorkerPool<'_> {
    /// Starts the workers and waits for them; replaces those that die during a stage. Returns a message for each worker
    /// that did not end normally.
    pub(crate) fn run(&self, events: &dyn EventSink, stop: &StopFlag) -> Result<Vec<String>, EngineError> {
        let gpus = visible_gpus(self.stages, std::env::var(VISIBLE).ok().as_deref(), Path::new("/dev"));
        let watch = Watch { events, stop, deaths: Mutex::default() };
        std::thread::scope(|scope| {
            let handles: Vec<_> = (1..=self.workers)
                .map(|number| {
                    let gpu = gpus.get((number - 1) % gpus.len().max(1));
                    let watch = &watch;
                    scope.spawn(move || self.keep_one(number, gpu, watch))
                })
                .collect();
            let mut troubles = Vec::new();
            for handle in handles {
                let outcome = handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                troubles.extend(outcome?);
            }
            Ok(troubles)
        })
    }

    /// Runs a worker and replaces it when it dies during a stage, until one ends by itself. A worker that dies before it starts a stage is not replaced:
    /// the next one would die too.
    fn keep_one(
        &self,
        number: usize,
        gpu: Option<&String>,
        watch: &Watch<'_>,
    ) -> Result<Vec<String>, EngineError> {
        let mut troubles = Vec::new();
        loop {
            // If one worker cannot be started, stop the others.
            let mut child =
                self.start(number, gpu, troubles.is_empty()).inspect_err(|_| watch.stop.request())?;
            let out = child.stdout.take();
            let (status, at) = std::thread::scope(|scope| {
                let listener = scope.spawn(|| out.and_then(|out| self.listen(BufReader::new(out), watch)));
                let status = wait(&mut child, watch.stop);
                (status, listener.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            });
            let Some(cause) = self.trouble(number, &status) else { return Ok(troubles) };
            let Some(at) = at.filter(|_| !watch.stop.is_requested()) else {
                troubles.push(format!("worker {number} {cause}"));
                return Ok(troubles);
            };
            troubles.push(format!("worker {number} {cause} at {}; another took its place", at.stage));
            self.died_at(&at, &cause, watch);
        }
    }

    /// Counts the deaths at a stage. After [`DEATHS`] of them it is recorded as failed, and no other worker tries it.
    fn died_at(&self, at: &Event, cause: &str, watch: &Watch<'_>) {
        let mut deaths = watch.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        let died = deaths.entry(at.key).or_default();
        *died += 1;
        if *died != DEATHS {
            return;
        }
        let message = format!("{DEATHS} workers died at it; the last {cause}");
        if let Err(problem) = self.folder.keep_failure(&at.key, &at.stage, &message) {
            tracing::warn!(problem = chain(&problem), "the failure of a stage could not be recorded");
        }
        drop(deaths);
        self.hand_on(&Event { kind: EventKind::Failed { message }, ..at.clone() }, watch);
    }

    /// Starts a worker. A device that is assigned to it is the only one visible to it.
    fn start(&self, number: usize, gpu: Option<&String>, first: bool) -> Result<Child, EngineError> {
        let program = std::env::current_exe().map_err(|source| EngineError::Worker { number, source })?;
        let log = self.folder.worker_log(&number.to_string());
        // Keep the log of a worker that died.
        let opened = OpenOptions::new().create(true).write(true).truncate(first).append(!first).open(&log);
        let stderr = opened.map_err(|source| EngineError::Write { path: log, source })?;
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
            .stderr(stderr)
            // Ctrl-C is handled by this process, which sends each worker one SIGTERM.
            .process_group(0)
            .envs(gpu.map(|gpu| (VISIBLE, gpu)));
        command.spawn().map_err(|source| EngineError::Worker { number, source })
    }

    /// Forwards a worker's events until it ends; returns the stage that it had started and not finished.
    fn listen(&self, out: impl BufRead, watch: &Watch<'_>) -> Option<Event> {
        let mut at = None;
        for line in out.lines().map_while(Result::ok) {
            match serde_json::from_str::<Event>(&line) {
                Ok(event) => {
                    match event.kind {
                        EventKind::Started => at = Some(event.clone()),
                        EventKind::Finished { .. } | EventKind::Stopped | EventKind::Failed { .. } => {
                            at = None
                        }
                        _ => {}
                    }
                    self.hand_on(&event, watch);
                }
                Err(problem) => {
                    tracing::warn!(%problem, line, "a worker printed a line that is not an event")
                }
            }
        }
        at
    }

    fn hand_on(&self, event: &Event, watch: &Watch<'_>) {
        if self.fail_fast && matches!(event.kind, EventKind::Failed { .. }) {
            watch.stop.request();
        }
        watch.events.send(event);
    }

    /// How a worker ended, unless it ended normally.
    fn trouble(&self, number: usize, status: &std::io::Result<ExitStatus>) -> Option<String> {
        use std::os::unix::process::ExitStatusExt as _;
        match status {
            // Failed stages are reported by their points.
            Ok(status) if matches!(status.code(), Some(0 | 1)) => None,
            Ok(status) if status.code() == Some(i32::from(INTERRUPTED)) => None,
            Ok(status) => Some(match status.signal() {
                Some(9) => "was killed by signal 9 (out of memory?)".to_owned(),
                Some(signal) => format!("was killed by signal {signal}"),
                None => {
                    let log = self.folder.worker_log(&number.to_string());
                    format!("ended with {status}; see {}", log.display())
                }
            }),
            Err(problem) => Some(format!("was lost: {problem}")),
        }
    }
}

/// State shared by the threads that watch workers.
struct Watch<'a> {
    events: &'a dyn EventSink,
    stop: &'a StopFlag,
    /// Worker deaths by stage.
    deaths: Mutex<HashMap<Digest, u32>>,
}

/// Waits for a worker, and asks it to stop when a stop of the sweep is requested.
fn wait(child: &mut Child, stop: &StopFlag) -> std::io::Result<ExitStatus> {
    let mut asked = false;
    loop {
        if stop.is_requested() && !asked {
            asked = true;
            ask_to_stop(child);
        }
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        std::thread::sleep(PAUSE);
    }
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
