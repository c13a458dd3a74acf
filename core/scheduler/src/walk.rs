//! Walks a plan: does what is not there, on as many threads as asked for, each stage under the lock of its key. A stage
//! that fails, stops or dies takes nothing with it: what was finished is in the store.

mod board;
pub(crate) mod event;
pub(crate) mod executor;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cadre_store::{ArtifactStore, Digest, KeyLock, Lookup, ManifestFacts};

use crate::error::WalkError;
use crate::planning::plan::Plan;
use crate::planning::speed;
use crate::stages::StageSpec;
use crate::walk::event::{Event, EventKind, EventSink, StopFlag};
use crate::walk::executor::{StageExecutor, StageInput, StageJob, StageOutcome};
use board::{Board, Claim, Progress};

/// How often a stage that another process is doing is looked at again.
const PAUSE: Duration = Duration::from_millis(100);

/// How a plan is walked.
#[derive(Clone, Debug)]
pub struct WalkOptions {
    /// Stages done at a time, at least 1.
    pub jobs: usize,
    /// Asks to stop.
    pub stop: StopFlag,
    /// Whether stages that do not depend on a failed one are still begun. Stages that run when another fails are
    /// finished either way.
    pub keep_going: bool,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self { jobs: 1, stop: StopFlag::new(), keep_going: false }
    }
}

/// How a walk ended in which nothing failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalkOutcome {
    /// Stages that were done, in the order of the plan.
    pub done: Vec<String>,
    /// Stages that were there, in the order of the plan.
    pub cached: Vec<String>,
    /// Stages that were not reached or not finished because somebody asked to stop, in the order of the plan.
    pub left: Vec<String>,
}

impl WalkOutcome {
    /// Whether it was stopped before its end.
    #[must_use]
    pub fn stopped(&self) -> bool {
        !self.left.is_empty()
    }
}

/// Does every stage of `plan` that `store` does not have.
///
/// # Errors
/// When a stage fails or panics, or the store does. Finished stages stay finished; stages running at that moment are
/// finished first.
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

/// How a walk ended that goes on beside what failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedOutcome {
    /// Places of stages that were done or there, in the order of the plan.
    pub there: Vec<usize>,
    /// Places of stages that failed, each with its message.
    pub failed: Vec<(usize, String)>,
    /// Places of stages that were not reached: they need one that failed, or somebody asked to stop.
    pub left: Vec<usize>,
}

/// Does every stage of `plan` that `store` does not have, as one of several that walk the same plan: `makers` says by
/// which run each stage counts as made, and a stage that fails is part of the outcome.
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
    /// By which run each stage counts as made.
    makers: &'a [Digest],
    store: &'a ArtifactStore,
    executor: &'a dyn StageExecutor,
    events: &'a dyn EventSink,
    options: &'a WalkOptions,
    board: Mutex<Board>,
    changed: Condvar,
}

/// How one try at a stage ended.
enum Tried {
    /// It is there now.
    There(Progress),
    /// Another process holds its key.
    Held(u32),
    /// An input that was there is not whole any more.
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
                    // A pause, too, where another process has the key or somebody may ask to stop.
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
        // Bodies do not panic; if one does, its mistake is this stage's and not the whole run's.
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
                self.send(stage, EventKind::Failed { message: problem.to_string() });
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
        // Somebody may have finished it between the look and the lock.
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

    /// The inputs, each verified; or the place of one that has to be made again.
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
        // Part of the work of a resumed stage was done, and timed, before.
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
            also: Vec::new(),
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
