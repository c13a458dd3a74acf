//! Scheduling state shared by the threads of an execution: the progress of each stage, and the choice of the next one.

use std::time::{Duration, Instant};

use cadre_store::chain;

use crate::error::WalkError;
use crate::planning::plan::Plan;

/// Number of times that a damaged input is rebuilt before the execution fails.
const TRIES: u32 = 3;

/// Delay before a stage whose key another process holds is tried again.
const HELD: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Not started, or to be executed again.
    Open,
    /// A thread executes it.
    Running,
    /// Another process holds its key, as of this time.
    Held(Instant),
    /// It was cached.
    Cached,
    /// It was executed.
    Done,
    /// It stopped early on request.
    Stopped,
    /// It failed.
    Failed,
}

impl Progress {
    fn is_there(self) -> bool {
        matches!(self, Self::Cached | Self::Done)
    }
}

/// The next action of a thread.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Execute this stage, which is now marked as running.
    Stage(usize),
    /// Wait.
    Wait,
    /// Finish.
    Over,
}

#[derive(Debug)]
pub(super) struct Board {
    stages: Vec<Progress>,
    waited: Vec<bool>,
    lost: Vec<u32>,
    failures: Vec<(usize, WalkError)>,
    /// Whether no further stage is started.
    closed: bool,
}

impl Board {
    pub(super) fn new(plan: &Plan) -> Self {
        let count = plan.stages.len();
        Self {
            stages: vec![Progress::Open; count],
            waited: vec![false; count],
            lost: vec![0; count],
            failures: Vec::new(),
            closed: false,
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Claims the first stage whose inputs are all finished.
    pub(super) fn claim(&mut self, plan: &Plan) -> Claim {
        if !self.closed {
            let ready = |place: &usize| {
                let due = match self.stages[*place] {
                    Progress::Open => true,
                    Progress::Held(since) => since.elapsed() >= HELD,
                    _ => false,
                };
                due && plan.stages[*place].inputs.iter().all(|input| self.stages[*input].is_there())
            };
            if let Some(place) = (0..self.stages.len()).find(ready) {
                self.stages[place] = Progress::Running;
                return Claim::Stage(place);
            }
        }
        let running = self.stages.contains(&Progress::Running);
        let held = !self.closed && self.stages.iter().any(|stage| matches!(stage, Progress::Held(_)));
        if running || held { Claim::Wait } else { Claim::Over }
    }

    pub(super) fn set(&mut self, place: usize, progress: Progress) {
        self.stages[place] = progress;
        if progress == Progress::Stopped {
            self.close();
        }
    }

    /// Puts back a stage that another process executes. Returns whether this is the first time.
    pub(super) fn hold(&mut self, place: usize, now: Instant) -> bool {
        self.stages[place] = Progress::Held(now);
        !std::mem::replace(&mut self.waited[place], true)
    }

    /// Puts back a stage and its `input`, which must be rebuilt.
    pub(super) fn input_lost(&mut self, place: usize, input: usize, plan: &Plan) {
        self.stages[place] = Progress::Open;
        // Another stage may have found the damage first; the input is then already open or running.
        if self.stages[input].is_there() {
            self.lost[input] += 1;
            self.stages[input] = Progress::Open;
        }
        if self.lost[input] > TRIES {
            let (stage, input) = (plan.stages[place].name.clone(), plan.stages[input].name.clone());
            self.fail(place, WalkError::KeepsBreaking { stage, input, tries: TRIES }, false);
        }
    }

    pub(super) fn fail(&mut self, place: usize, problem: WalkError, keep_going: bool) {
        self.stages[place] = Progress::Failed;
        self.failures.push((place, problem));
        if !keep_going {
            self.close();
        }
    }

    pub(super) fn shared_outcome(self) -> super::SharedOutcome {
        let places = |wanted: fn(Progress) -> bool| {
            (0..self.stages.len()).filter(|place| wanted(self.stages[*place])).collect::<Vec<_>>()
        };
        let there = places(Progress::is_there);
        let left = places(|progress| !progress.is_there() && progress != Progress::Failed);
        let message = |(place, problem): &(usize, WalkError)| (*place, cause(problem));
        let mut failed: Vec<(usize, String)> = self.failures.iter().map(message).collect();
        failed.sort();
        super::SharedOutcome { there, failed, left }
    }

    pub(super) fn outcome(mut self, plan: &Plan) -> Result<super::WalkOutcome, WalkError> {
        if !self.failures.is_empty() {
            let (_, first) = self.failures.remove(0);
            let other =
                |(place, problem): &(usize, WalkError)| (plan.stages[*place].name.clone(), cause(problem));
            let also: Vec<_> = self.failures.iter().map(other).collect();
            return Err(match also.as_slice() {
                [] => first,
                _ => WalkError::Several { first: Box::new(first), also },
            });
        }
        let names = |wanted: fn(Progress) -> bool| {
            let chosen = plan.stages.iter().zip(&self.stages).filter(|(_, progress)| wanted(**progress));
            chosen.map(|(stage, _)| stage.name.clone()).collect()
        };
        Ok(super::WalkOutcome {
            done: names(|progress| progress == Progress::Done),
            cached: names(|progress| progress == Progress::Cached),
            left: names(|progress| !progress.is_there()),
        })
    }
}

/// Why a stage failed, without the name of the stage if the error is its body's.
fn cause(problem: &WalkError) -> String {
    match problem {
        WalkError::Stage { source, .. } => chain(source.as_ref()),
        other => chain(other),
    }
}
