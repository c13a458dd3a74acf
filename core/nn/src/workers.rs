//! Threads for independent pieces of work. There are as many workers as pieces or threads, whichever is fewer; the
//! threads are divided among the workers for their inner matmuls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::NnError;

/// The worker threads of a learner.
pub(crate) struct Workers {
    threads: usize,
    wide: ThreadPool,
    /// Worker teams by number of workers, created on first use.
    teams: Mutex<BTreeMap<usize, Team>>,
}

type Team = Arc<[ThreadPool]>;

impl Workers {
    /// Creates `threads` threads, at least one.
    ///
    /// # Errors
    /// The system cannot create the threads.
    pub(crate) fn new(threads: usize) -> Result<Self, NnError> {
        let threads = threads.max(1);
        Ok(Self { threads, wide: pool(threads)?, teams: Mutex::default() })
    }

    /// Runs `work` with all threads available to its matmuls.
    pub(crate) fn wide<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.wide.install(work)
    }

    /// Runs `work` on a single thread. Its results must not depend on the number of threads, and those of some of burn's
    /// operations, such as sums over millions of elements, do.
    ///
    /// # Errors
    /// The system cannot create the thread.
    pub(crate) fn alone<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NnError> {
        Ok(self.team(self.threads)?[0].install(work))
    }

    /// Like [`Workers::each`], but runs every piece on a single thread, as [`Workers::alone`] does.
    ///
    /// # Errors
    /// The error with the lowest index. Indices that have not started when an error occurs are skipped.
    pub(crate) fn each_alone(
        &self,
        count: usize,
        work: &(dyn Fn(usize) -> Result<(), NnError> + Sync),
    ) -> Result<(), NnError> {
        self.each_of(&self.team(self.threads)?, count, work, &mut |_| true)
    }

    /// The workers for `count` pieces of work; all threads are divided among them.
    fn team(&self, count: usize) -> Result<Team, NnError> {
        let workers = count.clamp(1, self.threads);
        let mut teams = self.teams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(team) = teams.get(&workers) {
            return Ok(Arc::clone(team));
        }
        let share = |worker: usize| self.threads / workers + usize::from(worker < self.threads % workers);
        let team: Team = (0..workers).map(|worker| pool(share(worker))).collect::<Result<_, _>>()?;
        teams.insert(workers, Arc::clone(&team));
        Ok(team)
    }

    /// Runs `work` for every index below `count`, several at a time.
    ///
    /// # Errors
    /// The error with the lowest index. Indices that have not started when an error occurs are skipped.
    pub(crate) fn each(
        &self,
        count: usize,
        work: &(dyn Fn(usize) -> Result<(), NnError> + Sync),
    ) -> Result<(), NnError> {
        self.each_watched(count, work, &mut |_| true)
    }

    /// Like [`Workers::each`], but calls `done` on the calling thread with each finished index. If `done` returns
    /// `false`, the rest is skipped and the call returns [`NnError::Stopped`].
    pub(crate) fn each_watched(
        &self,
        count: usize,
        work: &(dyn Fn(usize) -> Result<(), NnError> + Sync),
        done: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), NnError> {
        if count == 1 {
            self.wide(|| work(0))?;
            return if done(0) { Ok(()) } else { Err(NnError::Stopped) };
        }
        self.each_of(&self.team(count)?, count, work, done)
    }

    /// Runs `work` for every index below `count` on the workers of a team.
    fn each_of(
        &self,
        team: &Team,
        count: usize,
        work: &(dyn Fn(usize) -> Result<(), NnError> + Sync),
        done: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(), NnError> {
        let next = AtomicUsize::new(0);
        let failed: Mutex<Option<(usize, NnError)>> = Mutex::new(None);
        let mut stopped = false;
        std::thread::scope(|scope| {
            let (sender, finished) = mpsc::channel();
            for pool in team.iter() {
                let (next, failed, sender) = (&next, &failed, sender.clone());
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return;
                        }
                        match pool.install(|| work(number)) {
                            // The receiver may be gone; the work itself is complete.
                            Ok(()) => drop(sender.send(number)),
                            Err(error) => {
                                next.store(count, Ordering::Relaxed);
                                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                                if failed.as_ref().is_none_or(|(earlier, _)| number < *earlier) {
                                    *failed = Some((number, error));
                                }
                            }
                        }
                    }
                });
            }
            drop(sender);
            for number in finished {
                if !stopped && !done(number) {
                    stopped = true;
                    next.store(count, Ordering::Relaxed);
                }
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None if stopped => Err(NnError::Stopped),
            None => Ok(()),
        }
    }
}

fn pool(width: usize) -> Result<ThreadPool, NnError> {
    ThreadPoolBuilder::new()
        .num_threads(width)
        .thread_name(|_| "cadre-nn".into())
        .build()
        .map_err(|source| NnError::Threads { source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_dealt_out_to_the_pieces() {
        for (threads, count, widths) in [
            (5, 2, vec![3, 2]),
            (2, 2, vec![1, 1]),
            (4, 9, vec![1, 1, 1, 1]),
            (4, 1, vec![4]),
            (0, 3, vec![1]),
        ] {
            let workers = Workers::new(threads).unwrap();
            let team = workers.team(count).unwrap();
            let found: Vec<usize> = team.iter().map(ThreadPool::current_num_threads).collect();
            assert_eq!(found, widths, "{threads} threads for {count} pieces");
            let done = Mutex::new(Vec::new());
            let note = |number: usize| {
                done.lock().unwrap_or_else(PoisonError::into_inner).push(number);
                Ok(())
            };
            workers.each(count, &note).unwrap();
            let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
            done.sort_unstable();
            assert_eq!(done, (0..count).collect::<Vec<_>>());
        }
    }
}
