//! Executes a plan: runs the stages that are not in the store, on several threads, each under the lock of its key.
//! Finished stages stay in the store when another stage fails, stops or crashes.

mod board;
pub(crate) mod event;
pub(crate) mod executor;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cadre_store::{ArtifactStore, Digest, KeyLock, Lookup, ManifestFacts, chain};

use crate::error::WalkError;
use crate::planning::plan::Plan;
use crate::planning::speed;
use crate::stages::StageSpec;
use crate::walk::event::{Event, EventKind, EventSink, StopFlag};
use crate::walk::executor::{StageExecutor, StageInput, StageJob, StageOutcome};
use board::{Board, Claim, Progress};

/// Polling interval for stages that another process executes.
const PAUSE: Duration = Duration::from_millis(100);

/// Options of an execution.
#[derive(Clone, Debug)]
pub struct WalkOptions {
    /// Number of stages executed at a time, at least 1.
    pub jobs: usize,
    /// Requests a stop.
    pub stop: StopFlag,
    /// Whether stages that do not depend on a failed one are still started. Stages that are running when another fails
    /// are finished in any case.
    pub keep_going: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self { jobs: 1, stop: StopFlag::new(), keep_going: false }
    }
}

/// The outcome of an execution without failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalkOutcome {
    /// Stages that were executed, in the order of the plan.
    pub done: Vec<String>,
    /// Stages that were cached, in the order of the plan.
    pub cached: Vec<String>,
    /// Stages that were not started or not finished because a stop was requested, in the order of the plan.
    pub left: Vec<String>,
}

impl WalkOutcome {
    /// Whether it was stopped early.
    #[must_use]
    pub fn stopped(&self) -> bool {
        !self.left.is_empty()
    }
}

/// Executes every stage of `plan` that is not in `store`.
///
/// # Errors
/// When a stage fails or panics, or the store fails. Stages that are running at that moment are finished first, and
/// finished stages stay in the store.
pub fn walk(
    plan: &Plan,
    store: &ArtifactStore,
    executor: &dyn StageExecutor,
    events: &dyn EventSink,
    options: &WalkOptions,
) -> Result<WalkOutcome, WalkError> {
    let makers = vec![plan.run_key; plan.stages.len()];
    walked(plan, &makers, store, executor, events, options).outcome(plan)
}

/// The outcome of an execution that continues after failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedOutcome {
    /// Indices of stages that were executed or cached, in the order of the plan.
    pub there: Vec<usize>,
    /// Indices of stages that failed, each with its message.
    pub failed: Vec<(usize, String)>,
    /// Indices of stages that were not started: they depend on a failed stage, or a stop was requested.
    pub left: Vec<usize>,
}

/// Executes every stage of `plan` that is not in `store`, as one of several workers on the same plan. `makers` is the
/// run that each stage is attributed to; failed stages are part of the outcome.
#[must_use]
pub fn walk_shared(
    plan: &Plan,
    makers: &[Digest],
    store: &ArtifactStore,
    executor: &dyn StageExecutor,
    events: &dyn EventSink,
    options: &WalkOptions,
) -> SharedOutcome {
    walked(plan, makers, store, executor, events, options).shared_outcome()
}

fn walked(
    plan: &Plan,
    makers: &[Digest],
    store: &ArtifactStore,
    executor: &dyn StageExecutor,
    events: &dyn EventSink,
    options: &WalkOptions,
) -> Board {
    let walker = Walker {
        plan,
        makers,
        store,
        executor,
        events,
        options,
        board: Mutex::new(Board::new(plan)),
        changed: Condvar::new(),
    };
    let threads = options.jobs.clamp(1, plan.stages.len().max(1));
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| walker.work());
        }
        walker.work();
    });
    walker.board.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct Walker<'a> {
    plan: &'a Plan,
    /// The run that each stage is attributed to.
    makers: &'a [Digest],
    store: &'a ArtifactStore,
    executor: &'a dyn StageExecutor,
    events: &'a dyn EventSink,
    options: &'a WalkOptions,
    board: Mutex<Board>,
    changed: Condvar,
}

/// The outcome of one attempt at a stage.
enum Tried {
    /// It is finished.
    There(Progress),
    /// Another process holds its key.
    Held(u32),
    /// An input is damaged or missing.
    InputLost(usize),
}

impl Walker<'_> {
    fn work(&self) {
        loop {
            let claim = {
                let mut board = self.board();
                if self.options.stop.is_requested() {
                    board.close();
                }
                board.claim(self.plan)
            };
            match claim {
                Claim::Stage(place) => self.attend(place),
                Claim::Wait => {
                    // The timeout covers keys held by other processes, and stop requests.
                    let board = self.board();
                    let waited = self.changed.wait_timeout(board, PAUSE);
                    drop(waited.unwrap_or_else(PoisonError::into_inner));
                }
                Claim::Over => {
                    self.changed.notify_all();
                    return;
                }
            }
        }
    }

    fn attend(&self, place: usize) {
        let stage = &self.plan.stages[place];
        // Bodies must not panic; if one does, only its stage fails.
        let tried = catch_unwind(AssertUnwindSafe(|| self.attempt(place))).unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Err(WalkError::Panicked { stage: stage.name.clone(), key: stage.key.short(), message })
        });
        let mut board = self.board();
        match tried {
            Ok(Tried::There(progress)) => board.set(place, progress),
            Ok(Tried::Held(pid)) => {
                if board.hold(place, Instant::now()) {
                    self.send(stage, EventKind::Waiting { pid });
                }
            }
            Ok(Tried::InputLost(input)) => board.input_lost(place, input, self.plan),
            Err(problem) => {
                self.send(stage, EventKind::Failed { message: chain(&problem) });
                board.fail(place, problem, self.options.keep_going);
            }
        }
        drop(board);
        self.changed.notify_all();
    }

    fn attempt(&self, place: usize) -> Result<Tried, WalkError> {
        let stage = &self.plan.stages[place];
        let kept = |source| WalkError::Store { stage: stage.name.clone(), source };
        if self.store.contains(&stage.key).map_err(kept)? {
            self.send(stage, EventKind::Cached);
            return Ok(Tried::There(Progress::Cached));
        }
        let _lock: KeyLock = match self.store.lock_or_holder(&stage.key).map_err(kept)? {
            Ok(lock) => lock,
            Err(pid) => return Ok(Tried::Held(pid)),
        };
        // Another process may have finished it between the check and the lock.
        match self.store.get(&stage.key).map_err(kept)? {
            Lookup::Whole(_) => {
                self.send(stage, EventKind::Cached);
                return Ok(Tried::There(Progress::Cached));
            }
            Lookup::Damaged { file, problem, moved_to } => {
                self.send(stage, EventKind::Damaged { file, problem, moved_to });
            }
            Lookup::Missing => {}
        }
        match self.inputs(stage)? {
            Ok(inputs) => self.execute(place, inputs),
            Err(lost) => Ok(Tried::InputLost(lost)),
        }
    }

    /// The inputs, each verified, or the index of one that must be rebuilt.
    fn inputs(&self, stage: &StageSpec) -> Result<Result<Vec<StageInput>, usize>, WalkError> {
        let mut inputs = Vec::with_capacity(stage.inputs.len());
        for place in &stage.inputs {
            let maker = &self.plan.stages[*place];
            let found = self.store.get(&maker.key);
            match found.map_err(|source| WalkError::Store { stage: maker.name.clone(), source })? {
                Lookup::Whole(artifact) => {
                    inputs.push(StageInput {
                        name: maker.name.clone(),
                        kind: maker.kind,
                        task: maker.task().map(str::to_owned),
                        artifact,
                    });
                }
                Lookup::Damaged { file, problem, moved_to } => {
                    self.send(maker, EventKind::Damaged { file, problem, moved_to });
                    return Ok(Err(*place));
                }
                Lookup::Missing => return Ok(Err(*place)),
            }
        }
        Ok(Ok(inputs))
    }

    fn execute(&self, place: usize, inputs: Vec<StageInput>) -> Result<Tried, WalkError> {
        let stage = &self.plan.stages[place];
        let kept = |source| WalkError::Store { stage: stage.name.clone(), source };
        self.send(stage, EventKind::Started);
        let began = Instant::now();
        // Only a stage that runs alone and from its start is a measurement of speed.
        let alone = self.options.jobs <= 1 && !self.store.has_workspace(&stage.key);
        let draft = self.store.draft(&stage.key).map_err(kept)?;
        let job = StageJob {
            spec: stage,
            inputs,
            draft: &draft,
            workspace: self.store.workspace(&stage.key).map_err(kept)?,
            events: self.events,
            stop: &self.options.stop,
        };
        let outcome = self.executor.execute(&job).map_err(|source| WalkError::Stage {
            stage: stage.name.clone(),
            key: stage.key.short(),
            source,
        })?;
        let StageOutcome::Done(facts) = outcome else {
            self.send(stage, EventKind::Stopped);
            return Ok(Tried::There(Progress::Stopped));
        };
        let seconds = began.elapsed().as_secs_f64();
        if alone {
            speed::record(self.store, &self.plan.stages, place, &facts, seconds);
        }
        draft
            .commit(ManifestFacts {
                stage: stage.name.clone(),
                kind: stage.kind.name().to_owned(),
                made_by: self.makers[place].to_string(),
                wall_seconds: seconds,
                facts,
            })
            .map_err(kept)?;
        self.send(stage, EventKind::Finished { seconds });
        Ok(Tried::There(Progress::Done))
    }

    fn send(&self, stage: &StageSpec, kind: EventKind) {
        self.events.send(&Event { stage: stage.name.clone(), key: stage.key, kind });
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
